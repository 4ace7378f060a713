"""Steps in containers of their own: what their operations are tagged with, and what Docker makes of these tags."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from assay.specs.operations import StepContainer
from ml_assets.dagster_executors import StepTags

CONTAINER_TAG = "assay/container"
KUBERNETES_TAG = "dagster-k8s/config"
_POOL_LABEL = "assay/pool"
_GPU = "nvidia.com/gpu"
Config: TypeAlias = dict[str, Any]


def container_tags(container: StepContainer | None, pool: str | None) -> dict[str, str]:
    """Return the tags by which an asset's operation asks for a container of its own; none where it does not.

    Args:
        container: what the pipeline says of it.
        pool: the step's pool, a label of its pod.
    """
    if container is None:
        return {}
    return {
        CONTAINER_TAG: container.model_dump_json(exclude_defaults=True),
        KUBERNETES_TAG: json.dumps(_pod_config(container, pool), sort_keys=True),
    }


def container_of(tags: Mapping[str, str]) -> StepContainer | None:
    """Return the container that an operation's tags ask for; None for none."""
    stored = tags.get(CONTAINER_TAG)
    return None if stored is None else StepContainer.model_validate_json(stored)


def asks_for_containers(steps: StepTags) -> bool:
    """Return whether a run has steps that ask for containers; all of its steps run in containers then."""
    return any(CONTAINER_TAG in tags for tags in steps)


def docker_config(container: StepContainer) -> Config:
    """Return the settings of a step's container, as arguments of docker-py's `containers.create`."""
    config: Config = {}
    if container.cpu is not None:
        config["nano_cpus"] = round(container.cpu * 1e9)
    if container.limit_mb is not None:
        config["mem_limit"] = container.limit_mb * 2**20
    if container.gpu:
        config["device_requests"] = [{"count": container.gpu, "capabilities": [["gpu"]]}]
    return config


def _pod_config(container: StepContainer, pool: str | None) -> Config:
    """Return the pod of a step as `dagster-k8s` reads it of tags.

    Memory is requested as the step may take it and limited a quarter above; cores are requested and limited alike.
    """
    requests: Config = {}
    limits: Config = {}
    if container.cpu is not None:
        requests["cpu"] = limits["cpu"] = f"{round(container.cpu * 1000)}m"
    if container.memory_mb is not None:
        requests["memory"], limits["memory"] = f"{container.memory_mb}Mi", f"{container.limit_mb}Mi"
    if container.gpu:
        limits[_GPU] = str(container.gpu)
    resources = {kind: given for kind, given in (("requests", requests), ("limits", limits)) if given}
    parts = {"resources": resources, "image": container.image}
    config: Config = {"container_config": {name: part for name, part in parts.items() if part}}
    if pool is not None:
        config["pod_template_spec_metadata"] = {"labels": {_POOL_LABEL: pool}}
    return config
