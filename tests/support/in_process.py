"""Fixtures that read files and query database files in the test's process: a child process costs half a second.

Tests that are marked `confined` use the child processes of a user.
"""

import json

import pytest

from assay.errors import AssayError, error_to_json
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
    """Run queries of database files here; answers cross the same border as JSON."""
    if request.node.get_closest_marker("confined"):
        return

    def run_here(_child, asked, _scratch, *, wall_seconds):
        try:
            answer = query_child._answer(json.loads(asked))
        except AssayError as error:
            answer = {"error": error_to_json(error)}
        return ChildEnd(0, 0.0, 0, timed_out=False, answer=json.loads(json.dumps(answer)), tail="")

    monkeypatch.setattr("resources.sources.confined_query.run_child", run_here)
