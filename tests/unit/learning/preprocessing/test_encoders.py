import numpy as np
import pandas as pd
import pytest

from assay.learning.preprocessing.encoders import FrequencyEncoder, GroupImputer, HashingEncoder

COLOURS = pd.DataFrame({"c": np.array(["red", "red", None, "blue"], dtype=object), "d": [1.0, np.nan, 1.0, 1.0]})


def test_a_frequency_is_the_share_of_the_training_rows():
    fitted = FrequencyEncoder().fit(COLOURS)
    np.testing.assert_array_equal(fitted.transform(COLOURS), [[0.5, 0.75], [0.5, 0.25], [0.25, 0.75], [0.25, 0.75]])
    unseen = pd.DataFrame({"c": np.array(["new"], dtype=object), "d": [9.0]})
    np.testing.assert_array_equal(fitted.transform(unseen), [[0.0, 0.0]])


def test_a_chain_may_hand_an_array_to_an_encoder():
    assert FrequencyEncoder().fit(COLOURS.to_numpy()).transform(COLOURS.to_numpy())[0].tolist() == [0.5, 0.75]


def test_a_category_has_one_signed_output_whatever_the_other_rows_are():
    encoder = HashingEncoder(n_features=32).fit(COLOURS[["c"]])
    hashed = encoder.transform(COLOURS[["c"]]).toarray()
    assert np.abs(hashed).sum(axis=1).tolist() == [1.0] * 4
    np.testing.assert_array_equal(hashed[0], hashed[1])
    np.testing.assert_array_equal(encoder.transform(COLOURS[["c"]][3:]).toarray()[0], hashed[3])
    assert (hashed[0] != hashed[3]).any()


def test_columns_are_hashed_apart():
    both = pd.DataFrame({"c": ["red"], "d": ["red"]})
    assert np.count_nonzero(HashingEncoder(512).fit(both).transform(both).toarray()) == 2


HOMES = pd.DataFrame(
    {
        "rent": [100.0, 300.0, np.nan, 900.0, np.nan, np.nan],
        "kind": np.array(["flat", "flat", None, "house", None, None], dtype=object),
        "town": np.array(["a", "a", "a", "b", "b", None], dtype=object),
    }
)


@pytest.mark.parametrize(("strategy", "rents"), [("median", [200, 900, 300]), ("mean", [200, 900, 1300 / 3])])
def test_a_missing_number_has_the_middle_of_its_group_else_of_all_rows(strategy, rents):
    filled = GroupImputer(by=["town"], strategy=strategy).fit_transform(HOMES[["rent", "town"]])
    np.testing.assert_allclose(filled[[2, 4, 5], 0].astype(float), rents)
    assert filled.shape == (6, 1)


def test_a_missing_text_has_the_most_frequent_of_its_group():
    filled = GroupImputer(by=["town"]).fit_transform(HOMES[["kind", "town"]])
    assert filled[:, 0].tolist() == ["flat", "flat", "flat", "house", "house", "flat"]


def test_groups_may_be_told_by_several_columns_and_unseen_ones_are_filled():
    fitted = GroupImputer(by=["town", "kind"]).fit(HOMES)
    rows = pd.DataFrame({"rent": [np.nan], "kind": ["castle"], "town": ["zz"]})
    assert fitted.transform(rows)[0, 0] == 300.0
    assert list(fitted.get_feature_names_out()) == ["rent"]


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="median, mean or most_frequent"):
        GroupImputer(by=["town"], strategy="middle").fit(HOMES)
