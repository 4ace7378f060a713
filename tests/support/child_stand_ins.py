"""What does in this process what confined children do: a child process costs half a second."""

import importlib
import json
from collections.abc import Callable, Mapping

from assay.errors import AssayError, error_to_json
from assay.expressions import language
from assay.features import engine
from assay.reading.files import transcribe
from assay.reading.sandbox import ChildEnd
from resources.sources import query_child


def child_in_process(answer_of):
    """Return what stands for `run_child` and answers here; answers cross the same border as JSON."""

    def run_here(_child, asked, _scratch, *, wall_seconds):
        answer = json.loads(json.dumps(answer_of(json.loads(asked))))
        return ChildEnd(0, 0.0, 0, timed_out=wall_seconds <= 0, answer=answer, tail="")

    return run_here


def _transcribe_here(path, options, target, *, name, layout, limits):
    transcribe(path, options, target, name=name, layout=layout)


def _queried(asked):
    try:
        return query_child._answer(asked)
    except AssayError as error:
        return {"error": error_to_json(error)}


STAND_INS: Mapping[str, Callable] = {
    "assay.reading.source_files.transcribe_in_child": _transcribe_here,
    "resources.sources.confined_query.run_child": child_in_process(_queried),
    "assay.features.step_engine.run_child": child_in_process(engine.computed),
    "assay.gate.expression_rules.run_child": child_in_process(language.evaluated),
}
"""What takes the place of each function that starts a child, by the function's module and name."""


def install() -> None:
    """Put the stand-ins in place for as long as this process lives."""
    for target, stand_in in STAND_INS.items():
        module, _, name = target.rpartition(".")
        setattr(importlib.import_module(module), name, stand_in)
