"""The executors that start a container for each step, and the warning of others where a pipeline asks for some.

`dagster-k8s` and `dagster-docker` are optional packages and imported when a deployment's executor is made of them.
"""

from collections.abc import Mapping

import dagster as dg

from assay.errors import SettingError
from ml_assets.dagster_executors import StepTags, executor_announced, executor_chosen
from ml_assets.step_containers import asks_for_containers

_NO_CONTAINERS = (
    "`execution.isolation: container` has no effect: the deployment's executor is %s. "
    "ASSAY_EXECUTOR=kubernetes or docker gives each step a container of its own."
)


def containing_executor(
    name: str, config: Mapping[str, object], processes: Mapping[str, object]
) -> dg.ExecutorDefinition:
    """Return the executor `kubernetes` or `docker`: runs that ask for containers have one for each step.

    Runs that do not have processes in the run's own container.

    Args:
        name: which of the two.
        config: configuration of the containers' executor.
        processes: configuration of Dagster's multiprocess executor, for the other runs.

    Raises:
        SettingError: its package is not installed.
    """
    contained = (_kubernetes if name == "kubernetes" else _docker)()
    return executor_chosen(contained, dg.multiprocess_executor, asks_for_containers).configured(
        {"contained": dict(config), "process": dict(processes)}, name=name
    )


def warning_executor(definition: dg.ExecutorDefinition, name: str) -> dg.ExecutorDefinition:
    """Return an executor that gives steps no containers, with a warning in the log of runs that ask for some."""

    def warn(steps: StepTags, log: dg.DagsterLogManager) -> None:
        if asks_for_containers(steps):
            log.warning(_NO_CONTAINERS, name)

    return executor_announced(definition, warn)


def _kubernetes() -> dg.ExecutorDefinition:
    try:
        from dagster_k8s import k8s_job_executor
    except ImportError:
        raise _without_package("kubernetes") from None
    return k8s_job_executor


def _docker() -> dg.ExecutorDefinition:
    try:
        from ml_assets.docker_steps import docker_step_executor
    except ImportError:
        raise _without_package("docker") from None
    return docker_step_executor


def _without_package(name: str) -> SettingError:
    package = {"kubernetes": "dagster-k8s", "docker": "dagster-docker"}[name]
    return SettingError(
        "the executor needs a package that is not installed",
        where="ASSAY_EXECUTOR",
        found=name,
        expected=f"the package {package}",
        remedy=f"install assay[{name}], or build the image with it: make image EXTRAS='... {name}'",
    )
