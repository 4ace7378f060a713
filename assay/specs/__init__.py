"""The users' YAML as frozen, validated types.

Belongs here: what a pipeline file may say, how it is read, overridden and published as a schema.
Does not belong here: anything that acts on data.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "BrokenPipeline": "loading",
    "PipelineSpec": "pipeline",
    "RunOverrides": "overrides",
    "Task": "pipeline",
    "apply_overrides": "overrides",
    "load_pipeline": "loading",
    "read_pipelines": "loading",
}


def __getattr__(name: str) -> Any:
    """Import the module of a name when it is asked for: the child processes need one spec, and each pays for its start.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _MODULES:
        msg = f"module '{__name__}' has no attribute '{name}'"
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
