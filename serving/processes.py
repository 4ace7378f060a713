"""The endpoint's processes: one socket, and a process of the same application for each core."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from assay.errors import SettingError
from assay.importing import confine_imports, make_importable
from assay.specs import PipelineSpec, read_pipelines
from assay.specs.pipeline_names import usable_pipeline
from resources.settings import Settings, let_idle_threads_sleep, share_metrics, use_one_thread
from resources.store.interface import encoded

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Config

    from resources.mlflow.registry import MlflowModelRegistry
    from serving.challenger_follower import Challengers
    from serving.log_writer import LogWriter
    from serving.logged_answers import LoggedRows
    from serving.metrics import Metrics
    from serving.versions import Champions

_LOG = logging.getLogger("assay.serving")
_GRACE_SECONDS = 30
_CONNECTIONS = 1_000
"""Of each process; further ones are refused at once."""


def pipeline_of(settings: Settings, name: str) -> PipelineSpec:
    """Return the pipeline whose champion is served, by its name or that of its registered model.

    Raises:
        SpecError: not found, or its file cannot be used.
    """
    make_importable(settings.extensions_dir)
    confine_imports(settings.imports)
    files = read_pipelines(settings.pipelines_dir, None, settings.environment).in_space(settings.space)
    return usable_pipeline(name, files, where=f"the pipeline files of {settings.pipelines_dir}")


def serve(settings: Settings, name: str) -> None:
    """Serve a pipeline's champion until the process is asked to end.

    Raises:
        SpecError: there is no such pipeline.
        SettingError: the address cannot be used, or needs keys.
    """
    from serving.keys import Keys

    spec = pipeline_of(settings, name)
    Keys.of(settings.keys_of_endpoint, settings.serve_host)
    use_one_thread()
    let_idle_threads_sleep()
    number = settings.serve_processes or len(os.sched_getaffinity(0))
    with _shared_metrics(number) as folder:
        factory = partial(application_of, settings, name, folder)
        config = server_config(factory, settings.serve_host, settings.serve_port, number)
        bound = listening(config, "ASSAY_SERVE_HOST, ASSAY_SERVE_PORT")
        host, port = bound.getsockname()[:2]
        _LOG.info("%s: http://%s:%s, processes: %s", spec.registered_name, host, port, number)
        _run(config, bound, number)


def _run(config: "Config", bound: socket, number: int) -> None:
    from uvicorn import Server
    from uvicorn.supervisors import Multiprocess

    if number == 1:
        Server(config).run(sockets=[bound])
    else:
        Multiprocess(config, sockets=[bound]).run()


def listening(config: "Config", variables: str) -> socket:
    """Return the socket of a server.

    Args:
        config: of the server.
        variables: that hold the address, for the error.

    Raises:
        SettingError: the address cannot be used.
    """
    try:
        return config.bind_socket()
    except SystemExit as error:  # uvicorn has logged why
        raise SettingError(
            "nothing can listen at this address",
            where=variables,
            found=f"{config.host}:{config.port}",
            remedy="end what listens there, or set another port",
        ) from error


def server_config(factory: "partial[ASGIApp]", host: str, port: int, number: int = 1) -> "Config":
    """Return the settings of a server with bounds on heads and connections.

    Args:
        factory: makes the application of one process.
        host: where it listens.
        port: 0 for any free one.
        number: of processes.
    """
    from uvicorn import Config

    from serving.protocol import BoundedHead

    return Config(
        factory,
        factory=True,
        host=host,
        port=port,
        workers=number,
        http=BoundedHead,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_worker_healthcheck=60,
    )


@contextmanager
def _shared_metrics(number: int) -> Iterator[Path | None]:
    if number == 1:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="assay-metrics-") as folder:
        share_metrics(Path(folder))
        yield Path(folder)


def application_of(settings: Settings, name: str, metrics_folder: Path | None) -> "ASGIApp":
    """Return the application of one process, as uvicorn calls it where the process has started."""
    log_to_standard_error()
    use_one_thread()
    let_idle_threads_sleep()
    from serving.admission import Limits
    from serving.application import application
    from serving.champion_follower import ChampionFollower
    from serving.keys import Keys
    from serving.metrics import Metrics, forget_dead_processes

    if metrics_folder is not None:
        forget_dead_processes(metrics_folder)
    spec, metrics = pipeline_of(settings, name), Metrics()
    follower = ChampionFollower(
        champions_of(settings, spec),
        poll_seconds=settings.serve_poll_seconds,
        without_golden=settings.serve_without_golden == "on",
        seen=metrics.followed,
        challengers=challengers_of(settings, spec),
        serving=spec.serving,
        pipeline=spec.name,
    )
    keys = Keys.of(settings.keys_of_endpoint, settings.serve_host)
    return application(
        follower, Limits.of(settings), keys, metrics, spec.registered_name, writer_of(settings, spec, metrics)
    )


def champions_of(settings: Settings, spec: PipelineSpec) -> "Champions":
    """Return the champions of a pipeline by the deployment's stores; nothing is connected before it is used."""
    from serving.versions import FixedVersion, RegisteredChampions

    if settings.serve_version is not None:
        return FixedVersion(_registry(settings), spec.registered_name, str(settings.serve_version))
    return RegisteredChampions(_registry(settings), spec.registered_name)


def challengers_of(settings: Settings, spec: PipelineSpec) -> "Challengers | None":
    """Return the versions that may challenge; None where the endpoint serves one fixed version."""
    from serving.challenger_follower import RegisteredChallengers

    if settings.serve_version is not None:
        return None
    return RegisteredChallengers(_registry(settings), spec.registered_name)


def writer_of(settings: Settings, spec: PipelineSpec, counted: "Metrics") -> "LogWriter[LoggedRows] | None":
    """Return the writer of a pipeline's prediction log; None where nothing is logged."""
    from resources.prediction_log import write_object
    from resources.stores import object_store_of, s3_of
    from serving.log_writer import LogWriter
    from serving.logged_answers import maker

    limits = spec.serving.log if spec.serving is not None else None
    if limits is None:
        return None
    store = object_store_of(settings, s3_of(settings)).open()
    spool = settings.serving_spool / encoded(spec.registered_name)
    make = maker(spec.name, values=limits.features == "values")
    return LogWriter(make, partial(write_object, store, spec.name), limits, spool, counted)


def _registry(settings: Settings) -> "MlflowModelRegistry":
    from resources.mlflow.registry import MlflowModelRegistry
    from resources.stores import object_store_of, s3_of

    store = object_store_of(settings, s3_of(settings))
    return MlflowModelRegistry(tracking_uri=settings.tracking_uri, object_store=store)


def log_to_standard_error() -> None:
    """Log the endpoint's own messages, and the server's warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s [%(process)d] %(message)s"))
    for name, level in (("assay.serving", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
