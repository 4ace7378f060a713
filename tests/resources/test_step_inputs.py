from types import SimpleNamespace

import pytest

from assay.results.search_result import BestHyperparameters
from resources.artifacts import step_inputs
from resources.artifacts.step_inputs import RunValues


def commit(number=1, size=10, attempt="run/step"):
    objects = [SimpleNamespace(size=size)]
    return SimpleNamespace(asset=("p", "a"), partition=None, number=number, attempt_id=attempt, objects=objects)


@pytest.fixture
def read():
    """Return a function that counts its calls."""

    def reads():
        reads.count += 1
        return object()

    reads.count = 0
    return reads


def test_a_commit_is_read_once_in_a_run(read):
    values = RunValues()
    first, second = (values.once("run", commit(), BestHyperparameters, read) for _ in range(2))
    assert first is second
    assert read.count == 1


def test_another_version_and_another_run_are_read_again(read):
    values = RunValues()
    values.once("run", commit(), BestHyperparameters, read)
    values.once("run", commit(number=2), BestHyperparameters, read)
    values.once("later run", commit(), BestHyperparameters, read)
    values.once("run", commit(), BestHyperparameters, read)
    assert read.count == 4


def test_values_beyond_the_budget_are_not_kept(read, monkeypatch):
    monkeypatch.setattr(step_inputs, "_BUDGET_BYTES", 15)
    values = RunValues()
    for _ in range(2):
        values.once("run", commit(1), BestHyperparameters, read)
        values.once("run", commit(2), BestHyperparameters, read)
    assert read.count == 3
