import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OrdinalEncoder

from assay.learning.preprocessing.transformers import OrdinalCategories

NEW = pd.DataFrame({"c": np.array(["new", None], dtype=object)})


def encoder(**arguments):
    return OrdinalCategories(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **arguments), seed=1)


def column(**counts):
    values = [name for name, count in counts.items() for _ in range(count)]
    return pd.DataFrame({"c": np.array([None if name == "none" else name for name in values], dtype=object)})


def test_some_rows_of_each_category_stand_for_unseen_ones_at_fit_and_none_of_the_missing():
    rows = column(a=1_000, b=1_000, rare=1, none=999)
    fitted = encoder()
    codes = fitted.fit_transform(rows)[:, 0]
    pooled = rows["c"][codes == fitted.pools_[0]].value_counts(dropna=False).to_dict()
    assert pooled == {"a": 33, "b": 33, "rare": 1}
    assert fitted.transform(NEW)[:, 0].tolist() == [4, 3], "unseen has the pool's code, missing has its own"
    assert fitted.transform(rows)[:, 0].tolist() == sorted([0] * 1_000 + [1] * 1_000 + [2] + [3] * 999)


def test_the_rows_that_stand_for_unseen_categories_have_the_means_of_their_categories():
    rows = column(a=400, b=400, c=400)
    target = np.random.default_rng(0).permutation(np.repeat([True, False], 600))
    for name, share in (("a", 0.9), ("b", 0.1), ("c", 0.5)):
        target[rows["c"] == name] = np.arange(400) < share * 400
    fitted = encoder()
    pooled = fitted.fit_transform(rows, target)[:, 0] == fitted.pools_[0]
    means = pd.Series(target[pooled]).groupby(rows["c"][pooled].to_numpy()).mean()
    assert means.to_dict() == pytest.approx({"a": 0.9, "b": 0.1, "c": 0.5}, abs=0.03)


def test_unseen_categories_go_to_the_rare_ones_where_these_are_pooled():
    rows = column(a=50, b=30, c=3, d=2, none=4)
    fitted = encoder(max_categories=4)
    codes = fitted.fit_transform(rows)[:, 0]
    pool = set(codes[rows["c"].isin(["c", "d"])])
    assert {fitted.transform(NEW)[0, 0]} == pool
    assert [sorted(rare) for rare in fitted.infrequent_categories_] == [["c", "d"]]


@pytest.mark.parametrize("counts", [{"a": 5}, {"none": 5}])
def test_a_column_of_one_category_is_left_as_it_is(counts):
    assert len(set(encoder().fit_transform(column(**counts))[:, 0])) == 1


def test_the_same_seed_gives_the_same_rows():
    rows = column(a=200, b=200)
    first, again = (encoder().fit_transform(rows) for _ in range(2))
    np.testing.assert_array_equal(first, again)
