"""The encoding of categories is part of a search: by family, unless the file says it."""

import numpy as np
import pandas as pd
import pytest
from memory_journal import Killed, KilledAfter, MemoryJournal

from assay.data.schema import ColumnSchema, TableSchema
from assay.learning.estimators.category_names import category_errors
from assay.learning.estimators.family import FAMILIES, family
from assay.learning.preprocessing.native_frames import matrix_of, native_frame
from assay.learning.splitting import LabelledRows
from assay.learning.training import fitted
from assay.learning.tuning.candidates import Candidates
from assay.learning.tuning.fold_schemes import make_folds
from assay.learning.tuning.folds import FoldCache
from assay.learning.tuning.search import find_best_hyperparameters
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import Task

KEY = "preprocessing.categories"
BOOSTERS = ["hist_gradient_boosting", "lightgbm", "xgboost", "catboost"]
COLUMNS = TableSchema(
    version=1,
    columns=(
        ColumnSchema(name="town", dtype="string", role=ColumnRole.CATEGORICAL),
        ColumnSchema(name="area", dtype="float64", role=ColumnRole.NUMERIC),
    ),
)


@pytest.fixture
def rows():
    draw = np.random.default_rng(0)
    towns = np.array(["Aa", "Bb", "Cc", "Dd", None], dtype=object)[draw.integers(0, 5, 200)]
    frame = pd.DataFrame({"town": towns, "area": draw.normal(size=200)})
    chance = frame["town"].map({"Aa": 0.9, "Bb": 0.1, "Cc": 0.8}).fillna(0.2)
    return LabelledRows(frame, pd.Series(draw.random(200) < chance, name="y"))


def choices(make_spec, family="lightgbm", columns=COLUMNS, **parts):
    spec = make_spec(model={"candidates": [family], **parts.pop("model", {})}, **parts)
    ranged = Candidates.of(spec, columns).space[family].get(KEY)
    return ranged and ranged.choices


@pytest.mark.parametrize("family", BOOSTERS)
def test_boosters_are_searched_over_encodings_their_own_first(make_spec, family):
    assert choices(make_spec, family)[0] == ("native" if family == "catboost" else "ordinal")
    assert {"native", "ordinal"} < {*choices(make_spec, family)}


def test_an_encoding_is_searched_only_where_the_file_leaves_some_categories_open(make_spec):
    assert choices(make_spec, preprocessing={"categories": "target"}) is None
    taken = {"steps": [{"step": "ordinal_encoder", "columns": ["town"]}]}
    assert choices(make_spec, preprocessing=taken) is None
    assert choices(make_spec, columns=COLUMNS.project(("area",))) is None
    assert choices(make_spec, "random_forest") is None
    assert choices(make_spec, tuning={"default_space": False}) is None


@pytest.mark.parametrize("key", [KEY, f"lightgbm.{KEY}"])
def test_a_declared_choice_replaces_the_familys_own(make_spec, key):
    given = {"search_space": {key: {"type": "categorical", "choices": ["one_hot"]}}}
    assert choices(make_spec, tuning=given) == ("one_hot",)
    vote = make_spec(model={"vote": ["lightgbm", "ridge"]}, task="regression", tuning=given)
    space = Candidates.of(vote, COLUMNS).space["vote"]
    assert space[f"lightgbm.{KEY}"].choices == ("one_hot",)
    assert (f"ridge.{KEY}" in space) is (key == KEY)


def searched(make_spec, rows, journal=None, **parts):
    spec = make_spec(**parts)
    known = {"features": COLUMNS, "groups": None, "classes": (False, True)}
    return find_best_hyperparameters(rows, spec, journal=journal, **known), spec


def test_the_best_encoding_is_in_the_model(make_spec, rows):
    model = {"candidates": ["lightgbm"], "hyperparameters": {"n_estimators": 5}}
    space = {KEY: {"type": "categorical", "choices": ["ordinal", "native", "one_hot"]}}
    tuning = {"n_trials": 9, "folds": 2, "default_space": False, "search_space": space}
    best, spec = searched(make_spec, rows, model=model, tuning=tuning)
    assert best.trials[0].parameters[KEY] == "ordinal"
    assert {each.parameters[KEY]: each.state for each in best.trials}.keys() == {"ordinal", "native", "one_hot"}
    for encoding in ("ordinal", "native", "one_hot"):
        chosen = best.model_copy(update={"parameters": {**best.parameters, KEY: encoding}})
        matrix = fitted(rows, COLUMNS, chosen, spec, None).named_steps["preprocessing"].transform(rows.features)
        assert hasattr(matrix, "dtypes") is (encoding == "native")
        assert matrix.shape[1] == (7 if encoding == "one_hot" else 2), "four towns, missing and unseen ones"


