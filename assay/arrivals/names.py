"""Names of arrivals: the partition that an object makes, and the key under which its run is requested once."""

import re
from dataclasses import dataclass, replace

from assay.errors import SourceError, SpecError
from assay.specs.dataset import DatasetSpec

PLACEHOLDER = "{partition}"
_NO_KEY = ("...", *map(chr, range(32)), "\x7f")
"""What Dagster's partition keys may not hold, and what no page can show."""
_GLOB = re.compile(r"(\*\*/|\*+|\?|\[!?\]?[^\]]*\])")
_GLOB_PARTS = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "**": "[^/]*", "?": "[^/]"}


def partition_key_of(uri: str, spec: DatasetSpec, name: str | None = None) -> str:
    """Return the partition that an object makes.

    Partitions by object are named by the object's name below the source's folder (`name`; the last part of `uri` unless
    given), partitions by time by what stands for the source's `{partition}`.

    Raises:
        SourceError: the name does not match the source's pattern, or cannot be a key.
    """
    if spec.partitions.by == "object":
        return _usable_key(uri.rsplit("/", 1)[-1] if name is None else name, uri)
    start = spec.source.rfind("/", 0, max(spec.source.find(PLACEHOLDER), 0)) + 1
    pattern = spec.source[start:]  # the part before it may be a variable, or another spelling of the same folder
    name = "/".join(uri.split("/")[-1 - pattern.count("/") :])
    before, _, after = pattern.partition(PLACEHOLDER)
    match = re.fullmatch(f"{_glob(before)}(?P<key>[^/]+?){_glob(after)}", name)
    if match is None:
        raise SourceError(
            "an object's name does not give its partition",
            where=uri,
            expected=f"a name like '{pattern}'",
            remedy="rename the object, or correct dataset.source",
        )
    return match["key"]


def listing_pattern(spec: DatasetSpec) -> str:
    """Return the source as a glob that lists the objects of all partitions.

    Raises:
        SpecError: new data cannot be detected.
    """
    if spec.partitions.is_time and PLACEHOLDER not in spec.source:
        raise SpecError(
            "objects of this source do not show which partition is new",
            where="automation, new_data",
            found=f"source {spec.source} with partitions by {spec.partitions.by} of a column",
            expected=f"a source with {PLACEHOLDER} in its file name",
            remedy="use one object for each partition, or a schedule",
        )
    if spec.query is not None and spec.watermark is None:
        raise SpecError(
            "new rows of a query cannot be detected without a watermark",
            where="automation, new_data",
            found="dataset.query without dataset.watermark",
            expected="a statement of one value that changes with the rows",
            remedy="add dataset.watermark, e.g. select max(updated_at) from t; or use a schedule",
        )
    return spec.source.replace(PLACEHOLDER, "*")


def _usable_key(key: str, uri: str) -> str:
    found = next((part for part in _NO_KEY if part in key), None)
    if found is not None:
        what, expected = "an object's name cannot be a partition", "a name without three dots and control characters"
        raise SourceError(what, where=uri, found=repr(found), expected=expected, remedy="rename the object")
    return key


def _glob(text: str) -> str:
    """Return a glob as a regular expression; `*` and `?` stay inside one folder, `**/` spans any number of them."""
    return "".join(_GLOB_PARTS.get(part) or _characters(part) for part in _GLOB.split(text))


def _characters(part: str) -> str:
    if not _GLOB.fullmatch(part):
        return re.escape(part)
    found = part[1:-1].replace("\\", "\\\\").replace("^", "\\^").replace("[", "\\[")
    return f"[^/{found[1:]}]" if found.startswith("!") else f"[{found}]"


_RUN_KEY = re.compile(r"(?P<arrival>.*?)(?:#redrive-(?P<redrive>\d+))?(?:#retry-(?P<retry>\d+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RunKey:
    """The key of one run of one arrival.

    Attributes:
        arrival: the objects and their versions; `<uri>@<version>` for a single object.
        redrive: number of redrives.
        retry: number of retries since then.
    """

    arrival: str
    redrive: int = 0
    retry: int = 0

    def __str__(self) -> str:
        redrive = f"#redrive-{self.redrive}" if self.redrive else ""
        return self.arrival + redrive + (f"#retry-{self.retry}" if self.retry else "")

    @property
    def retried(self) -> "RunKey":
        """The next retry."""
        return replace(self, retry=self.retry + 1)

    @property
    def redriven(self) -> "RunKey":
        """The first run of the next redrive."""
        return replace(self, redrive=self.redrive + 1, retry=0)


def parse_run_key(text: str) -> RunKey:
    """Parse a run key."""
    match = _RUN_KEY.fullmatch(text)
    assert match is not None, text  # noqa: S101 - every text matches
    return RunKey(match["arrival"], int(match["redrive"] or 0), int(match["retry"] or 0))
