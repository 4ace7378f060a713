"""The commands and their flags, for click; the work itself is imported when a command runs.

Flags of run parameters take name, type, choices and description from `RUN_PARAMETERS`. Flags are not abbreviated.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import click

from assay.errors import did_you_mean
from assay.specs.dataset import JsonOrient
from assay.specs.overrides import RUN_PARAMETERS, RunParameter
from assay.specs.payloads import own_spelling
from assay.specs.pipeline import Task

CODES = (
    "Standard output holds one line, the address of the result. Exit codes: 0 done, 1 refused by the data-quality "
    "gate, 2 bad usage or input, 3 a defect of the program. Addresses are local paths, or s3:// and https:// where the "
    "platform is installed."
)


class Flags(SimpleNamespace):
    """The values of one command's flags by parameter name; None where a flag is not given.

    Attributes:
        command: the command's name.
        spelled: the flag of each value, e.g. `--test-size` for `test_size`.
        targets: the addresses that the command will write to.
    """

    def __getattr__(self, name: str) -> Any:
        # what a command has no flag for is not given
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class Target(click.Path):
    """An address to write to."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "URI"


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object, without repeated keys."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object; one of a file of parameters is read already."""
        if isinstance(value, dict):
            return value
        try:
            return json_object(value if isinstance(value, str) else json.dumps(value))
        except ValueError as error:
            self.fail(f"{error}; found {value!r}", param, ctx)


class FiniteNumber(click.ParamType[float]):
    """A number that is neither infinite nor NaN."""

    name = "NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"a finite number is expected; found {value!r}", param, ctx)
        return number


class OneOf(click.Choice[str]):
    """One of several names; the nearest one is suggested."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        if value not in self.choices:
            known = ", ".join(self.choices)
            self.fail(f"'{value}' is not one of {known}{did_you_mean(str(value), self.choices)}", param, ctx)
        return str(value)


class Command(click.Command):
    """A command that names all missing flags at once, and returns its flags in place of doing anything."""

    def __init__(
        self, name: str, summary: str, *options: click.Parameter, needs: Sequence[str], data: Sequence[str] = ()
    ) -> None:
        """Describe a command by its flags: `needs` are required, and `data` where there is no pipeline file."""
        super().__init__(name, params=list(options), help=summary, epilog=CODES, callback=self._flags)
        self._needs, self._data = needs, data

    def _flags(self, **values: Any) -> Flags:
        targets = [values[one.name] for one in self.params if isinstance(one.type, Target) and one.name]
        spelled = {one.name: one.opts[0] for one in self.params}
        return Flags(command=self.name, spelled=spelled, targets=[uri for uri in targets if uri], **values)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, and require what the command needs."""
        rest = super().parse_args(ctx, args)
        from_file = ctx.params.get("pipeline") is not None
        needed = {*self._needs, *(() if from_file else self._data)}
        missing = [one.opts[0] for one in self.params if one.opts[0] in needed and ctx.params[one.name or ""] is None]
        if missing and not ctx.resilient_parsing:
            instead = " (or --pipeline FILE)" if set(missing) & set(self._data) else ""
            raise click.UsageError(f"these flags are required: {', '.join(missing)}{instead}", ctx)
        return rest


