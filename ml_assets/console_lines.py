"""How the lines of a run's log look on the terminal of a person's command.

Dagster's own line begins with a hundred characters of time, job, run and step, and has every frame of a failure. What
it stores of a run has them all.
"""

import logging

import dagster as dg
from coloredlogs import BasicFormatter

from ml_assets.command_terminal import terminal_of_command
from ml_assets.dagster_internals import StoredError, error_of, handlers_of
from ml_assets.step_errors import error_chain, is_interrupt, root_error


class ShortLines(logging.Formatter):
    """The message alone, with its level from warnings on; of a failure without a typed error, all that is known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of one record."""
        details = getattr(record, "dagster_meta", {})
        message = details.get("orig_message") or record.getMessage()
        event = details.get("dagster_event")
        failure = error_of(event) if event else None
        if failure is not None and not _is_typed(failure) and not is_interrupt(failure):
            return record.getMessage()
        level = f"{record.levelname}: " if record.levelno >= logging.WARNING else ""
        return f"    {level}{message}"


def write_console_by(log: dg.DagsterLogManager, formatter: logging.Formatter) -> None:
    """Let a formatter write what a run logs to the console; loggers that a run's configuration names are left alone.

    Relies on the formatter that Dagster's console has by default.
    """
    for handler in handlers_of(log):
        if isinstance(handler.formatter, BasicFormatter):
            handler.setFormatter(formatter)


def shorten_console(log: dg.DagsterLogManager) -> None:
    """Write what a run logs in short lines, where a person's command shows it on a terminal."""
    if terminal_of_command() is not None:
        write_console_by(log, ShortLines())


def _is_typed(failure: StoredError) -> bool:
    """Return whether the end of the command's output has the error in full."""
    root = root_error(error_chain(failure))
    return root is not None and root.is_typed
