"""`assay show`: the shell's command, found by its entry point."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from assay.errors import SpecError, did_you_mean
from assay.specs import read_pipelines
from resources.settings import Settings
from serving.processes import listening, log_to_standard_error, server_config

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_LOG = logging.getLogger("assay.serving")
_FLAGS = {"host": "reports_host", "port": "reports_port"}
_LOOPBACK = ("localhost", "127.0.0.1")


def run(flags: Any) -> tuple[bool, str]:
    """Show stored pages until the process is asked to end; the flags win over the settings.

    Returns:
        Whether all is well, and nothing for standard output.

    Raises:
        SpecError: there is no such pipeline.
        SettingError: the address cannot be used.
    """
    from uvicorn import Server

    log_to_standard_error()
    given = {setting: getattr(flags, flag) for flag, setting in _FLAGS.items() if getattr(flags, flag) is not None}
    settings = Settings(**given)
    names = pipeline_names(settings, flags.name)
    config = server_config(partial(application_of, settings, names), settings.reports_host, settings.reports_port)
    bound = listening(config, "ASSAY_REPORTS_HOST, ASSAY_REPORTS_PORT")
    host, port = bound.getsockname()[:2]
    _LOG.info("reports: http://%s:%s/%s", host, port, quote(flags.name or "", safe=""))
    Server(config).run(sockets=[bound])
    return True, ""


def pipeline_names(settings: Settings, name: str | None) -> list[str]:
    """Return the pipelines of the files, those that cannot be used included, or the one that is named.

    Raises:
        SpecError: there is no such pipeline, or no folder of files.
    """
    found = read_pipelines(settings.pipelines_dir, None, settings.environment)
    names = sorted({each.name for each in found.specs} | {each.name for each in found.broken})
    if name is None:
        return names
    if name not in names:
        raise SpecError(
            f"there is no pipeline '{name}'{did_you_mean(name, names)}",
            where=f"the pipeline files of {settings.pipelines_dir}",
            expected=f"one of {', '.join(names) or 'none'}",
        )
    return [name]


def application_of(settings: Settings, names: list[str]) -> "ASGIApp":
    """Return the application over the deployment's store; nothing is connected before it is used."""
    from resources.stores import object_store_of, s3_of
    from serving.show.application import application

    store = object_store_of(settings, s3_of(settings))
    return application(store.of_space, names, settings.space.name, hosts_of(settings))


def hosts_of(settings: Settings) -> list[str]:
    """Return the names by which the site may be asked for: any, where other machines reach it.

    A page of another site could let its own name stand for this machine, and read what only this machine may.
    """
    if settings.reports_host not in _LOOPBACK:
        return ["*"]
    return [*_LOOPBACK, *filter(None, [urlsplit(settings.reports_url).hostname])]