@pytest.mark.full
def test_a_killed_search_over_encodings_ends_as_one_that_was_not(make_spec, rows):
    parts = {"model": {"candidates": ["lightgbm", "catboost"]}, "tuning": {"n_trials": 7, "folds": 2}}
    journal = KilledAfter(4)
    with pytest.raises(Killed):
        searched(make_spec, rows, journal, **parts)
    resumed, whole = (searched(make_spec, rows, each, **parts)[0] for each in (MemoryJournal(journal.kept), None))
    assert len({each.parameters[KEY] for each in whole.trials}) > 1
    without = {"exclude": {"trials": {"__all__": {"seconds"}}}}
    assert resumed.model_dump(**without) == whole.model_dump(**without)


@pytest.mark.parametrize("encoding", ["native", "ordinal"])
def test_processes_share_the_same_rows_as_one_alone(make_spec, rows, tmp_path, encoding):
    spec, chosen = make_spec(tuning={"folds": 2}), family("lightgbm", Task.BINARY)
    folds = make_folds(rows.target, spec, None)
    caches = [FoldCache(rows, COLUMNS, folds, spec, shared) for shared in (None, tmp_path, tmp_path)]
    alone, first, other = (cache.fold(0, chosen, {KEY: encoding}) for cache in caches)
    for shared in (first, other):
        pd.testing.assert_frame_equal(pd.DataFrame(shared.train), pd.DataFrame(alone.train))
        pd.testing.assert_frame_equal(pd.DataFrame(shared.validation), pd.DataFrame(alone.validation))
    assert len([*tmp_path.glob("*/train.npy")]) == 1


def test_folds_are_kept_apart_by_the_encoding_of_each_family(make_spec, rows):
    spec = make_spec(tuning={"folds": 2})
    cache = FoldCache(rows, COLUMNS, make_folds(rows.target, spec, None), spec)
    natives = [
        hasattr(cache.fold(0, family(name, Task.BINARY), {}).train, "dtypes")
        for name in ("catboost", "hist_gradient_boosting")
    ]
    assert natives == [True, False]


def test_missing_codes_are_a_category_of_their_own():
    frame = native_frame(np.array([[0.5, 0.0], [1.5, np.nan], [np.nan, 2.0]]), {1: 4})
    assert frame["1"].cat.codes.tolist() == [0, 3, 2]
    matrix, natives = matrix_of(frame)
    assert natives == {1: 4}
    np.testing.assert_array_equal(matrix, [[0.5, 0.0], [1.5, 3.0], [np.nan, 2.0]])


@pytest.mark.parametrize(
    ("parts", "location", "text"),
    [
        ({"preprocessing": {"categories": "native"}}, ("preprocessing", "categories"), "ridge cannot take"),
        (
            {"tuning": {"search_space": {KEY: {"type": "categorical", "choices": ["native"]}}}},
            ("tuning", "search_space", KEY),
            "ridge cannot take",
        ),
        (
            {"tuning": {"search_space": {f"lightgbm.{KEY}": {"type": "categorical", "choices": ["nativ"]}}}},
            ("tuning", "search_space", f"lightgbm.{KEY}"),
            "'nativ' is no encoding",
        ),
        (
            {"tuning": {"search_space": {KEY: {"type": "int", "low": 1, "high": 2}}}},
            ("tuning", "search_space", KEY),
            "choices",
        ),
        (
            {"model": {"candidates": ["ridge", "lightgbm"], "hyperparameters": {"ridge": {KEY: "native"}}}},
            ("model", "hyperparameters", "ridge", KEY),
            "expected native categories of ",
        ),
    ],
)
def test_an_encoding_that_a_family_cannot_have_is_refused_at_its_place(make_spec, parts, location, text):
    ((found, error),) = category_errors(
        make_spec(task="regression", **{"model": {"candidates": ["ridge", "lightgbm"]}, **parts})
    )
    assert found == location
    assert text in str(error).replace(": ", " ")


def test_an_encoding_of_one_family_is_no_matter_of_others(make_spec):
    model = {"candidates": ["ridge", "stack"], "stack": ["lightgbm", "ridge"]}
    given = {f"lightgbm.{KEY}": {"type": "categorical", "choices": ["native"]}}
    assert not [*category_errors(make_spec(task="regression", model=model, tuning={"search_space": given}))]
    assert {name for name, card in FAMILIES.items() if card.native is not None} == {*BOOSTERS}
