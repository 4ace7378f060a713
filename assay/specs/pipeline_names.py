"""Pipelines by the names under which people ask for them."""

from collections.abc import Iterable, Mapping

from assay.errors import SpecError, did_you_mean
from assay.specs.loading import PipelineFiles
from assay.specs.pipeline import PipelineSpec


def by_name(specs: Iterable[PipelineSpec]) -> dict[str, PipelineSpec]:
    """Return pipelines by their names and those of their registered models; a pipeline's own name wins."""
    known = list(specs)
    return {spec.registered_name: spec for spec in known} | {spec.name: spec for spec in known}


def named_pipeline(name: str, specs: Mapping[str, PipelineSpec], *, where: str) -> PipelineSpec:
    """Return the pipeline of a name, or of a registered model.

    Raises:
        SpecError: no pipeline has that name.
    """
    if name not in specs:
        raise SpecError(
            "no pipeline or registered model has this name",
            where=where,
            found=repr(name) + did_you_mean(name, specs),
            expected=", ".join(sorted(specs)),
        )
    return specs[name]


def usable_pipeline(name: str, files: PipelineFiles, *, where: str) -> PipelineSpec:
    """Return the pipeline of a name as `named_pipeline` does, or say why its file cannot be used.

    Raises:
        SpecError: not found, or its file cannot be used.
    """
    usable = by_name(files.specs)
    for each in files.broken:
        # a file of several pipelines names them after itself
        if each.name == name or (name not in usable and name.startswith(f"{each.name}_")):
            raise each.error
    return named_pipeline(name, usable, where=where)
