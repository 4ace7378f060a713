"""`assay serve`: the shell's command, found by its entry point."""

from typing import Any

from resources.settings import Settings
from serving.processes import log_to_standard_error, serve

_FLAGS = {"host": "serve_host", "port": "serve_port", "processes": "serve_processes", "version": "serve_version"}


def run(flags: Any) -> tuple[bool, str]:
    """Serve until the process is asked to end; the flags win over the settings.

    Returns:
        Whether all is well, and nothing for standard output.

    Raises:
        SpecError: there is no such pipeline.
        SettingError: the address cannot be used, or needs keys.
    """
    log_to_standard_error()
    given = {setting: getattr(flags, flag) for flag, setting in _FLAGS.items() if getattr(flags, flag) is not None}
    serve(Settings(**given), flags.name)
    return True, ""
