"""`assay add pipeline`: a first pipeline file, drafted from the rows and tried on them before it is written."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.drafting.amendments import amended
from assay.drafting.draft import Draft, first_draft
from assay.drafting.pipeline_text import pipeline_text
from assay.errors import StorageError
from assay.gate.gate import GateVerdict
from assay.scratch import scratch_folder
from assay.shell.flags import Flags
from assay.shell.pipeline_flags import document_of, inferred_task, name_of
from assay.shell.storage import Storage
from assay.shell.summary import Fact, Summary, failure_facts, gate_facts
from assay.shell.terminal import show
from assay.shell.validate import gated
from assay.specs.loading import read_pipelines
from assay.specs.pipeline import Task

_MOST_ROUNDS = 5
_SCHEMA = Path("docs/pipeline.schema.json")


def run(flags: Flags, storage: Storage) -> tuple[bool, str]:
    """Draft a pipeline, let the gate judge the rows by it until no finding changes it, and write it.

    Nothing is written where the gate refuses the rows in the end.

    Raises:
        AssayError: the rows cannot be read, the name is taken, or the file cannot be written.
    """
    name = flags.name or name_of(flags.data_source)
    path = Path(flags.pipelines) / f"{name}.yaml"
    _require_free(name, path)
    draft, verdict = _drafted(name, flags, storage)
    if verdict.accepted is not None:
        _write(pipeline_text(draft, verdict.report.rows_read, _schema_for(path)), path)
    _show(name, path, draft, verdict)
    return verdict.accepted is not None, str(path) if verdict.accepted is not None else ""


def _require_free(name: str, path: Path) -> None:
    there = read_pipelines(path.parent).pipelines if path.parent.is_dir() else ()
    taken = {filed.spec.name: filed.path for filed in there}
    if path.exists() or name in taken:
        raise StorageError(
            "there is a pipeline of that name",
            where=str(taken.get(name, path)),
            found=name,
            remedy="choose another name with --name, or remove the file",
        )


def _drafted(name: str, flags: Flags, storage: Storage) -> tuple[Draft, GateVerdict]:
    with _quiet():
        verdict = gated(flags, storage).last
    rows = verdict.report.rows_read
    task, reason = inferred_task(verdict.checked.column(flags.target_column), flags.target_column, None)
    if flags.task is not None:
        task, reason = Task(flags.task), "as given"
    draft = first_draft(name, task, reason, document_of(flags, task)["dataset"], rows)
    for _ in range(_MOST_ROUNDS):
        verdict = _judged(draft, rows, storage)
        changed = amended(draft, verdict)
        if changed.document == draft.document:
            return changed, verdict
        draft = changed
    return draft, _judged(draft, rows, storage)


def _judged(draft: Draft, rows: int, storage: Storage) -> GateVerdict:
    """Return the gate's verdict on the rows by the file as it would be written."""
    with scratch_folder("draft") as folder, _quiet():
        path = Path(folder) / f"{draft.at(('name',))}.yaml"
        path.write_text(pipeline_text(draft, rows), encoding="utf-8")
        return gated(Flags(command="validate", spelled={}, targets=[], pipeline=str(path), partition=()), storage).last


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing of a round: what its verdict finds is in the draft, or in the table at the end."""
    log = logging.getLogger("assay.shell")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


def _schema_for(path: Path) -> str | None:
    """Return the JSON Schema's address as an editor finds it from the file; None in a project without it."""
    return f"../{_SCHEMA}" if _SCHEMA.exists() and path.parent == Path("pipelines") else None


def _write(text: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(
            "the pipeline file cannot be written", where=str(path), found=str(error), remedy="check the folder"
        ) from error


def _show(name: str, path: Path, draft: Draft, verdict: GateVerdict) -> None:
    facts = (Fact("task", f"{draft.at(('task',))} of {draft.at(('dataset', 'target'))}"), *gate_facts(verdict.receipt))
    if verdict.accepted is None:
        show([Summary(f"{name}, not written", (*facts, *failure_facts(verdict.report)))])
        return
    next_steps = (Fact("file", str(path)), Fact("run it", f"dg launch --assets 'key:\"{name}/*\"'"))
    show([Summary(name, facts, addresses=next_steps)])