def json_object(text: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ValueError: it is something else, or a key is repeated.
    """
    try:
        found = json.loads(text, parse_constant=_no_number, object_pairs_hook=_without_repetition)
    except ValueError as error:
        msg = f"not valid JSON: {error}"
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = "a JSON object such as '{\"key\": 1}' is expected"
        raise ValueError(msg)  # noqa: TRY004 - the text is wrong, not its type
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


_FILES = "Address of the rows: a path, folder or glob, `s3://`, `https://`, `demo://`; the shell reads no database."


def _parameter(flag: str, name: str, note: str = "") -> click.Option:
    """Return the flag of a run parameter."""
    declared = RUN_PARAMETERS[name]
    default = f" Default {declared.default}." if isinstance(declared.default, str | int | float) else ""
    text = f"{_FILES if name == 'data_source' else declared.description}{f' {note}' if note else ''}{default}"
    return click.Option([flag, name], type=_type_of(declared), help=text)


def _type_of(declared: RunParameter) -> click.ParamType[Any]:
    if declared.choices:
        return OneOf([str(choice) for choice in declared.choices])
    if declared.type is dict:
        return JsonObject()
    if declared.type is float:
        return FiniteNumber()
    return click.INT if declared.type is int else click.Path() if declared.name == "data_source" else click.STRING


def _option(flag: str, text: str, kind: click.ParamType[Any] = click.STRING, **more: Any) -> click.Option:
    return click.Option([flag], help=text, type=kind, **more)


def _scenario() -> click.Option:
    """Return the flag of the scenario, which has a second spelling for each value."""
    option = _parameter("--training-scenario", "training_scenario", "Here from --base-model-uri.")
    known = RUN_PARAMETERS["training_scenario"].choices
    option.type = OneOf([*known, *(f"{name}_train" for name in known)])
    return option


def _conf() -> click.Option:
    """Return the flag of a file of run parameters, which stand for flags that are not given."""
    return click.Option(
        ["--conf"],
        type=click.Path(exists=True, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_defaults_of_file,
        metavar="FILE",
        help="File of run parameters by name, as a JSON object; flags win over it, and it wins over --pipeline.",
    )


def _defaults_of_file(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    if path is None:
        return
    try:
        values = own_spelling(json_object(Path(path).read_text(encoding="utf-8")))
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", ctx, param) from error
    unknown = [name for name in values if name not in RUN_PARAMETERS]
    if unknown:
        nearest = did_you_mean(unknown[0], RUN_PARAMETERS)
        raise click.BadParameter(f"{path}: there is no run parameter '{unknown[0]}'{nearest}", ctx, param)
    ctx.default_map = {name: value for name, value in values.items() if value is not None}


def _layout() -> list[click.Option]:
    return [
        _parameter("--data-format", "data_format"),
        _parameter("--dialect", "dialect", "Detected in the data unless given."),
        _option("--member", "The file inside an archive that holds several."),
        _option("--sheet", "The sheet of a workbook that has several."),
        _option("--orient", "The layout of a JSON document, records unless given.", OneOf(list(JsonOrient))),
    ]


def _data(address: str) -> list[click.Option]:
    return [
        _parameter(address, "data_source"),
        *_layout(),
        _parameter("--target-column", "target_column"),
        _parameter("--task", "task", "Inferred from model family and target unless given."),
        _parameter("--columns", "columns"),
        _parameter("--ingestion-config", "ingestion_config"),
        _parameter("--validation-config", "data_validation"),
        _conf(),
        _option(
            "--pipeline",
            "Pipeline file; the other flags win over it. FILE#NAME is one of several pipelines of a file.",
            click.Path(),
        ),
        _option("--environment", "One of the pipeline file's environments.", metavar="NAME"),
        _option("--partition", "Partition of a partitioned pipeline; may be repeated.", multiple=True, metavar="KEY"),
    ]


def _learning(hyperparameters: str) -> list[click.Option]:
    return [
        *_data("--train-data-path"),
        _parameter("--model-name", "model_name"),
        _parameter(hyperparameters, "hyperparameters"),
        _option("--report-uri", "Where the gate's report goes, as JSON.", Target()),
        _parameter("--test-size", "test_size"),
        _parameter("--random-state", "random_state"),
        _parameter("--split", "split"),
    ]


def _of_champion(*more: click.Parameter) -> list[click.Parameter]:
    """Return what the commands about a deployment's champions share; they are run in the deployment's folder."""
    return [click.Argument(["name"], metavar="PIPELINE"), *more]


def _decision(name: str, summary: str) -> Command:
    version = click.Argument(["version"], metavar="VERSION")
    return Command(name, summary, *_of_champion(version, _option("--reason", _WHY)), needs=[])


_WHY = "One sentence, for the journal."
_LEARNED = ("--train-data-path", "--target-column", "--model-name")
COMMANDS = {
    "init": lambda summary: Command(
        "init",
        summary,
        click.Argument(["folder"], type=click.Path(), metavar="FOLDER"),
        _option("--name", "The project's name; that of the folder unless given."),
        _option(
            "--platform",
            "Where the platform comes from: a checkout's folder, or the address of a package index; the checkout that "
            "this command is part of unless given.",
        ),
        needs=[],
    ),
    "add": lambda summary: Command(
        "add",
        summary,
        click.Argument(["what"], type=OneOf(["pipeline"]), metavar="pipeline"),
        _parameter("--from", "data_source"),
        _parameter("--target", "target_column"),
        *_layout(),
        _option("--task", "Inferred from the target unless given.", OneOf([str(task) for task in Task])),
        _option("--name", "The pipeline's name; that of the file unless given."),
        click.Option(["--pipelines"], default="pipelines", type=click.Path(), help="Folder; pipelines unless given."),
        needs=["--from", "--target"],
    ),
    "check": lambda summary: Command(
        "check",
        summary,
        click.Argument(["pipeline"], nargs=-1, type=click.Path(), default=("pipelines",), metavar="[PATH]..."),
        needs=[],
    ),
    "explain": lambda summary: Command("explain", summary, click.Argument(["code"]), needs=[]),
    "validate": lambda summary: Command(
        "validate",
        summary,
        *_data("--dataset-path"),
        _parameter("--model-name", "model_name", "It may decide the task."),
        _option("--report-uri", "Where the report goes, as JSON.", Target()),
        _option("--html-uri", "Where the report also goes as a page.", Target()),
        needs=["--report-uri"],
        data=["--dataset-path", "--target-column"],
    ),
    "ingest": lambda summary: Command(
        "ingest",
        summary,
        _parameter("--source", "data_source"),
        *_layout(),
        _parameter("--ingestion-config", "ingestion_config"),
        _conf(),
        _option("--output-uri", "Where the rows go, as Parquet.", Target()),
        _option("--schema-uri", "Where columns and dtypes go; beside the output unless given.", Target()),
        _option("--quarantine-uri", "Folder for a copy of a refused file and the reason.", Target()),
        _option("--limits", 'E.g. {"memory_mb": 1024, "seconds": 60}.', JsonObject()),
        needs=["--source", "--output-uri"],
    ),
    "tune": lambda summary: Command(
        "tune",
        summary,
        *_learning("--base-hyperparameters"),
        _parameter("--tuning-config", "tuning"),
        _option("--output-uri", "Where the best hyperparameters go, as JSON.", Target()),
        _option("--trials-uri", "Where the whole search goes: family, metric, every trial.", Target()),
        needs=["--output-uri"],
        data=_LEARNED,
    ),
    "train": lambda summary: Command(
        "train",
        summary,
        *_learning("--hyperparameters"),
        _option("--hyperparameters-uri", "What tune wrote; wins over --hyperparameters.", click.Path()),
        _parameter("--model-version", "model_version"),
        click.Option(
            ["--target-output-path", "target_output_path"],
            help="Folder for <model-name>/<model-version>/.",
            type=Target(),
        ),
        _scenario(),
        click.Option(["--overwrite"], is_flag=True, help="Replace the model of that version, if there is one."),
        _option("--base-model-uri", "A bundle that train wrote, to continue from.", click.Path()),
        _option("--tracking-uri", "Also log to this MLflow server, or sqlite:///file.db."),
        _option("--run-id-uri", "Where the id of MLflow's run goes, as text; with --tracking-uri.", Target()),
        needs=[],
        data=_LEARNED,
    ),
    "predict": lambda summary: Command(
        "predict",
        summary,
        _option("--model-uri", "The folder of a bundle, or models:/<name>@champion of a deployment.", click.Path()),
        _option("--dataset-path", "The file, of any size, or a glob of files.", click.Path()),
        *_layout(),
        _option("--output-uri", "Where keys and predictions go, as Parquet, or as CSV where it ends so.", Target()),
        needs=["--model-uri", "--dataset-path", "--output-uri"],
    ),
    "plan": lambda summary: Command(
        "plan",
        summary,
        click.Argument(["pipeline_name"], metavar="PIPELINE"),
        _option("--partition", "The model's partition; the newest finished one unless given.", metavar="KEY"),
        click.Option(["--run"], is_flag=True, help="Make what is planned, by `dg launch`."),
        needs=[],
    ),
    "reproduce": lambda summary: Command(
        "reproduce",
        summary,
        click.Argument(["pipeline_name"], metavar="PIPELINE"),
        click.Argument(["version"], metavar="VERSION"),
        needs=[],
    ),
    "serve": lambda summary: Command(
        "serve",
        summary,
        *_of_champion(
            _option("--host", "Where it listens; ASSAY_SERVE_HOST unless given."),
            _option("--port", "0 for any free one; ASSAY_SERVE_PORT unless given.", click.IntRange(0, 65535)),
            _option("--processes", "One for each core unless given, or set.", click.IntRange(1)),
            _option("--version", "A registered version in place of the champion of the day.", click.IntRange(1)),
        ),
        needs=[],
    ),
    "show": lambda summary: Command(
        "show",
        summary,
        click.Argument(["name"], metavar="[PIPELINE]", required=False),
        _option("--host", "Where it listens; ASSAY_REPORTS_HOST unless given."),
        _option("--port", "0 for any free one; ASSAY_REPORTS_PORT unless given.", click.IntRange(0, 65535)),
        needs=[],
    ),
    "deploy": lambda summary: Command(
        "deploy",
        summary,
        click.Argument(["platform"], type=OneOf(["kserve"]), metavar="kserve"),
        *_of_champion(
            _option("--image", "The platform's image, or one in place of the runtime's with --storage-uri."),
            _option("--version", "A registered version in place of the champion of the day.", click.IntRange(1)),
            _option("--storage-uri", "Files of a registered version, for KServe's MLflow runtime."),
            _option("--canary", "Percentage of the requests for the newest revision.", click.IntRange(0, 100)),
            _option("--min-replicas", "Fewest replicas, 2 unless given.", click.IntRange(0)),
            _option("--max-replicas", "Most replicas, 6 unless given.", click.IntRange(1)),
            _option("--processes", "Processes of a replica, each with a core; 2 unless given.", click.IntRange(1)),
            _option("--service", "Name of the InferenceService; that of the registered model unless given."),
            _option("--namespace", "Kubectl's present one unless given."),
            _option("--secret", "Secret with keys and addresses; <service>-serving unless given."),
        ),
        needs=[],
    ),
    "changed": lambda summary: Command(
        "changed",
        summary,
        _option("--since", "The commit; origin/main unless given.", metavar="COMMIT", default="origin/main"),
        needs=[],
    ),
    "results": lambda summary: Command(
        "results",
        summary,
        *_of_champion(
            _option("--partition", "The newest finished one unless given.", metavar="KEY"),
            _option("--output-uri", "Where the Markdown goes; standard output unless given.", Target()),
        ),
        needs=[],
    ),
    "forget": lambda summary: Command(
        "forget",
        summary,
        click.Argument(["name"], metavar="[PIPELINE]", required=False),
        _option("--where", "SQL over columns that is true for the rows, e.g. 'customer_id = 17'.", metavar="SQL"),
        click.Option(["--dry-run"], is_flag=True, help="Only show what would be removed."),
        needs=["--where"],
    ),
    "champion": lambda summary: Command(
        "champion",
        summary,
        *_of_champion(_option("--at", "A day, of which the end counts, or a time such as 2024-01-31T12:00, in UTC.")),
        needs=[],
    ),
    "rollback": lambda summary: Command(
        "rollback",
        summary,
        *_of_champion(
            _option("--to", "The version; the champion before the current one unless given."), _option("--reason", _WHY)
        ),
        needs=[],
    ),
    "approve": lambda summary: _decision("approve", summary),
    "reject": lambda summary: _decision("reject", summary),
}
