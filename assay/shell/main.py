"""The entry point: one command, its exit code, and where it prints.

Standard output holds one line, the address of the result; everything else goes to standard error. Nothing heavy is
imported before a command runs. Completion of commands and flags is click's: `_ASSAY_COMPLETE=bash_source assay`.
"""

import contextlib
import importlib
import importlib.metadata
import logging
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.errors import AssayError, Remedy, SerialisedError, did_you_mean
from assay.importing import ImportPolicy, confined_imports

if TYPE_CHECKING:
    from assay.shell.flags import Flags

_LOG = logging.getLogger("assay.shell")
_READING = "assay.reading"
DOCUMENTATION = "assay.documentation"
"""Group of entry points that return the address of the deployment's documentation."""
SUMMARIES = {
    "init": "Write a new project that runs as it is, in an empty folder.",
    "add": "Write the first file of a pipeline, drafted from the rows of its data.",
    "check": "Check pipeline files, or all of a folder (pipelines), and name every bad one.",
    "explain": "Explain the code of an error: how one comes to it, and what to do.",
    "validate": "Check data against the data-quality gate and write the report.",
    "ingest": "Read a file strictly and write its rows as Parquet.",
    "tune": "Find the best hyperparameters of gated data.",
    "train": "Train and evaluate a model on gated data and write its bundle.",
    "predict": "Predict the rows of a file by a stored model.",
    "plan": "Show what a retraining of a deployed pipeline would make, and why; --run makes it.",
    "reproduce": "Rebuild a registered version from what is recorded, and show whether it predicts the same bits.",
    "serve": "Answer predictions of a pipeline's champion over HTTP.",
    "show": "Show the reports of models and of the gate on a read-only page.",
    "deploy": "Print the manifest by which Kubernetes serves a pipeline's model.",
    "changed": "Name the pipelines whose file or own modules differ from another commit's.",
    "results": "Show what was made of a pipeline in this deployment, or branch, as Markdown.",
    "forget": "Remove a person's rows from all that is stored, and name the models that learned from them.",
    "champion": "Show which version is or was champion of a pipeline, and how it became so.",
    "rollback": "Make an earlier version the champion of a pipeline.",
    "approve": "Make a version that waits for approval the champion.",
    "reject": "Keep the champion, and propose the model of a version that waits no more.",
}
_WORK = {
    "init": ("init", "run"),
    "add": ("add", "run"),
    "check": ("pipeline_flags", "check"),
    "explain": ("explain", "run"),
    "validate": ("validate", "run"),
    "ingest": ("ingest", "run"),
    "tune": ("learning", "tune"),
    "train": ("learning", "train"),
    "predict": ("predict", "run"),
    "plan": ("deployment", "run"),
    "reproduce": ("deployment", "run"),
    "serve": ("deployment", "run"),
    "show": ("deployment", "run"),
    "deploy": ("deployment", "run"),
    "changed": ("deployment", "run"),
    "results": ("deployment", "run"),
    "forget": ("deployment", "run"),
    "champion": ("champions", "show"),
    "rollback": ("champions", "rollback"),
    "approve": ("champions", "approve"),
    "reject": ("champions", "reject"),
}
"""Module and function of each command: from flags and storage to whether the data passed the gate, and the address of
the result. They raise `AssayError` where a flag, the data or a target cannot be used."""


class Exit(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    GATE_REFUSED = 1
    """The data did not pass the data-quality gate."""
    REFUSED = 2
    """Bad usage or bad input, or a store or tracker that does not answer."""
    DEFECT = 3
    """A failure that no typed error describes: a defect of the program."""
    INTERRUPTED = 130


class Commands(click.Group):
    """The commands; the module of their flags is imported when one is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names."""
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Return a command with its flags."""
        if cmd_name not in SUMMARIES:
            return None
        from assay.shell.flags import COMMANDS

        return COMMANDS[cmd_name](SUMMARIES[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        if args[0] not in SUMMARIES and not args[0].startswith("-"):
            known = ", ".join(SUMMARIES)
            ctx.fail(f"there is no command '{args[0]}'{did_you_mean(args[0], SUMMARIES)} (known: {known})")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List names and summaries without building the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete the commands' names, or the group's own flags."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        names = (item for item in SUMMARIES.items() if item[0].startswith(incomplete))
        return [CompletionItem(name, help=summary) for name, summary in names]


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's
    if wanted and not ctx.resilient_parsing:
        click.echo(f"assay {importlib.metadata.version('assay')}")
        ctx.exit()


_GROUP = Commands(
    "assay",
    help="Validate, ingest, tune, train and predict from the shell: the platform's gate and models without Dagster; "
    "and the champions of a deployment.",
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, help="Version.", callback=_print_version
        )
    ],
)


def parse(arguments: Sequence[str] | None) -> "Flags | int":
    """Return a command's flags; the exit code instead, after help or version were printed.

    Raises:
        click.ClickException: the flags cannot be used.
    """
    given = None if arguments is None else list(arguments)
    parsed: Flags | int = _GROUP.main(given, prog_name="assay", standalone_mode=False)
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by the process's arguments unless some are given; return its exit code."""
    try:
        flags = parse(arguments)
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return Exit.REFUSED
    except click.Abort as error:  # click's name for an interrupt
        raise KeyboardInterrupt from error
    return flags if isinstance(flags, int) else _run(flags)


def _run(flags: "Flags") -> int:
    _log_to_standard_error()
    # last, so that modules of the user's own are found as from `python -m`, and shadow nothing that is installed
    sys.path.append(str(Path.cwd()))
    try:
        from assay.scratch import remove_abandoned
        from assay.shell.read_bar import reads_on
        from assay.shell.storage import AnyStorage

        remove_abandoned()
        storage = AnyStorage()
        for target in flags.targets:
            storage.require_target(target)
        # what libraries and the user's own modules print is no result
        with contextlib.redirect_stdout(sys.stderr), confined_imports(ImportPolicy(Path.cwd())), reads_on(sys.stderr):
            module, function = _WORK[flags.command]
            passed, address = getattr(importlib.import_module(f"assay.shell.{module}"), function)(flags, storage)
        if address:
            sys.stdout.write(f"{address}\n")
    except AssayError as error:
        SerialisedError.site = _documentation_site()
        sys.stderr.write(f"{in_flags(error, flags)}\n")
        return Exit.REFUSED
    except KeyboardInterrupt:
        sys.stderr.write(f"assay {flags.command} was interrupted\n")
        return Exit.INTERRUPTED
    except Exception:  # noqa: BLE001 - printed with its traceback, under a code that no refusal has
        sys.stderr.write(f"this is a defect of assay {flags.command}, please report it:\n{traceback.format_exc()}")
        return Exit.DEFECT
    return Exit.DONE if passed else Exit.GATE_REFUSED


def _documentation_site() -> str:
    """Return the address of the documentation that the platform, where it is installed, knows."""
    for each in importlib.metadata.entry_points(group=DOCUMENTATION):
        with contextlib.suppress(ModuleNotFoundError):  # the wheel alone, or outside of the platform's folder
            site: str = each.load()()
            return site
    return ""


def in_flags(error: AssayError, flags: "Flags") -> AssayError:
    """Return an error whose remedy names the command's flags, unless the settings come from a pipeline file."""
    if flags.pipeline is None and isinstance(error.remedy, Remedy):
        from assay.shell.pipeline_flags import flag_of

        error.remedy = error.remedy.in_words_of(lambda field: flag_of(field, flags))
    return error


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for each in (_LOG, logging.getLogger(_READING)):
        each.handlers = [handler]
        each.setLevel(logging.INFO)
        each.propagate = False
