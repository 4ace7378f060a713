"""Fixtures that do in the test's process what confined children do: a child process costs half a second.

Tests that are marked `confined` use the child processes of a user.
"""

import json

import pytest

from assay.errors import AssayError, error_to_json
from assay.expressions import language
from assay.features import engine
from assay.reading.files import transcribe
from assay.reading.sandbox import ChildEnd
from resources.sources import query_child


@pytest.fixture(autouse=True)
def reading(request, monkeypatch):
    """Read files here."""
    if request.node.get_closest_marker("confined"):
        return

    def transcribe_here(path, options, target, *, name, layout, limits):
        transcribe(path, options, target, name=name, layout=layout)

    monkeypatch.setattr("assay.reading.source_files.transcribe_in_child", transcribe_here)


@pytest.fixture(autouse=True)
def querying(request, monkeypatch):
    """Run queries of database files here."""
    if request.node.get_closest_marker("confined"):
        return

    def answer(asked):
        try:
            return query_child._answer(asked)
        except AssayError as error:
            return {"error": error_to_json(error)}

    monkeypatch.setattr("resources.sources.confined_query.run_child", child_in_process(answer))


def child_in_process(answer_of):
    """Return what stands for `run_child` and answers here; answers cross the same border as JSON."""

    def run_here(_child, asked, _scratch, *, wall_seconds):
        answer = json.loads(json.dumps(answer_of(json.loads(asked))))
        return ChildEnd(0, 0.0, 0, timed_out=wall_seconds <= 0, answer=answer, tail="")

    return run_here


@pytest.fixture(autouse=True)
def computing(request, monkeypatch):
    """Compute features and evaluate rules here."""
    if request.node.get_closest_marker("confined"):
        return
    monkeypatch.setattr("assay.features.step_engine.run_child", child_in_process(engine.computed))
    monkeypatch.setattr("assay.gate.expression_rules.run_child", child_in_process(language.evaluated))
