import json

import pytest

from assay.data.feature_selection import select_features
from assay.data.schema import ColumnSchema, TableSchema
from assay.errors import DataContractError, MissingColumnError
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec


def spec(**parts):
    dataset = {"source": "x", "target": "y", **parts.pop("dataset", {})}
    text = json.dumps({"name": "p", "task": "binary_classification", "dataset": dataset, **parts})
    return PipelineSpec.model_validate_json(text)


def schema(**roles):
    columns = tuple(ColumnSchema(name=name, dtype="any", role=ColumnRole(role)) for name, role in roles.items())
    return TableSchema(version=1, columns=columns)


def test_every_column_but_the_target_is_a_feature_or_has_a_reason():
    features, unused = select_features(schema(a="numeric", k="identifier", z="ignored", y="boolean", t="text"), spec())
    assert features.names == ("a", "t")
    assert unused["k"].startswith("identifier")
    assert unused["z"] == "ignored"
    assert "y" not in unused


def test_the_column_that_the_target_is_computed_from_is_never_a_feature():
    derive = {"y": {"column": "delay", "greater_than": 15}}
    columns = {"delay": {"role": "numeric"}}
    features, unused = select_features(
        schema(delay="numeric", a="numeric", y="boolean"), spec(dataset={"derive": derive, "columns": columns})
    )
    assert features.names == ("a",)
    assert "target is computed from it" in unused["delay"]


def test_what_is_computed_from_the_targets_source_or_from_the_target_leaks_too():
    derive = {
        "y": {"column": "hours", "greater_than": 1},
        "hours": {"column": "delay", "greater_than": 60},
        "very_late": {"column": "delay", "greater_than": 90},
        "not_y": {"column": "y", "one_of": [False]},
        "twice": {"column": "very_late", "one_of": [True]},
        "far": {"column": "distance", "greater_than": 500},
    }
    columns = schema(distance="numeric", delay="numeric", **dict.fromkeys(derive, "boolean"))
    features, unused = select_features(columns, spec(dataset={"derive": derive}))
    assert features.names == ("distance", "far")
    assert set(unused) == {"delay", "hours", "very_late", "not_y", "twice"}


def test_what_is_computed_from_a_target_of_the_source_itself_leaks():
    derive = {"high": {"column": "y", "greater_than": 3}}
    features, unused = select_features(
        schema(a="numeric", y="numeric", high="boolean"), spec(dataset={"derive": derive})
    )
    assert features.names == ("a",)
    assert unused["high"] == "computed from 'y', which reveals the target"


def test_the_group_column_is_a_feature_only_if_its_role_is_declared():
    columns = schema(a="numeric", shop="categorical", y="boolean")
    split = {"by": "group", "group": "shop"}
    features, unused = select_features(columns, spec(split=split))
    assert features.names == ("a",)
    assert unused["shop"].startswith("group of the split")
    declared = spec(split=split, dataset={"columns": {"shop": {"role": "categorical"}}})
    assert select_features(columns, declared)[0].names == ("a", "shop")


def test_a_missing_target_is_reported_with_the_nearest_name():
    with pytest.raises(MissingColumnError, match="did you mean 'late'"):
        select_features(schema(a="numeric", late="boolean"), spec(dataset={"target": "latee"}))


def test_a_table_without_features_is_refused():
    with pytest.raises(DataContractError, match="no column is left"):
        select_features(schema(k="identifier", y="boolean"), spec())
