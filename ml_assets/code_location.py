"""The code location: every pipeline file of a deployment as Dagster definitions, with what they share."""

import atexit
import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from assay.errors import SerialisedError
from assay.importing import confine_imports, make_importable
from assay.learning.known_names import name_check
from assay.specs import PipelineSpec, read_pipelines
from assay.specs.loading import NameCheck
from ml_assets.factory import broken_pipeline_asset, usable_definitions
from ml_assets.maintenance import janitor_schedule, maintenance_jobs
from ml_assets.notifications.sensor import notification_sensor
from ml_assets.observing import observed_executor, reads_of
from ml_assets.pipeline.automation import automation_sensor
from ml_assets.pipeline.new_data import arrivals_redrive_job
from ml_assets.pipeline.upstream import keys_of_assets, missing_assets
from ml_assets.resource_wiring import as_runs_see, executor_for, resources_for
from ml_assets.supervision.run_liveness import stalled_run_sensor
from resources.data_sources import mask_variables
from resources.notifications.notifier import notifier_of
from resources.settings import Settings, let_idle_threads_sleep

_LOG = logging.getLogger("assay.definitions")


def build_definitions(
    settings: Settings, resources: Mapping[str, Any] | None = None, own: dg.Definitions | None = None
) -> dg.Definitions:
    """Return fresh definitions of every pipeline; one that cannot be used is an asset that shows its error.

    Args:
        settings: the deployment's settings.
        resources: resources to use in place of those that the settings give, by name.
        own: definitions of your own, whose assets pipelines can name as `asset://<key>`.

    Raises:
        SpecError: there is no folder of pipeline files.
        SettingError: a setting of the notifications is not acceptable, or a tool's package is not installed.
    """
    names = names_of(settings)
    assets = keys_of_assets(own)
    files = read_pipelines(settings.pipelines_dir, names, settings.environment, assets).in_space(settings.space)
    mask_variables(files.specs)
    usable, refused = usable_definitions(files.pipelines, every_job=settings.jobs == "all")
    specs = [spec for spec in files.specs if spec.name in usable]
    broken = {each.name: each for each in (*files.broken, *refused)}
    for each in broken.values():
        _LOG.error("the pipeline file %s cannot be used; the others can: %s", each.path, each.error)
    broken_assets = dg.Definitions(assets=[*map(broken_pipeline_asset, broken.values()), *missing_assets(own, broken)])
    shared = shared_definitions(settings, specs, tuple(usable.values()), resources)
    return dg.Definitions.merge(broken_assets, shared, *usable.values(), *([own] if own is not None else []))


def names_of(settings: Settings) -> NameCheck:
    """Let a deployment's own modules be imported, and return what checks the names in its pipeline files.

    From then on errors of this process link to the deployment's documentation.
    """
    SerialisedError.site = settings.docs_url
    make_importable(settings.extensions_dir)
    confine_imports(settings.imports)
    return name_check(Path(settings.reviewed_schemas))


def shared_definitions(
    settings: Settings,
    specs: Sequence[PipelineSpec],
    pipelines: Sequence[dg.Definitions],
    resources: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Return what the pipelines of a code location share: resources, executor, maintenance jobs, sensors of the whole.

    Args:
        settings: the deployment's settings.
        specs: the pipelines.
        pipelines: their definitions.
        resources: resources to use in place of those that the settings give, by name.

    Raises:
        SettingError: a setting of the notifications is not acceptable, or a tool's package is not installed.
    """
    conditioned = (asset for each in pipelines for asset in each.assets or ())
    has_conditions = any(
        isinstance(each, dg.AssetsDefinition) and each.automation_conditions_by_key for each in conditioned
    )
    return dg.Definitions(
        resources=as_runs_see(resources_for(settings) | dict(resources or {}), settings),
        executor=observed_executor(executor_for(settings), settings, cache(lambda: reads_of(pipelines))),
        jobs=[*maintenance_jobs(specs), arrivals_redrive_job],
        schedules=[janitor_schedule(running=settings.bounds_storage)],
        sensors=[
            notification_sensor(notifier_of(settings)),
            *([stalled_run_sensor] if settings.supervises_processes else []),
            *([automation_sensor()] if has_conditions else []),
        ],
    )


@cache  # a command of Dagster asks six times, and building 1,000 pipelines takes seconds
def deployment_definitions() -> dg.Definitions:
    """Return the definitions of this process's deployment."""
    let_idle_threads_sleep()
    with _built_for_good():
        return build_definitions(Settings())


@contextmanager
def _built_for_good() -> Iterator[None]:
    """Collect no garbage while definitions are built, and none of them before the process ends.

    Each collection would visit every asset built so far, a fifth of the time for 1,000 pipelines.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)  # DuckDB reports what is left of it at the end as leaks
