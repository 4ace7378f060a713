"""Pydantic's complaints about a spec as typed errors with a line and a hint."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from assay.errors import AssayError, SpecError, did_you_mean
from assay.specs.base import Location, Spec
from assay.specs.layers import LayeredDocument
from assay.specs.pipeline import PipelineSpec


def as_spec_error(error: ValidationError, document: LayeredDocument, root: type[Spec] = PipelineSpec) -> SpecError:
    """Report every complaint about a file, in the order of the lines."""
    by_location: dict[Location, list[ErrorDetails]] = {}
    for problem in error.errors(include_url=False):
        location = _written_location(problem, document)
        by_location.setdefault(location, []).append({**problem, "loc": location})
    # the other types that a value could have had are no help where a part of it is wrong
    inner = [one for one in by_location if not any(one == other[: len(one)] != other for other in by_location)]
    locations = sorted(inner, key=document.order_of)
    complaints = [_combined(by_location[location], document, root) for location in locations]
    return complaints[0] if len(complaints) == 1 else listed_errors(complaints, document)


def listed_errors(errors: Sequence[AssayError], document: LayeredDocument) -> SpecError:
    """Return several errors of a file as one, each with its line, and what was found and expected there."""
    listed = (
        f"{problem.where}: {problem.what}"
        + "".join(
            f"; {part} {text}" for part, text in (("found", problem.found), ("expected", problem.expected)) if text
        )
        for problem in errors
    )
    return SpecError(
        f"{len(errors)} parts are not acceptable",
        where=document.where,
        found="\n".join(["", *listed]),
        remedy="correct each of them; editors complete the file with docs/pipeline.schema.json",
    )


def _combined(problems: Sequence[ErrorDetails], document: LayeredDocument, root: type[Spec]) -> SpecError:
    """Combine the complaints of one location: one for each type that the value could have had."""
    what, found, _, remedy = explain(problems[0], root)
    expected = " or ".join(dict.fromkeys(explain(problem, root)[2] for problem in problems))
    where = document.where_of(problems[0]["loc"])
    return SpecError(what, where=where, found=found, expected=expected, remedy=remedy)


def _written_location(problem: ErrorDetails, document: LayeredDocument) -> Location:
    """Return the parts of a complaint's location that the file has; pydantic adds the types it tried."""
    node: Any = document.values
    written = []
    for part in problem["loc"]:
        with suppress(KeyError, IndexError, TypeError):
            node = node[part]
            written.append(part)
    return (*written, problem["loc"][-1]) if problem["type"] == "missing" else tuple(written)


def explain(problem: ErrorDetails, root: type[Spec] = PipelineSpec) -> tuple[str, str, str, str]:
    """Turn one of pydantic's complaints about a spec into what, found, expected and remedy."""
    name = _named(problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = fields_at(problem["loc"][:-1], root)
        return (
            f"unknown key '{name}'{did_you_mean(name, known)}",
            "",
            f"one of {', '.join(sorted(known))}",
            "correct or remove it",
        )
    if problem["type"] == "missing":
        return f"'{name}' is missing", "", "", f"add '{name}'"
    below = fields_at(problem["loc"], root)
    if problem["input"] is None and below:
        return f"'{name}' is empty", "", f"one of {', '.join(sorted(below))}", "add its fields below it, or remove it"
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if isinstance(problem["input"], dict) else repr(problem["input"])
    return f"'{name}' is not acceptable" if name else "the parts do not agree", found, message, ""


def _named(location: Sequence[str | int]) -> str:
    """Return the last part of a location; an item of a list is named after the list."""
    return str(next((part for part in reversed(location) if isinstance(part, str)), ""))


def fields_at(location: Sequence[str | int], root: type[Spec] = PipelineSpec) -> list[str]:
    """Return the field names of the spec at a location below a root."""
    kind: Any = root
    for part in location:
        field = kind.model_fields.get(str(part)) if isinstance(kind, type) and issubclass(kind, Spec) else None
        kind = _spec_inside(field.annotation) if field else kind
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Spec) else []


def _spec_inside(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return annotation
    inner = [_spec_inside(argument) for argument in getattr(annotation, "__args__", ())]
    return next((kind for kind in inner if kind is not None), None)
