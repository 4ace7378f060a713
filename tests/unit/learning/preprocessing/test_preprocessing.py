import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.preprocessing.assembly import build_preprocessor
from assay.specs.dataset import ColumnRole
from assay.specs.preprocessing import PreprocessingSpec

ROLES = {
    "n": "numeric",
    "empty": "numeric",
    "constant": "numeric",
    "b": "boolean",
    "t": "datetime",
    "nat": "datetime",
    "c": "categorical",
    "none": "categorical",
    "w": "text",
    "blank": "text",
}


def schema(**roles):
    columns = tuple(ColumnSchema(name=name, dtype="any", role=ColumnRole(role)) for name, role in roles.items())
    return TableSchema(version=1, columns=columns)


def awkward(n=40):
    draw = np.random.default_rng(0)
    moments = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(range(n), unit="h"), dtype="datetime64[us]")
    moments[1] = pd.NaT
    return pd.DataFrame(
        {
            "n": np.where(np.arange(n) == 2, np.nan, draw.normal(size=n)),
            "empty": np.full(n, np.nan),
            "constant": np.ones(n),
            "b": (np.arange(n) % 2).astype(float),
            "t": moments,
            "nat": pd.Series([pd.NaT] * n, dtype="datetime64[us]"),
            "c": np.array(["x", None, "y"], dtype=object)[np.arange(n) % 3],
            "none": np.array([None] * n, dtype=object),
            "w": np.array(["red car", "", "blue"], dtype=object)[np.arange(n) % 3],
            "blank": np.array([""] * n, dtype=object),
        }
    )


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_no_column_is_dropped_in_silence_and_each_output_has_a_name(encoding):
    fitted = build_preprocessor(schema(**ROLES), PreprocessingSpec(), encoding).fit(awkward())
    names = fitted.get_feature_names_out().tolist()
    assert fitted.transform(awkward()).shape == (40, len(names))
    assert len(set(names)) == len(names)
    for column in ROLES:
        assert any(f"__{column}" in name for name in names), column


def test_one_hot_leaves_nothing_missing_even_where_training_had_it_all():
    fitted = build_preprocessor(schema(**ROLES), PreprocessingSpec(), "one_hot", dense=True).fit(awkward())
    nothing = awkward(3).assign(n=np.nan, constant=np.nan, b=np.nan, t=pd.NaT, c=None)
    nothing["t"] = nothing["t"].astype("datetime64[us]")
    assert np.isfinite(fitted.transform(nothing)).all()


def test_ordinal_leaves_numbers_raw_and_missing():
    fitted = build_preprocessor(schema(n="numeric"), PreprocessingSpec(), "ordinal").fit(awkward())
    np.testing.assert_array_equal(fitted.transform(awkward())[:, 0], awkward()["n"])


def test_ordinal_codes_unknown_apart_from_all_others_and_missing_as_a_category_of_its_own():
    fitted = build_preprocessor(schema(c="categorical"), PreprocessingSpec(), "ordinal").fit(awkward())
    found = fitted.transform(pd.DataFrame({"c": np.array(["x", "y", "new", None], dtype=object)}))
    np.testing.assert_array_equal(found[:, 0], [0, 1, 3, 2])


@pytest.mark.parametrize(("encoding", "outputs"), [("one_hot", 4), ("ordinal", 1)])
def test_rare_categories_are_pooled_beyond_the_bound(encoding, outputs):
    values = pd.DataFrame({"c": np.array([f"v{i // (50 - i)}" for i in range(50)], dtype=object)})
    fitted = build_preprocessor(schema(c="categorical"), PreprocessingSpec(max_categories=4), encoding, dense=True)
    found = fitted.fit_transform(values)
    assert found.shape[1] == outputs
    assert len(np.unique(found, axis=0)) == 4


def test_a_new_category_is_taken_without_complaint():
    fitted = build_preprocessor(schema(c="categorical"), PreprocessingSpec(), "one_hot", dense=True).fit(awkward())
    assert fitted.transform(pd.DataFrame({"c": np.array(["new"], dtype=object)})).tolist() == [[0, 0, 0]]


def test_dense_never_returns_a_sparse_matrix():
    wide = pd.DataFrame({"c": np.array([f"v{i % 40}" for i in range(80)], dtype=object)})
    features = schema(c="categorical")
    assert sparse.issparse(build_preprocessor(features, PreprocessingSpec(), "one_hot").fit_transform(wide))
    assert not sparse.issparse(
        build_preprocessor(features, PreprocessingSpec(), "one_hot", dense=True).fit_transform(wide)
    )


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_the_same_rows_give_the_same_matrix(encoding):
    first, again = (
        build_preprocessor(schema(**ROLES), PreprocessingSpec(), encoding, dense=True).fit_transform(awkward())
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_a_step_takes_its_columns_out_of_the_automatic_ones():
    preparation = PreprocessingSpec.model_validate_json('{"steps": [{"step": "passthrough", "columns": ["n"]}]}')
    fitted = build_preprocessor(schema(n="numeric", b="boolean"), preparation, "one_hot", dense=True).fit(awkward())
    assert fitted.get_feature_names_out().tolist() == ["boolean__b", "step0__n"]


@pytest.mark.parametrize(
    ("values", "by_means"),
    [
        (["a", "b", None] * 4, False),
        (["a", "b", "c", None] * 3, True),  # missing is a category
        (["a", "b", "c", None], False),  # too few rows for out-of-fold means
    ],
)
def test_more_than_the_bound_of_categories_are_encoded_by_means_missing_included(values, by_means):
    bound = PreprocessingSpec(max_categories=3)
    preprocessor = build_preprocessor(schema(user="categorical"), bound, "ordinal", target_type="continuous")
    frame = pd.DataFrame({"user": np.array(values, dtype=object)})
    preprocessor.fit(frame, np.arange(len(values), dtype=float))
    (_, categories, _), *_ = preprocessor.transformers_
    assert categories.many_columns_ == (["user"] if by_means else [])
