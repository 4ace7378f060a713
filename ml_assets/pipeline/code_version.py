"""An asset's code version: one digest for each part that its value depends on, so that a change can be named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from assay import __version__
from assay.features.reach import reach_of
from assay.importing import users_source
from assay.specs import PipelineSpec
from assay.specs.base import digest_of
from resources.project_root import project_root

PACKAGE, LOCK, OWN_CODE = "package", "lock", "own_code"
RULES, ROWS_DROPPED, SENTINEL = "validation", "validation.drop_null_rows", "validation.sentinel"
RAW_RULES = "validation.raw"
"""The rules of the source's rows; a pipeline without them has no such part."""
FEATURES, FITTED = "features", "features.fitted"
"""The steps that make the feature set, and those that are fitted on the training rows; without them no such part."""
"""All that decides whether rows pass the gate; of it, which rows there are, and what is doubtful."""
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a spec: its digest, and the user's own source files that it names, by import path."""

    digest: str
    sources: Mapping[str, str]


class _Parts:
    """The parts of the newest spec, as every asset of a pipeline asks for them in a row."""

    def __init__(self) -> None:
        self._spec: PipelineSpec | None = None
        self._parts: dict[str, _Part] = {}

    def of(self, spec: PipelineSpec, name: str) -> _Part:
        if spec is not self._spec:
            self._spec, self._parts = spec, {}
        if name not in self._parts:
            self._parts[name] = _part(spec, name)
        return self._parts[name]


_PARTS = _Parts()


def code_version(spec: PipelineSpec, names: Sequence[str]) -> str:
    """Return `<part>=<digest>` of the package version, the lock file, the user's own code and parts of the spec.

    Args:
        spec: the pipeline.
        names: fields of the spec, `RULES`, `ROWS_DROPPED` or `SENTINEL`; `FEATURES`, `FITTED` and `RAW_RULES` count
            where there are some.
    """
    optional = {FEATURES: spec.features, FITTED: spec.fitted_steps, RAW_RULES: spec.validation.raw}
    absent = {OWN_CODE, *(name for name, part in optional.items() if not part)}
    parts = {name: _PARTS.of(spec, name) for name in sorted({*names} - absent)}
    digests = {PACKAGE: __version__, LOCK: _lock_digest()} | {name: part.digest for name, part in parts.items()}
    if sources := {path: text for part in parts.values() for path, text in part.sources.items()}:
        digests[OWN_CODE] = digest_of(sources)[:_DIGITS]
    return " ".join(f"{name}={digest}" for name, digest in digests.items())


def changed_parts(before: str | None, now: str) -> tuple[str, ...]:
    """Return the names of the parts in which two code versions differ; `code` where one does not name its parts."""
    old, new = _parsed(before or ""), _parsed(now)
    if not old:
        return () if before == now else ("code",)
    return tuple(name for name in dict.fromkeys((*new, *old)) if old.get(name) != new.get(name))


def _parsed(version: str) -> dict[str, str]:
    return {name: digest for name, sign, digest in (each.partition("=") for each in version.split(" ")) if sign}


def _part(spec: PipelineSpec, name: str) -> _Part:
    if name == ROWS_DROPPED:
        return _Part(digest_of(spec.validation.drop_null_rows)[:_DIGITS], {})
    if name == SENTINEL:
        return _Part(digest_of(spec.validation.sentinel)[:_DIGITS], {})
    if name == FITTED:
        return _Part(digest_of(spec.fitted_steps)[:_DIGITS], {})
    value = spec.model_dump(mode="json", include={"validation": {"raw"}} if name == RAW_RULES else {name})
    if name == FEATURES and spec.features is not None:
        fitted, steps = spec.features.fitted, value[FEATURES]["steps"]
        value[FEATURES]["steps"] = [step for number, step in enumerate(steps) if number not in fitted]
        reach = reach_of(spec.features, spec.dataset.partitions).microseconds
        value |= {"reach": reach} if reach else {}  # before, no window saw earlier partitions
    named = {text: users_source(text) for text in texts_of(value) if ":" in text}
    digest = spec.rules_digest if name == RULES else digest_of(value)
    return _Part(digest[:_DIGITS], {path: source for path, source in named.items() if source is not None})


def texts_of(value: Any) -> Iterator[str]:
    """Yield all texts of nested values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each)


@cache
def _lock_digest() -> str:
    lock = project_root() / "uv.lock"
    return digest_of(lock.read_text(encoding="utf-8"))[:_DIGITS] if lock.exists() else "none"
