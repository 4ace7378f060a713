"""The users' YAML as frozen, validated types.

Belongs here: what a pipeline file may say, how it is read, overridden and published as a schema.
Does not belong here: anything that acts on data.
"""

from assay.specs.loading import BrokenPipeline, load_pipeline, read_pipelines
from assay.specs.overrides import RunOverrides, apply_overrides
from assay.specs.pipeline import PipelineSpec, Task

__all__ = [
    "BrokenPipeline",
    "PipelineSpec",
    "RunOverrides",
    "Task",
    "apply_overrides",
    "load_pipeline",
    "read_pipelines",
]
