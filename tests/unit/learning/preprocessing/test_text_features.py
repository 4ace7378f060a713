import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from assay.learning.preprocessing.transformers import TextFeatures


def frame(*texts):
    return pd.DataFrame({"note": np.array(texts, dtype=object)})


def test_words_become_weights_and_a_count():
    fitted = TextFeatures().fit(frame("red car", "blue car", ""))
    assert fitted.get_feature_names_out().tolist() == ["note_words", "note_blue", "note_car", "note_red"]
    found = fitted.transform(frame("red car unheard"))
    assert sparse.issparse(found)
    row = found.toarray()[0]
    assert row[0] == pytest.approx(np.log(4))
    assert row[1] == 0
    assert (row[2:] > 0).all()


def test_the_vocabulary_is_bounded():
    assert TextFeatures(max_features=1).fit(frame("a1 b1", "b1")).get_feature_names_out().tolist() == [
        "note_words",
        "note_b1",
    ]


def test_topics_condense_a_large_vocabulary_and_are_repeatable():
    texts = frame(*[f"word{i} word{(i * 7) % 20} word{(i * 3) % 20}" for i in range(20)])
    first, again = (TextFeatures(components=3, seed=5).fit_transform(texts) for _ in range(2))
    assert first.shape == (20, 4)
    np.testing.assert_array_equal(first, again)


def test_fewer_words_than_topics_are_left_as_they_are():
    fitted = TextFeatures(components=30).fit(frame("red car", "blue car"))
    assert fitted.transform(frame("red")).shape == (1, len(fitted.get_feature_names_out()))


@pytest.mark.parametrize("components", [None, 3])
def test_a_column_of_empty_texts_keeps_its_place(components):
    fitted = TextFeatures(components=components).fit(frame("", ""))
    assert fitted.transform(frame("word")).tolist() == [[pytest.approx(np.log(2))]]
    assert fitted.get_feature_names_out().tolist() == ["note_words"]
