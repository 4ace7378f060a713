"""Sources that are assets: another pipeline's feature set, and any asset of Dagster by its key."""

import re
from dataclasses import dataclass

FEATURES, ASSET = "features", "asset"
"""The schemes of their addresses."""
FEATURE_SET = "feature_set"
_PIPELINE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PLACEHOLDERS = re.compile(r"[${}@]")


@dataclass(frozen=True, slots=True)
class Reference:
    """An asset that a source names.

    Attributes:
        key: the asset's key.
        is_feature_set: whether it is a pipeline's feature set, whose rows are taken over exactly.
    """

    key: tuple[str, ...]
    is_feature_set: bool


def reference_of(source: str) -> Reference | None:
    """Return the asset that an address names; None for any other address."""
    scheme, separator, rest = source.partition("://")
    if not separator or scheme not in {FEATURES, ASSET}:
        return None
    is_feature_set = scheme == FEATURES
    return Reference((rest, FEATURE_SET) if is_feature_set else tuple(rest.split("/")), is_feature_set)


def reference_problem(source: str) -> str:
    """Return why an address cannot name an asset; empty where it can, and for other addresses."""
    reference = reference_of(source)
    if reference is None:
        return ""
    if reference.is_feature_set and not _PIPELINE.fullmatch(reference.key[0]):
        return f"{FEATURES}://<pipeline> names a pipeline, not {source!r}"
    if not all(reference.key) or _PLACEHOLDERS.search(source):
        return (
            f"{ASSET}://<key> names an asset by its key, as asset://dbt/orders, not {source!r}: its partition is yours"
        )
    return ""


def address_of(source: str, partition: str | None) -> str:
    """Return the address of a source's partition: `<address>@<key>` of an asset, else with `{partition}` filled in."""
    if partition is None:
        return source
    return source.replace("{partition}", partition) if reference_of(source) is None else f"{source}@{partition}"
