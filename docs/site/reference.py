"""The reference pages that are made from the code: `python docs/site/reference.py docs/reference`.

Rules, families, metrics, settings and commands are read from where they are declared, so that a page names all.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from reference_tables import reference_table
from spec_reference import pipeline_file_page

from assay.learning.estimators.family import FAMILIES
from assay.learning.evaluation.metrics import METRICS
from assay.shell.flags import COMMANDS
from assay.shell.main import SUMMARIES
from assay.specs.pipeline import Task
from assay.specs.rules import RULES, Rule
from resources.settings import Settings


def pages() -> dict[str, str]:
    """Return the Markdown of each page by its file's name."""
    return {
        "pipeline-file.md": pipeline_file_page(),
        "rules.md": _rules(),
        "families.md": _families(),
        "metrics.md": _metrics(),
        "settings.md": _settings(),
        "commands.md": _commands(),
    }


def _rules() -> str:
    head = """# Rules of the gate

The names are those of the asset checks, and of `validation.warn` and `validation.block`. A rule that warns is shown and
does not stop anything, unless `block` names it. *Raw*: the rule can also judge the source's rows before the steps of
`features`, by `validation.raw`.

"""
    return head + reference_table(("Rule", "Holds when", "A failure", "Raw"), (_rule(each) for each in RULES.values()))


def _rule(rule: Rule) -> tuple[str, ...]:
    failure = "always blocks" if rule.required else {"ERROR": "blocks", "WARN": "warns"}[rule.severity]
    return f"`{rule.name}`", rule.text, failure, "yes" if rule.raw else ""


def _families() -> str:
    head = """# Model families

The names of `model.candidates`. Any other class with the interface of scikit-learn is named by its import path, see
[add a model](../how-to/add-a-model.md). *Encodings*: what a search tries for categories, the first one unless searched.
*Constraints*: whether `training.constraints` can hold predictions to rise or fall.

"""
    rows = (
        (
            f"`{name}`",
            ", ".join(text for text, path in (("classes", card.classifier), ("numbers", card.regressor)) if path),
            ", ".join(card.categories or (card.encoding,)).replace("_", "-"),
            ", ".join(f"`{parameter}`" for parameter in card.search_space),
            "yes" if card.monotone else "",
            f"`{card.extra}`" if card.extra else "",
        )
        for name, card in sorted(FAMILIES.items())
    )
    return head + reference_table(
        ("Family", "Predicts", "Encodings", "Searched", "Constraints", "Extra to install"), rows
    )


def _metrics() -> str:
    head = """# Metrics

What is measured for each task, the primary metric first unless `evaluation.primary_metric` names another. Scorers of
scikit-learn are named as there; a metric of your own by its import path, see [add a metric](../how-to/add-a-metric.md).
"""
    return head + "".join(f"\n## {_words(task)}\n\n{_metrics_of(task)}" for task in Task)


def _metrics_of(task: Task) -> str:
    rows = (
        (f"`{name}`", ("greater" if each.greater_is_better else "less") if each.directed else "nearer to 0")
        for name, each in METRICS[task].items()
    )
    return reference_table(("Metric", "Better is"), rows)


def _words(task: Task) -> str:
    return task.value.replace("_", " ").capitalize()


def _settings() -> str:
    head = """# Settings

Environment variables of a deployment, or lines of a file `.env` in the working directory. Every default works in a
fresh checkout. Credentials of clouds come from boto3's own chain, those of MLflow from its own variables;
`ASSAY_SQL_<NAME>` is a [connection of SQL](../how-to/read-from-sql.md).

"""
    fields = sorted(Settings.model_fields.items())
    rows = ((f"`ASSAY_{name.upper()}`", _default(each), each.description or "") for name, each in fields)
    return head + reference_table(("Variable", "Default", "Meaning"), rows)


def _default(setting: FieldInfo) -> str:
    if setting.default_factory is not None:
        return "in the project's folder"
    value = setting.default.get_secret_value() if isinstance(setting.default, SecretStr) else setting.default
    return "" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _commands() -> str:
    head = """# Commands

`assay COMMAND`. Standard output holds one line, the address of the result. Exit codes: 0 done, 1 refused by the
data-quality gate, 2 bad usage or input, 3 a defect of the program.
"""
    return head + "".join(_command(name, COMMANDS[name](text)) for name, text in SUMMARIES.items())


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"assay {name}", terminal_width=80)
    usage = command.get_usage(context).removeprefix("Usage: ")
    text = (command.help or "").strip()
    return f"\n## {name}\n\n```text\n{usage}\n```\n\n{text}\n\n{_flags(context, command.params)}"


def _flags(context: click.Context, parameters: Iterable[click.Parameter]) -> str:
    records = [record for each in parameters if (record := each.get_help_record(context))]
    return reference_table(("Flag", "Meaning"), ((f"`{flag}`", text) for flag, text in records)) if records else ""


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    for file_name, page in pages().items():
        (folder / file_name).write_text(page, encoding="utf-8")
