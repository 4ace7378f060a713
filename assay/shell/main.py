"""The entry point: one command, its exit code, and where it prints.

Standard output holds one line, the address of the result; everything else goes to standard error.

Remedies in the words of the shell, where there is no pipeline file to mend.
"""

import argparse
import contextlib
import importlib
import logging
import re
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

from assay.errors import AssayError
from assay.shell.parsing import parse, targets

_IN_FLAGS = (
    (r" \(or the run parameter \w+\)", ""),
    (r"dataset\.dialect\.(\w+)", r'--dialect {"\1": ...}'),
    (r"dataset\.format", "--data-format"),
    (r"dataset\.(dialect|member|sheet)", r"--\1"),
    (r"dataset\.source", "the address"),
)


def in_flags(error: AssayError, flags: argparse.Namespace) -> AssayError:
    """Return an error whose remedy names the command's flags, unless the settings come from a pipeline file.

    Args:
        error: as raised; given back.
        flags: the command's.
    """
    if vars(flags).get("pipeline") is None:
        for setting, flag in _IN_FLAGS:
            error.remedy = re.sub(setting, flag, error.remedy)
        if "limits" in vars(flags):
            error.remedy = error.remedy.replace("dataset.limits", "--limits")
    return error


_LOG = logging.getLogger("assay.shell")


class Exit(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    GATE_REFUSED = 1
    """The data did not pass the data-quality gate."""
    REFUSED = 2
    """Bad usage or bad input, or a store or tracker that does not answer; also argparse's own code."""
    DEFECT = 3
    """A failure that no typed error describes: a defect of the program."""
    INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; those of the process unless given.

    Returns:
        The exit code.

    Raises:
        SystemExit: help, version, or flags that cannot be used.
    """
    flags = parse(arguments)
    _log_to_standard_error()
    # last, so that modules of the user's own are found as from `python -m`, and shadow nothing that is installed
    sys.path.append(str(Path.cwd()))
    try:
        from assay.shell.storage import AnyStorage

        storage = AnyStorage()
        for target in targets(flags):
            storage.require_target(target)
        # what libraries and the user's own modules print is no result
        with contextlib.redirect_stdout(sys.stderr):
            passed, address = importlib.import_module(f"assay.shell.{flags.command}").run(flags, storage)
        if address:
            sys.stdout.write(f"{address}\n")
    except AssayError as error:
        sys.stderr.write(f"{in_flags(error, flags)}\n")
        return Exit.REFUSED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception:  # noqa: BLE001 - told with its traceback, and by a code that no refusal has
        sys.stderr.write(f"this is a defect of assay {flags.command}, please report it:\n{traceback.format_exc()}")
        return Exit.DEFECT
    return Exit.DONE if passed else Exit.GATE_REFUSED


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _LOG.handlers = [handler]
    _LOG.setLevel(logging.INFO)
    _LOG.propagate = False
