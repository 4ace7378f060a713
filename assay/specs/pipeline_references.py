"""What pipelines read of each other, and what is wrong with it."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from assay.errors import SpecError, did_you_mean
from assay.specs.base import Location
from assay.specs.dataset import PartitionsSpec
from assay.specs.pipeline import PipelineSpec
from assay.specs.references import Reference, reference_of

AssetName: TypeAlias = tuple[str, ...]
"""The components of an asset's key."""
_RAW = ("raw_dataset",)
_SCORED: Location = ("scoring", "source")
_LABELS: Location = ("serving", "labels", "source")
_AFTER_LEARNING = (_SCORED, _LABELS)
"""Rows to predict, and labels of served rows: nothing that a pipeline learns from depends on them."""


def references(spec: PipelineSpec) -> Iterator[tuple[Location, Reference]]:
    """Yield the assets that a pipeline reads beside its own, with their locations in its file."""
    sources: list[tuple[Location, str]] = [(("dataset", "source"), spec.dataset.source)]
    features = spec.features
    for number, table in enumerate(features.tables if features is not None else ()):
        sources.append((("features", "tables", number, "source"), table.source))
    for number, step in enumerate(features.steps if features is not None else ()):
        if step.join is not None:
            sources.append((("features", "steps", number, "join", "source"), step.join.source))
    if spec.scoring is not None and spec.scoring.source is not None:
        sources.append((_SCORED, spec.scoring.source))
    if spec.serving is not None and spec.serving.labels is not None:
        sources.append((_LABELS, spec.serving.labels.source))
    for location, source in sources:
        reference = reference_of(source)
        if reference is not None:
            yield location, reference


def reference_errors(
    specs: Mapping[str, PipelineSpec], unusable: Mapping[str, str], assets: Collection[AssetName] | None = None
) -> Iterator[tuple[PipelineSpec, Location, SpecError]]:
    """Yield what is wrong with the pipelines' references to each other, the first of each pipeline.

    Args:
        specs: the usable pipelines, by name.
        unusable: the file of each pipeline that cannot be used, by name.
        assets: the keys of all assets beside the pipelines' own; not checked where they are not known.
    """
    for spec in specs.values():
        for location, reference in references(spec):
            error = _error(spec, location, reference, specs, unusable) or _unknown_asset(reference, specs, assets)
            if error is not None:
                yield spec, location, error
                break


def _error(
    spec: PipelineSpec,
    location: Location,
    reference: Reference,
    specs: Mapping[str, PipelineSpec],
    unusable: Mapping[str, str],
) -> SpecError | None:
    name = reference.key[0]
    if name in unusable:
        return SpecError(
            f"the pipeline '{name}' cannot be used, so this one cannot either",
            found=unusable[name],
            remedy="correct that file",
        )
    if reference.is_feature_set and name not in specs:
        return SpecError(
            f"there is no pipeline '{name}'{did_you_mean(name, specs)}",
            expected=f"one of {', '.join(sorted(specs))}",
            remedy="correct the name; a source of another kind is no features://",
        )
    if name not in specs:
        return None
    if not reference.is_feature_set and reference.key[1:] not in _tables_of(specs[name]):
        asset, known = "/".join(reference.key[1:]), ["/".join(key) for key in _tables_of(specs[name])]
        return SpecError(
            f"the pipeline '{name}' has no table '{asset}'{did_you_mean(asset, known)}",
            expected=f"one of {', '.join(known)}",
            remedy="correct the key",
        )
    if location in _AFTER_LEARNING:
        return _no_feature_set(specs[name]) if reference.is_feature_set else None
    return _circle_error(spec, name, specs) or (
        _feature_set_error(spec, specs[name], may_be_whole=location[0] != "dataset")
        if reference.is_feature_set
        else None
    )


def _circle_error(spec: PipelineSpec, name: str, specs: Mapping[str, PipelineSpec]) -> SpecError | None:
    circle = _circle(spec.name, name, specs)
    if not circle:
        return None
    return SpecError(
        "pipelines that read each other can never be made",
        found=" reads ".join(circle),
        remedy="let one of them read a source of its own",
    )


def _unknown_asset(
    reference: Reference, specs: Mapping[str, PipelineSpec], assets: Collection[AssetName] | None
) -> SpecError | None:
    if assets is None or reference.key in assets or reference.key[0] in specs:
        return None
    name, known = "/".join(reference.key), sorted(map("/".join, assets))
    return SpecError(
        f"there is no asset '{name}' in the code location{did_you_mean(name, known)}",
        expected=f"one of {', '.join(known)}" if known else "an asset of your own",
        remedy="correct the key, or hand the asset's definitions to build_definitions(own=...)",
    )


def _tables_of(spec: PipelineSpec) -> list[tuple[str, ...]]:
    """Return the assets of a pipeline whose values are rows, by their names."""
    further = {"feature_set": spec.features, "batch_predictions": spec.scoring}
    return [_RAW, ("validated_dataset",), *((name,) for name, part in further.items() if part is not None)]


def _no_feature_set(other: PipelineSpec) -> SpecError | None:
    if other.features is not None:
        return None
    return SpecError(
        f"the pipeline '{other.name}' has no feature set, as its file has no features",
        remedy=f"add features to it, or read its validated rows: asset://{other.name}/validated_dataset",
    )


def _feature_set_error(spec: PipelineSpec, other: PipelineSpec, *, may_be_whole: bool) -> SpecError | None:
    if (error := _no_feature_set(other)) is not None:
        return error
    own, its = spec.dataset.partitions, other.dataset.partitions
    if its.by == "none" and (own.by == "none" or may_be_whole):
        return None
    if "object" in {own.by, its.by}:
        return SpecError(
            "partitions by object belong to the objects of one source, so that a feature set cannot have them",
            found=f"partitions by {own.by} here and by {its.by} in '{other.name}'",
            remedy="use time partitions, or none, in both",
        )
    if own.model_copy(update={"column": None}) != its.model_copy(update={"column": None}):
        return SpecError(
            f"the partitions differ from those of '{other.name}', so that keys do not go together",
            found=_described(own),
            expected=_described(its),
            remedy="write the same by, start, end and timezone in both",
        )
    return None


def _described(partitions: PartitionsSpec) -> str:
    dumped = partitions.model_dump(exclude={"column"}, exclude_none=True)
    return ", ".join(f"{name}: {value}" for name, value in dumped.items())


def _circle(start: str, first: str, specs: Mapping[str, PipelineSpec]) -> list[str]:
    """Return the pipelines from `start` by `first` back to it; empty where no way leads back."""
    waiting, seen = [[start, first]], {first}
    while waiting:
        path = waiting.pop()
        if path[-1] == start:
            return path
        for name in _read_pipelines(specs.get(path[-1])):
            if name not in seen:
                seen.add(name)
                waiting.append([*path, name])
    return []


def _read_pipelines(spec: PipelineSpec | None) -> Iterator[str]:
    """Yield the pipelines that a pipeline reads; raw rows depend on nothing that a join could close a circle with."""
    for location, reference in references(spec) if spec is not None else ():
        if location in _AFTER_LEARNING:
            continue
        if reference.is_feature_set or reference.key[1:] != _RAW:
            yield reference.key[0]
