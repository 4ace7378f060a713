"""Errors as Dagster keeps them, read as serialised errors."""

from collections.abc import Iterator, Sequence

import dagster as dg

from assay.errors import SerialisedError
from ml_assets.dagster_internals import StoredError


def error_chain(info: StoredError | None) -> list[SerialisedError]:
    """Return an error and its causes, the outermost first."""
    return [_serialised(link) for link in _links(info)]


def root_error(chain: Sequence[SerialisedError]) -> SerialisedError | None:
    """Return the innermost typed error of a chain; the innermost error where none is typed; None for no error."""
    typed = [error for error in chain if error.is_typed]
    return next(reversed(typed or chain), None)


def error_text(info: StoredError) -> str:
    """Return the text of the outermost typed error of a chain; the text of the innermost error where none is typed."""
    links = list(_links(info))
    return next((link.message for link in links if _serialised(link).is_typed), links[-1].message)


def is_interrupt(info: StoredError) -> bool:
    """Return whether a person, or the machine, interrupted what failed."""
    return any(link.cls_name == dg.DagsterExecutionInterruptedError.__name__ for link in _links(info))


def _links(info: StoredError | None) -> Iterator[StoredError]:
    while info is not None:
        yield info
        info = info.cause or info.context


def _serialised(info: StoredError) -> SerialisedError:
    return SerialisedError.from_text(info.message) or SerialisedError(code=info.cls_name or "error")
