"""Settings turned into the resources that assets ask for by name, and the executor of their steps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from assay.credentials import without_credentials
from ml_assets.container_executors import containing_executor, warning_executor
from ml_assets.dagster_internals import without_run_config
from ml_assets.pipeline.run_parameters import RunParameters
from ml_assets.run_summary import summarised_executor
from ml_assets.supervision.processes import supervised_executor
from ml_assets.supervision.step import SupervisedArtifacts
from resources.arrivals_store import ArrivalsStore
from resources.artifacts.model_export import ModelExporter
from resources.data_sources import DataSources
from resources.mlflow.asset_runs import MlflowAssetRuns
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.tracker import MlflowTracker
from resources.object_store import BoundedS3Resource
from resources.pool_devices import device_locks, devices_of_pools
from resources.quarantine import Quarantine
from resources.report_site import ReportSite
from resources.run_policy import RunPolicy
from resources.schema_registry import SchemaRegistry
from resources.settings import Settings, tracking_variable
from resources.store.expiry import RetentionPolicy
from resources.stores import object_store_of, s3_of


def resources_for(settings: Settings) -> dict[str, Any]:
    """Return the resources of the code location; nothing is connected before it is used."""
    s3 = s3_of(settings)
    object_store = object_store_of(settings, s3)
    tracking_uri = _tracking_uri(settings)
    tracker = MlflowTracker(
        tracking_uri=tracking_uri,
        artifact_root=settings.artifact_root,
        experiment_prefix=settings.experiment_prefix,
        tags=settings.checkout.tags,
        ui_url=settings.ui_address,
        mlflow_url=settings.mlflow_address,
        branch=settings.space.branch,
    )
    return {
        "s3": s3,
        "object_store": object_store,
        "artifact_io_manager": SupervisedArtifacts(
            object_store=object_store,
            ends_processes=settings.supervises_processes,
            pool_devices=devices_of_pools(settings),
            device_locks=str(device_locks(settings)),
        ),
        "arrivals_store": ArrivalsStore(object_store=object_store),
        "data_sources": _data_sources(settings, s3),
        "schema_registry": SchemaRegistry(object_store=object_store, schemas_dir=settings.reviewed_schemas),
        "quarantine": Quarantine(
            object_store=object_store,
            days=settings.quarantine_days,
            megabytes=settings.quarantine_megabytes,
        ),
        "experiment_tracker": tracker,
        "mlflow": MlflowAssetRuns(tracker=tracker),
        "model_registry": MlflowModelRegistry(tracking_uri=tracking_uri, object_store=object_store),
        "model_exporter": ModelExporter(object_store=object_store, overwrite=settings.target_overwrite == "on"),
        "run_parameters": RunParameters(),
        # plain values, so that no run config can change them
        "retention": RetentionPolicy(settings.retention_days, settings.retention_versions),
        "run_policy": run_policy_of(settings),
        "checkout": settings.checkout,
        "report_site": _report_site(settings),
    }


def as_runs_see(resources: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return resources that take run config as the deployment allows: only the run parameters, or all of them.

    The Launchpad fills its editor with the values of all fields that run config has, and launches with them.
    """
    return {name: each if settings.run_code == "on" else _fixed(each) for name, each in resources.items()}


def _fixed(resource: Any) -> Any:
    is_configurable = isinstance(resource, dg.ConfigurableResource | dg.ConfigurableIOManager)
    return without_run_config(resource) if is_configurable and not isinstance(resource, RunParameters) else resource


def _report_site(settings: Settings) -> ReportSite:
    return ReportSite(settings.reports_address, dagster=settings.ui_address, mlflow=settings.mlflow_address)


def _data_sources(settings: Settings, s3: BoundedS3Resource) -> DataSources:
    return DataSources(
        s3=s3,
        https_allowed_hosts=list(settings.web_hosts),
        https_allow_private=settings.https_allow_private,
        https_loopback_ports=list(settings.loopback_ports),
        query_seconds=settings.query_seconds,
        query_memory_mb=settings.query_memory_mb,
        cache_dir=str(settings.source_cache),
        cache_megabytes=settings.cache_megabytes or 0.0,
    )


def _tracking_uri(settings: Settings) -> str:
    """Return the tracking URI; its variable where it holds credentials, since Dagster shows what resources hold."""
    shown = without_credentials(settings.tracking_uri)
    return settings.tracking_uri if shown == settings.tracking_uri else dg.EnvVar(tracking_variable(settings))


def run_policy_of(settings: Settings) -> RunPolicy:
    """Return what the parameters of a run may name."""
    return RunPolicy(
        roots=settings.roots_of_runs,
        reserved=settings.reserved_places,
        web_hosts=settings.web_hosts,
        code=settings.run_code == "on",
        production=settings.run_production == "on",
        schemas=Path(settings.reviewed_schemas),
    )


# the libraries whose import dominates the start of a step
_PRELOADED = ["pandas", "pyarrow.parquet", "sklearn.pipeline", "sklearn.ensemble", "optuna", "mlflow", "ml_assets"]


def executor_for(settings: Settings) -> dg.ExecutorDefinition:
    """Return the executor that the settings name.

    `in_process` costs least and suits the command line and the demo; `forkserver` isolates a step's crash from the run
    at the price of one warm process for each step; `multiprocess` starts each process cold. `kubernetes` and `docker`
    give the steps of runs that ask for it containers of their own, and are `forkserver` for others.

    Raises:
        SettingError: the package of `kubernetes` or `docker` is not installed.
    """
    name = settings.executor
    if name == "in_process":
        return _of_this_deployment(warning_executor(dg.in_process_executor, name), settings)
    config: dict[str, object] = {"max_concurrent": settings.max_concurrent}
    processes = config | (
        {} if name == "multiprocess" else {"start_method": {"forkserver": {"preload_modules": _PRELOADED}}}
    )
    if name in {"kubernetes", "docker"}:
        return _of_this_deployment(containing_executor(name, config, processes), settings)
    executor = _of_this_deployment(warning_executor(dg.multiprocess_executor, name), settings)
    return executor.configured(processes, name=name)


def _of_this_deployment(stock: dg.ExecutorDefinition, settings: Settings) -> dg.ExecutorDefinition:
    return summarised_executor(supervised_executor(stock) if settings.supervises_processes else stock, settings)
