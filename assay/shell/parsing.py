"""The flags of all commands; nothing heavy is imported to show their help.

Does not belong here: what a flag means to the domain (`flagged_pipeline`).
"""

import argparse
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

_DESCRIPTION = "Validate, ingest, tune and train from the shell: the platform's gate and models without Dagster."
_CODES = (
    "The result's address is the only line on standard output. Exit codes: 0 done, 1 refused by the data-quality "
    "gate, 2 bad usage or input. Addresses are local paths, or s3:// and https:// where the platform is installed."
)

_TARGETS = {"report_uri", "html_uri", "output_uri", "schema_uri", "quarantine_uri", "trials_uri", "target_output_path"}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags; `command` is the command's name, and flags that are not given are None.

    Raises:
        SystemExit: help, version (0), or flags that cannot be used (2).
    """
    parser = argparse.ArgumentParser(prog="assay", description=_DESCRIPTION, epilog=_CODES)
    parser.add_argument("--version", action="version", version=f"assay {importlib.metadata.version('assay')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    kinds: dict[str, argparse.ArgumentParser] = {}
    for name, (add_flags, summary) in _COMMANDS.items():
        kinds[name] = commands.add_parser(name, help=summary, description=summary, epilog=_CODES, allow_abbrev=False)
        add_flags(kinds[name])
    flags = parser.parse_args(arguments)
    _require(flags, kinds[flags.command])
    return flags


def targets(flags: argparse.Namespace) -> list[str]:
    """Return the addresses that a command will write to."""
    return [uri for place, uri in vars(flags).items() if place in _TARGETS and uri is not None]


def json_object(text: str) -> dict[str, Any]:
    """Return a flag's JSON object.

    Raises:
        ArgumentTypeError: it is something else; argparse adds the flag's name.
    """
    try:
        found = json.loads(text, parse_constant=_no_number, object_pairs_hook=_without_repetition)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not valid JSON: {error}; found {text!r}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"a JSON object such as '{{\"key\": 1}}' is expected; found {text!r}")
    return found


def _no_number(constant: str) -> NoReturn:
    msg = f"{constant} is no number of JSON"
    raise ValueError(msg)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        msg = f"repeated keys: {', '.join(repeated)}"
        raise ValueError(msg)
    return dict(pairs)


def _require(flags: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """A pipeline file stands in for the flags that describe data and model."""
    if flags.command == "ingest" or flags.pipeline is not None:
        return
    wanted = {"--train-data-path": "source", "--target-column": "target", "--model-name": "model_name"}
    if flags.command == "validate":
        wanted = {"--dataset-path": "source", "--target-column": "target"}
    missing = [flag for flag, place in wanted.items() if getattr(flags, place) is None]
    if missing:
        parser.error(f"the following arguments are required: {', '.join(missing)} (or --pipeline FILE)")


def _validate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset-path", dest="source", metavar="URI", help="the data: a path, glob or address")
    _data(parser)
    parser.add_argument("--report-uri", required=True, metavar="URI", help="where the report goes, as JSON")
    parser.add_argument("--html-uri", metavar="URI", help="where the report also goes as a page for people")
    parser.add_argument("--partition", action="append", metavar="KEY", help="partition of a partitioned pipeline")


def _ingest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", required=True, metavar="URI", help="the file, of any size")
    _layout(parser)
    parser.add_argument("--output-uri", required=True, metavar="URI", help="where the rows go, as Parquet")
    parser.add_argument("--schema-uri", metavar="URI", help="where columns and dtypes go; beside the output unless set")
    parser.add_argument("--quarantine-uri", metavar="URI", help="folder that gets a copy of a refused file and why")
    parser.add_argument("--limits", type=json_object, metavar="JSON", help='e.g. {"memory_mb": 1024, "seconds": 60}')


def _tune(parser: argparse.ArgumentParser) -> None:
    _learning(parser, "--base-hyperparameters")
    parser.add_argument(
        "--tuning-config", type=json_object, metavar="JSON", help="enabled, n_trials, timeout, folds, search_space"
    )
    parser.add_argument("--output-uri", required=True, metavar="URI", help="where the best hyperparameters go, as JSON")
    parser.add_argument("--trials-uri", metavar="URI", help="where the whole search goes: family, metric, every trial")


def _train(parser: argparse.ArgumentParser) -> None:
    _learning(parser, "--hyperparameters")
    parser.add_argument("--hyperparameters-uri", metavar="URI", help="what tune wrote; wins over --hyperparameters")
    parser.add_argument("--model-version", metavar="TEXT", help="label of the model's design; default 1")
    parser.add_argument("--target-output-path", metavar="URI", help="folder for <model-name>/<model-version>/")
    parser.add_argument(
        "--training-scenario",
        choices=("full", "full_train", "incremental", "incremental_train"),
        help="incremental goes on from --base-model-uri, and fits in full without one",
    )
    parser.add_argument("--base-model-uri", metavar="URI", help="a bundle that train wrote, to go on from")
    parser.add_argument("--tracking-uri", metavar="URI", help="also log to this MLflow server, or sqlite:///file.db")


def _learning(parser: argparse.ArgumentParser, hyperparameters: str) -> None:
    parser.add_argument("--train-data-path", dest="source", metavar="URI", help="the data: a path, glob or address")
    _data(parser)
    parser.add_argument("--model-name", metavar="NAME", help="model family, or package.module:Class")
    parser.add_argument(
        hyperparameters, dest="hyperparameters", type=json_object, metavar="JSON", help="base values, by name"
    )
    parser.add_argument("--report-uri", metavar="URI", help="where the gate's report goes, as JSON")
    parser.add_argument("--test-size", type=float, metavar="SHARE", help="share of the holdout; default 0.2")
    parser.add_argument("--random-state", type=int, metavar="N", help="seed of split, search and fit; default 42")
    parser.add_argument(
        "--partition", action="append", metavar="KEY", help="partition of a partitioned pipeline; may be repeated"
    )


def _data(parser: argparse.ArgumentParser) -> None:
    _layout(parser)
    parser.add_argument("--target-column", dest="target", metavar="NAME", help="the column to predict")
    parser.add_argument(
        "--task",
        choices=("binary_classification", "multiclass_classification", "regression"),
        help="without it the model family and the target tell",
    )
    parser.add_argument(
        "--validation-config", type=json_object, metavar="JSON", help="rules, as `validation:` of a pipeline file"
    )
    parser.add_argument("--pipeline", metavar="FILE", help="pipeline file; the other flags win over it")


def _layout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-format", metavar="FORMAT", help="csv, parquet, ...; auto (default) goes by the name")
    parser.add_argument(
        "--dialect", type=json_object, metavar="JSON", help='e.g. {"delimiter": ";"}; found in the data unless given'
    )
    parser.add_argument("--member", metavar="NAME", help="the file inside an archive, where it holds several")
    parser.add_argument("--sheet", metavar="NAME", help="the sheet of a workbook, where it has several")


_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "validate": (_validate, "hold data against the data-quality gate and write the report"),
    "ingest": (_ingest, "read a file strictly and write its rows as Parquet"),
    "tune": (_tune, "find the best hyperparameters of gated data"),
    "train": (_train, "train and judge a model on gated data and write its bundle"),
}
