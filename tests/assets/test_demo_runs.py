"""Runs of the demo in Dagster's list."""

import dagster as dg
import pytest

from ml_assets import demo
from ml_assets.demo import materialize, pages, progress
from resources.settings import Settings


def test_runs_of_the_demo_say_whose_they_are_and_what_started_them():
    @dg.asset(key=["bank", "raw_dataset"])
    def made() -> int:
        return 1

    definitions = dg.Definitions([made], loggers={"progress": progress})
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(definitions, instance, [made.key], None) == ""
        (run,) = instance.get_runs()
    assert (run.tags["pipeline"], run.tags["started_by"]) == ("bank", "demo")


def test_the_demo_names_the_pages_by_the_settings(tmp_path):
    settings = Settings(home=tmp_path, ui_port=3100, mlflow_port=5100, reports_url="https://reports.example.org/")
    assert pages(settings) == (
        "`make dev` (http://localhost:3100), `make mlflow` (http://localhost:5100), "
        "`make reports` (https://reports.example.org)"
    )


def test_an_interrupted_demo_ends_with_a_sentence_and_the_code_of_an_interrupt(monkeypatch, tmp_path, capsys):
    @dg.asset(key=["bank", "raw_dataset"])
    def made() -> int:
        raise dg.DagsterExecutionInterruptedError

    definitions = dg.Definitions([made], loggers={"progress": progress})
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(KeyboardInterrupt):
        materialize(definitions, instance, [made.key], None)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setattr(demo, "build_definitions", lambda _: dg.Definitions())
    monkeypatch.setattr(demo, "initialise_local_stores", lambda _: None)
    monkeypatch.setattr(demo, "run_all", interrupted)
    monkeypatch.setattr(dg.DagsterInstance, "get", dg.DagsterInstance.ephemeral)
    assert demo.main() == 130
    assert capsys.readouterr().out.splitlines()[-1] == "The demo was interrupted; `make demo` begins again."
