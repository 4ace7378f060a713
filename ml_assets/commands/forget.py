"""`assay forget`: remove a person's rows from all that is stored, and name the models that learned from them.

Every space is searched. An experiment may have learned from rows of production, so that its models are searched for
these, too.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from assay.counting import counted
from assay.errors import MissingColumnError, SpecError
from assay.shell.flags import Flags
from ml_assets.commands.deployment import Deployment, operator
from resources.artifacts.forget_journal import ForgetEntry, LearnedModel
from resources.artifacts.forgetting import Forgetting, Found, rows_by_version, rows_found
from resources.artifacts.learned_models import learned_models
from resources.store.commit_record import described
from resources.store.expiry import histories


def forget(flags: Flags) -> tuple[bool, str]:
    """Remove rows, and what may quote them and cannot be searched; with `--dry-run` only say what would go.

    Raises:
        AssayError: the expression cannot be used, or the store failed.
    """
    own, *spaces = Deployment().spaces.items()
    task = Forgetting(own[1], flags.where, flags.name, operator())
    found = task.find()
    elsewhere = [line for name, each in spaces for line in _in_space(name, replace(task, artifacts=each), found, flags)]
    lines = [*_found(found)] if flags.dry_run else [*_forgotten(task.remove())]
    return True, "\n".join((*lines, *_unsearched(found), *elsewhere))


def _in_space(name: str, task: Forgetting, below: Found, flags: Flags) -> Iterator[str]:
    """Forget in another space than the deployment's own; yield what it had, and which models learned from below."""
    series = [*histories(task.artifacts.store)]
    models = [*map(_model, learned_models(task.artifacts, series, rows_by_version(below.held)))]
    own: list[str] = []
    with suppress(SpecError, MissingColumnError):  # it holds other pipelines, or rows without these columns
        found = task.find()
        lines = _found(found) if flags.dry_run else _forgotten(task.remove())
        own = [*(() if found.is_clean else lines), *_unsearched(found)]
    if own or models:
        yield f"in the space {name}:"
        yield from dict.fromkeys([*own, *models])


def _found(found: Found) -> Iterator[str]:
    yield from _rows(rows_found(found), done=False)
    whole = (*map(described, found.whole), *found.copies)
    yield from (f"would remove {name}" for name in whole)
    yield from (f"would write the newest rows to {key}, or remove it" for key in found.files)
    if found.left:
        yield f"would remove {counted(len(found.left), 'file')} that an earlier command has left"
    yield from map(_model, found.models)


def _forgotten(entry: ForgetEntry | None) -> Iterator[str]:
    """Yield what was removed; of a command that was killed before, too."""
    yield from _rows(entry.rows if entry else {}, done=True)
    if entry is None:
        return
    yield from (f"removed {name}" for name in entry.removed)
    yield from map(_model, entry.models)
    if entry.runs:
        yield "Dagster's events of these runs may show some of the rows; this deletes them:"
        yield from (f"dagster run delete {run}" for run in entry.runs)


def _rows(rows: dict[str, int], *, done: bool) -> Iterator[str]:
    if not rows:
        yield "no stored table holds such rows"
    where = "removed from" if done else "in"
    yield from (f"{counted(count, 'row'):>14} {where} {name}" for name, count in rows.items())


def _model(model: LearnedModel) -> str:
    names = f", registered as {', '.join(model.registered)}" if model.registered else ""
    champion = ", the champion" if model.is_champion else ""
    return f"learned from them: {model.model}{names}{champion}" + (
        "; its input example shows one" if model.shows_rows else ""
    )


def _unsearched(found: Found) -> Iterator[str]:
    if found.unsearched:
        names = "; ".join(map(described, found.unsearched))
        yield f"not searched, since columns of the expression are missing: {names}"
