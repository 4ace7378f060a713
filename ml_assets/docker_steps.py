"""Docker containers of steps, each with the image and limits that its pipeline asks for.

`dagster-docker` gives all steps of a deployment the same container; its `dagster-k8s` counterpart reads tags by itself.
"""

from typing import Any

import dagster as dg
from dagster_docker import docker_executor
from dagster_docker.container_context import DockerContainerContext
from dagster_docker.docker_executor import DockerStepHandler

from assay.specs.operations import StepContainer
from ml_assets.dagster_executors import with_step_handler
from ml_assets.step_containers import container_of, docker_config


class ContainersOfSteps(DockerStepHandler):
    """Starts a step's container as the deployment's launcher does, with what the step's tags ask for."""

    def _get_image(self, step_handler_context: Any) -> str:
        return self._asked(step_handler_context).image or super()._get_image(step_handler_context)

    def _get_docker_container_context(self, step_handler_context: Any) -> DockerContainerContext:
        asked = docker_config(self._asked(step_handler_context))
        merged: DockerContainerContext = super()._get_docker_container_context(step_handler_context)
        return merged._replace(container_kwargs={**merged.container_kwargs, **asked})

    def _asked(self, step_handler_context: Any) -> StepContainer:
        tags = step_handler_context.step_tags[self._get_step_key(step_handler_context)]
        return container_of(tags) or StepContainer()


def _with_tags(handler: DockerStepHandler) -> ContainersOfSteps:
    return ContainersOfSteps(handler._image, handler._container_context)  # noqa: SLF001 - what the executor gave it


docker_step_executor: dg.ExecutorDefinition = with_step_handler(docker_executor, _with_tags)
"""`dagster-docker`'s executor over these containers."""
