"""An asset's code version: one digest for each part that its value depends on, so that a change can be named."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from assay import __version__
from assay.importing import users_source
from assay.specs import PipelineSpec
from assay.specs.base import digest_of

PACKAGE, LOCK, OWN_CODE = "package", "lock", "own_code"
ROWS_DROPPED, REQUIRED_COLUMNS = "validation.drop_null_rows", "required_columns"
_LOCK_FILE = Path(__file__).resolve().parent.parent.parent / "uv.lock"
_DIGITS = 12


class _PartDigests:
    """The digests of the newest spec's parts, as every asset of a pipeline asks for them in a row."""

    def __init__(self) -> None:
        self._spec: PipelineSpec | None = None
        self._digests: dict[str, str] = {}

    def of(self, spec: PipelineSpec, part: str) -> str:
        if spec is not self._spec:
            self._spec, self._digests = spec, {}
        if part not in self._digests:
            self._digests[part] = digest_of(_value_of(spec, part))[:_DIGITS]
        return self._digests[part]


_DIGESTS = _PartDigests()


def code_version(spec: PipelineSpec, parts: Sequence[str]) -> str:
    """Return `<part>=<digest>` of the package version, the lock file, the user's own code and parts of the spec.

    Args:
        spec: the pipeline.
        parts: fields of the spec, `REQUIRED_COLUMNS` or `ROWS_DROPPED`.
    """
    fixed = {PACKAGE: __version__, LOCK: _lock_digest()}
    digests = fixed | {part: _DIGESTS.of(spec, part) for part in sorted({*parts} - {OWN_CODE})}
    if own := _own_code(spec, parts):
        digests[OWN_CODE] = own
    return " ".join(f"{name}={digest}" for name, digest in digests.items())


def changed_parts(before: str | None, now: str) -> tuple[str, ...]:
    """Return the names of the parts in which two code versions differ; `code` where one does not name its parts."""
    old, new = _parsed(before or ""), _parsed(now)
    if not old:
        return () if before == now else ("code",)
    return tuple(name for name in dict.fromkeys((*new, *old)) if old.get(name) != new.get(name))


def _parsed(version: str) -> dict[str, str]:
    return {name: digest for name, sign, digest in (each.partition("=") for each in version.split(" ")) if sign}


def _value_of(spec: PipelineSpec, part: str) -> Any:
    if part == REQUIRED_COLUMNS:
        return sorted({name for _, name in spec.named_columns})
    if part == ROWS_DROPPED:
        return spec.validation.drop_null_rows
    left_out = {"validation": {"drop_null_rows"}} if part == "validation" else None
    return spec.model_dump(mode="json", include={part}, exclude=left_out)


def _own_code(spec: PipelineSpec, parts: Sequence[str]) -> str:
    """Return the digest of the source files that the parts name by import path; empty where they name none."""
    fields = {part for part in parts if part in type(spec).model_fields}
    paths = sorted({text for text in _texts(spec.model_dump(mode="json", include=fields)) if ":" in text})
    sources = {path: source for path in paths if (source := users_source(path)) is not None}
    return digest_of(sources)[:_DIGITS] if sources else ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


@cache
def _lock_digest() -> str:
    return digest_of(_LOCK_FILE.read_text(encoding="utf-8"))[:_DIGITS] if _LOCK_FILE.exists() else "none"
