"""Spellings of run parameters in payloads that were written for other systems.

A payload of an Airflow job names some parameters, rules and scenarios in other words, and the object store beside the
address. Each spelling is one entry here; the rest of the code sees Assay's own.
"""

from collections.abc import Mapping
from typing import Any

_RULES = {
    "min_row_count": "min_rows",
    "max_row_count": "max_rows",
    "required_columns": "columns_present",
    "non_null_columns": "not_null",
    "unique_columns": "unique",
    "value_ranges": "ranges",
    "allowed_values": "allowed",
}
_OBJECT = {"bucket", "object_key"}
HOW_FILES_ARE_READ = ("format", "member", "sheet", "orient", "dialect", "columns", "limits", "max_rows")
"""Fields of `dataset` that `ingestion_config` may set: none of them changes which data are read."""


def own_spelling(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return run parameters in Assay's words.

    Raises:
        ValueError: a rule is given in both spellings, or the object of the store is not one address.
    """
    own = dict(values)
    if isinstance(rules := own.get("data_validation"), dict):
        own["data_validation"] = _rules(rules)
    if isinstance(scenario := own.get("training_scenario"), str):
        own["training_scenario"] = scenario.removesuffix("_train")
    if isinstance(reading := own.get("ingestion_config"), dict):
        own |= _reading(reading, own.get("data_source"))
    return own


def _rules(rules: Mapping[str, Any]) -> dict[str, Any]:
    twice = [name for name, own in _RULES.items() if name in rules and own in rules]
    if twice:
        msg = f"data_validation has both {twice[0]} and {_RULES[twice[0]]}, which are the same"
        raise ValueError(msg)
    own = {_RULES.get(name, name): value for name, value in rules.items()}
    if isinstance(columns := rules.get("unique_columns"), list):
        # each column by itself, where `unique` has keys of several
        own["unique"] = [[column] if isinstance(column, str) else column for column in columns]
    return own


def _reading(reading: Mapping[str, Any], source: Any) -> dict[str, Any]:
    """Return `ingestion_config` without the object's address, which becomes `data_source`."""
    rest = {name: value for name, value in reading.items() if name != "object_storage"}
    foreign = [name for name in rest if name not in HOW_FILES_ARE_READ]
    if foreign:
        known = ", ".join((*HOW_FILES_ARE_READ, "object_storage"))
        msg = f"ingestion_config says how files are read, by {known}; '{foreign[0]}' is not one of them"
        raise ValueError(msg)
    if "object_storage" not in reading:
        return {"ingestion_config": rest}
    return {"ingestion_config": rest, "data_source": _address(reading["object_storage"], source)}


def _address(stored: Any, source: Any) -> str:
    if (
        not isinstance(stored, dict)
        or set(stored) != _OBJECT
        or not all(isinstance(each, str) for each in stored.values())
    ):
        msg = "object_storage has bucket and object_key; the store's endpoint and credentials are the deployment's"
        raise ValueError(msg)
    address = f"s3://{stored['bucket']}/{stored['object_key']}"
    if source not in (None, address):
        msg = f"data_source and object_storage name two objects: {source} and {address}"
        raise ValueError(msg)
    return address
