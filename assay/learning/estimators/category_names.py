"""Encodings of categories that a pipeline cannot have, found when its file is read; nothing is imported."""

from collections.abc import Iterator
from typing import Any, get_args

from assay.errors import AssayError, SpecError
from assay.learning.estimators.family import FAMILIES
from assay.specs.base import Location
from assay.specs.learning import ENSEMBLES
from assay.specs.pipeline import PipelineSpec
from assay.specs.preprocessing import CATEGORIES, CategoryEncoding
from assay.specs.tuning import SearchParameter

_KNOWN: tuple[str, ...] = get_args(CategoryEncoding)


def category_errors(spec: PipelineSpec) -> Iterator[tuple[Location, AssayError]]:
    """Yield encodings that are none, and native ones of families that take numbers alone."""
    for location, key, values in _given(spec):
        unknown = [each for each in values if each not in _KNOWN]
        without = [
            each
            for each in _families(spec, key.removesuffix(CATEGORIES).rstrip("."))
            if "native" in values and not _has_native(each)
        ]
        if unknown:
            what = f"'{unknown[0]}' is no encoding of categories"
            remedy = "write {type: categorical, choices: [...]}, or correct the name"
            yield location, SpecError(what, expected=f"some of {', '.join(_KNOWN)}", remedy=remedy)
        elif without:
            has = ", ".join(name for name, card in FAMILIES.items() if card.native is not None)
            what = f"{', '.join(without)} cannot take categories natively"
            remedy = f"name another encoding, or the family that takes them: <family>.{CATEGORIES}"
            yield location, SpecError(what, expected=f"native categories of {has}", remedy=remedy)


def _given(spec: PipelineSpec) -> Iterator[tuple[Location, str, tuple[Any, ...]]]:
    """Yield the location, name and values of each encoding that the file names."""
    if spec.preparation.categories != "auto":
        yield ("preprocessing", "categories"), CATEGORIES, (spec.preparation.categories,)
    for key, ranged in spec.tuning.asked_space.items():
        if key == CATEGORIES or key.endswith(f".{CATEGORIES}"):
            yield ("tuning", "search_space", key), key, _choices(ranged)
    for family, values in spec.model.hyperparameters.items():
        nested = values if isinstance(values, dict) else {family: values}
        for key, value in nested.items():
            if key == CATEGORIES or key.endswith(f".{CATEGORIES}"):
                place: Location = (family, key) if isinstance(values, dict) else (key,)
                yield ("model", "hyperparameters", *place), f"{family}.{key}" if len(place) > 1 else key, (value,)


def _choices(ranged: SearchParameter) -> tuple[Any, ...]:
    return ranged.choices or (str(ranged),)


def _families(spec: PipelineSpec, named: str) -> list[str]:
    """Return the family that a name is of, `stack.<family>` among them; all where it is of none."""
    ensemble, _, member = named.partition(".")
    family = member if ensemble in ENSEMBLES else named
    if family:
        return [family]
    return list(
        dict.fromkeys(each for name in spec.model.candidates for each in spec.model.members_of(name) or (name,))
    )


def _has_native(family: str) -> bool:
    return family in FAMILIES and FAMILIES[family].native is not None
