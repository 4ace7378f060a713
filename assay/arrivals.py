"""What a source's listing means to a pipeline: which objects are new, and which partitions they make.

Belongs here: object names to partition keys and back, the cursor of what was seen.
Does not belong here: listing (`resources.sources`), starting runs (`ml_assets.sensors`).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from assay.errors import SourceError, SpecError
from assay.specs.base import digest_of
from assay.specs.dataset import DatasetSpec

PLACEHOLDER = "{partition}"


class ListedObject(Protocol):
    """One object of a listing."""

    @property
    def uri(self) -> str:
        """Its full name."""

    @property
    def version(self) -> str:
        """Changes whenever its content does."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Objects that one run should read.

    Attributes:
        run_key: names these objects in these versions, so that a run is requested once.
        partition_key: the partition they make; None without partitions.
        versions: version by URI.
    """

    run_key: str
    partition_key: str | None
    versions: Mapping[str, str]

    @property
    def uris(self) -> tuple[str, ...]:
        """The objects' names, in order."""
        return tuple(self.versions)


def arrivals_since(
    seen: Mapping[str, str], objects: Iterable[ListedObject], spec: DatasetSpec, *, at_most: int
) -> list[Arrival]:
    """Return what is new or rewritten, oldest name first.

    Without partitions all new objects together make one arrival, since a run reads the whole source anyway.

    Args:
        seen: version by URI, as of the cursor.
        objects: the source's listing.
        spec: the dataset.
        at_most: most arrivals to return; the rest stays unseen until the next look.

    Raises:
        SourceError: an object's name does not give a partition.
    """
    new = {item.uri: item.version for item in objects if seen.get(item.uri) != item.version}
    if not new:
        return []
    if spec.partitions.by == "none":
        return [Arrival(run_key=digest_of(new), partition_key=None, versions=new)]
    return [
        Arrival(run_key=f"{uri}@{version}", partition_key=partition_key_of(uri, spec), versions={uri: version})
        for uri, version in sorted(new.items())[:at_most]
    ]


def parse_cursor(cursor: str | None) -> dict[str, str]:
    """Return the versions seen, by URI, from a sensor's cursor."""
    seen: dict[str, str] = json.loads(cursor) if cursor else {}
    return seen


def cursor_after(seen: Mapping[str, str], arrivals: Sequence[Arrival]) -> str:
    """Return the cursor that also covers these arrivals."""
    merged = dict(seen)
    for arrival in arrivals:
        merged |= arrival.versions
    return json.dumps(merged, sort_keys=True)


def partition_key_of(uri: str, spec: DatasetSpec) -> str:
    """Return the partition that an object makes.

    Args:
        uri: the object's full name.
        spec: the dataset: by object the file's name is the key; by time the source's `{partition}` marks it.

    Raises:
        SourceError: the name does not match the source's pattern.
    """
    name = uri.rsplit("/", 1)[-1]
    if spec.partitions.by == "object":
        return name
    pattern = spec.source.rsplit("/", 1)[-1]
    before, _, after = pattern.partition(PLACEHOLDER)
    match = re.fullmatch(f"{_glob(before)}(?P<key>.+?){_glob(after)}", name)
    if match is None:
        raise SourceError(
            "an object's name does not give its partition",
            where=uri,
            expected=f"a name like '{pattern}'",
            remedy="rename the object, or mend dataset.source",
        )
    return match["key"]


def listing_pattern(spec: DatasetSpec) -> str:
    """Return the source as a glob that lists the objects of all partitions.

    Raises:
        SpecError: partitions follow a column, so that no object stands for a partition.
    """
    if spec.partitions.is_time and PLACEHOLDER not in spec.source:
        raise SpecError(
            "new data cannot be told by its objects",
            where="automation.retrain_on",
            found=f"source {spec.source} with partitions by {spec.partitions.by} of a column",
            expected=f"a source with {PLACEHOLDER} in its file name",
            remedy="use one object for each partition, or a schedule",
        )
    return spec.source.replace(PLACEHOLDER, "*")


def _glob(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split("*"))
