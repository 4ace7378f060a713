"""What a run of the command line ends with."""

import contextlib
import os
from types import SimpleNamespace

import click
import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from small_platform import ASSETS, monthly_rows, write_csv

from assay.errors import SpecError
from assay.promotion.champion import ChampionRecord
from assay.results.evaluation_report import EvaluationReport
from ml_assets import run_summary, run_values
from ml_assets.run_summary import Observed, Progress, failure_text, summarised_executor
from ml_assets.run_values import RunValues, summary_of
from resources.report_site import ReportSite
from resources.settings import Settings


def observed_of(result):
    observed = Observed()
    for event in result.all_events:
        observed.note(event)
    return observed


def run_of(body, **checks):
    made = dg.asset(key=["bank", "raw_dataset"], **checks)(body)
    return observed_of(dg.materialize([made], raise_on_error=False))


def test_of_a_failed_step_the_typed_error_is_said():
    def body():
        cause = SpecError("it cannot be", where="here", found="a", expected="b", remedy="change a")
        raise RuntimeError("around it") from cause

    assert failure_text(run_of(body)).splitlines() == [
        "bank/raw_dataset failed",
        "assay.errors.SpecError: [spec_invalid] it cannot be",
        "  where: here",
        "  found: a",
        "  expected: b",
        "  remedy: change a",
    ]


def test_of_a_blocking_check_what_it_found_is_said():
    spec = dg.AssetCheckSpec("rows_known", asset=["bank", "raw_dataset"], blocking=True)

    def body():
        yield dg.Output(1)
        yield dg.AssetCheckResult(check_name="rows_known", passed=False, description="2 of 3\nrows are not")

    text = failure_text(run_of(body, check_specs=[spec]))
    assert text.splitlines()[-1] == "  rows_known: 2 of 3 rows are not"


def test_a_step_that_was_interrupted_is_called_so():
    def body():
        raise dg.DagsterExecutionInterruptedError

    observed = run_of(body)
    assert failure_text(observed) == "bank/raw_dataset was interrupted"
    assert observed.interrupted
    assert not run_of(lambda: 1 / 0).interrupted


def test_nothing_is_said_of_a_run_that_succeeds():
    observed = run_of(lambda: 1)
    assert failure_text(observed) == ""
    assert observed.assets == {("bank", None): {"raw_dataset"}}


@pytest.fixture
def printed(monkeypatch):
    """What would be printed at the end of the process."""
    calls = []
    register = SimpleNamespace(register=lambda function, *arguments: calls.append((function, arguments)))
    monkeypatch.setattr(run_summary, "atexit", register)
    return calls


def executed(settings, tags=None, stored=None):
    """Execute a job by the executor that prints; return its result and its run's tags."""

    @dg.op
    def idle():
        pass

    @dg.job(executor_def=summarised_executor(dg.in_process_executor, settings))
    def job():
        idle()

    with contextlib.nullcontext(stored) if stored else dg.DagsterInstance.ephemeral() as instance:
        result = execute_run(InMemoryJob(job), instance.create_run_for_job(job, tags=tags), instance)
        return result, instance.get_run_by_id(result.run_id).tags


def test_only_a_command_of_a_person_prints(printed, tmp_path, capsys, monkeypatch):
    settings, wait = Settings(home=tmp_path), "DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH"
    monkeypatch.setenv(wait, "0")  # so that it is as before at the end
    monkeypatch.delenv(wait)
    assert executed(settings)[0].success
    assert printed == []
    with click.Context(click.Command("api"), info_name="execute_run"):
        executed(settings)
    assert printed == []
    assert wait not in os.environ
    with click.Context(click.Command("materialize"), info_name="materialize"):
        executed(settings)
    assert float(os.environ[wait]) > 0
    [(function, arguments)] = printed
    assert function is run_summary._print
    tables, failure = arguments
    assert [each.title for each in tables] == ["job"]
    assert failure == ""
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("idle started") == 1
    assert sum(line.startswith("idle done in ") for line in lines) == 1


@pytest.mark.parametrize(("command", "option"), [("materialize", "select"), ("launch", "assets")])
def test_a_selection_without_assets_runs_nothing(command, option, printed, tmp_path, capsys):
    with click.Context(click.Command(command), info_name=command) as context:
        context.params = {option: 'key:"churn/*"'}
        assert not executed(Settings(home=tmp_path))[0].success
    [(_, (tables, failure))] = printed
    assert tables == []
    assert "nothing was run" in failure
    assert 'key:"churn/*"' in failure
    assert "idle started" not in capsys.readouterr().err


def test_a_refused_selection_leaves_no_run_that_counts_for_every_asset(printed, tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        with click.Context(click.Command("launch"), info_name="launch") as context:
            context.params = {"assets": 'key:"churn/*"'}
            result, _ = executed(Settings(home=tmp_path), stored=instance)
        assert instance.get_run_by_id(result.run_id) is not None
        for function, arguments in printed:
            if not arguments:
                function()
        assert instance.get_run_by_id(result.run_id) is None


def test_a_run_that_made_nothing_is_named_by_the_steps_that_failed(tmp_path):
    observed = Observed(failures=[("bank__trained_model", None)])
    [table] = run_summary._tables(dg.DagsterRun(job_name="any"), observed, Settings(home=tmp_path))
    assert table.title == "bank/trained_model"


def test_a_run_is_tagged_by_what_started_it(tmp_path):
    settings = Settings(home=tmp_path)
    assert executed(settings)[1]["started_by"] == "user interface or API"
    assert executed(settings, {"started_by": "me", "pipeline": "bank"})[1]["started_by"] == "me"


def test_a_failure_is_printed_after_the_tables(capsys):
    run_summary._print([run_summary.Summary("bank")], "bank/raw_dataset failed")
    run_summary._print([run_summary.Summary("bank")], "")
    assert capsys.readouterr().err == "\nbank\n\nbank/raw_dataset failed\n\nbank\n\nrun succeeded\n"


@pytest.mark.parametrize(("number", "shown"), [(6, 6), (7, 1)])
def test_few_checks_that_pass_are_named_and_those_that_fail_always(number, shown, capsys):
    names = [f"check_{each}" for each in range(number)]
    specs = [dg.AssetCheckSpec(name, asset=["bank", "raw_dataset"]) for name in (*names, "rows_known")]

    @dg.asset(key=["bank", "raw_dataset"], check_specs=specs)
    def made():
        yield dg.Output(1)
        yield from (dg.AssetCheckResult(check_name=name, passed=True) for name in names)
        yield dg.AssetCheckResult(check_name="rows_known", passed=False, description="2 of 3\nrows aren&#39;t")

    events, progress = dg.materialize([made], raise_on_error=False).all_events, Progress()
    capsys.readouterr()
    for event in events:
        progress.note(event)
    lines = capsys.readouterr().err.splitlines()
    assert sum(" passed" in line for line in lines) == shown
    assert "check_0" in "".join(line for line in lines if " passed" in line)
    said = "Asset check 'rows_known' on 'bank/raw_dataset' did not pass. Description: '2 of 3 rows aren't'"
    assert said in lines
    assert lines[-1].startswith("bank/raw_dataset done in ")


def test_a_summary_has_what_its_run_made_alone(trained_bank):
    artifacts, names = trained_bank.artifacts, set(ASSETS)
    run_id = artifacts.newest(("bank", "champion_model"), None).run_id
    own = summary_of(RunValues(artifacts, run_id, "bank", None, names), Settings(), "")
    said = {each.name: each.text for each in own.facts}
    assert said["raw dataset"] == "200 rows"
    assert said["gate"].startswith("passed 200 rows")
    assert said["champion"] == "bank version 1, where there was none"
    report = artifacts.load(("bank", "evaluation_report"), None, EvaluationReport)
    assert {each.name: each.holdout for each in own.metrics} == report.metrics
    names_of_pages = ["run", "evaluation", "MLflow run", "champion's page", "report", "gate's page"]
    assert [each.name for each in own.addresses] == names_of_pages
    assert own.addresses[-2].text == "http://localhost:8090/bank/model_report/2/report.html"
    assert own.addresses[-1].text == "http://localhost:8090/bank/validation_report/1/profile.html"
    other = summary_of(RunValues(artifacts, "another", "bank", None, names), Settings(), "x")
    assert (other.title, other.facts, other.metrics) == ("bank (space x)", (), ())
    assert [each.name for each in other.addresses] == ["run"]


def test_a_refusal_has_the_address_of_the_gates_page():
    refused = SimpleNamespace(
        run_id="r",
        number=7,
        asset=("bank", "validated_dataset"),
        partition="2024-01",
        status="rejected",
    )
    log = SimpleNamespace(newest=lambda asset, _: refused if asset[1] == "validated_dataset" else None)
    made = RunValues(SimpleNamespace(log=log), "r", "bank", "2024-01", {"raw_dataset", "validated_dataset"})
    found = list(run_values.pages(made, ReportSite("http://localhost:8090", "forest")))
    address = "http://localhost:8090/bank/validated_dataset/7/profile.html?partition=2024-01&space=forest"
    assert [(each.name, each.text) for each in found] == [("gate's page", address)]
    refused.status = "published"
    assert list(run_values.pages(made, ReportSite("http://localhost:8090"))) == []


def test_a_refusal_says_which_rule_of_which_column_how_many_rows_broke(monthly, tmp_path):
    rows = [row | {"x": -1} if row["day"].startswith("2021-01-01") else row for row in monthly_rows()]
    write_csv(tmp_path / "data" / "monthly.csv", rows)
    refused = monthly.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition="2021-01")
    names = {"raw_dataset", "validated_dataset"}
    made = RunValues(monthly.artifacts, refused.run_id, "monthly", "2021-01", names)
    said = [(each.name, each.text) for each in summary_of(made, Settings(), "").facts]
    assert said[-2:] == [
        ("gate", "refused 40 rows: values_in_range"),
        ("refused by", "values_in_range, x: values outside in 2 of 40 rows; expected at least 0"),
    ]


def test_a_store_that_fails_is_named_in_place_of_tables(monkeypatch, tmp_path):
    def broken(*_):
        raise SpecError("no store")

    monkeypatch.setattr(run_summary, "object_store_of", broken)
    observed = Observed(assets={("bank", None): {"raw_dataset"}})
    [table] = run_summary._tables(dg.DagsterRun(job_name="any"), observed, Settings(home=tmp_path))
    assert "no store" in table.facts[0].text


def test_at_most_three_partitions_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(RunValues, "rows", lambda _: iter([run_summary.Fact("raw dataset", "1 rows")]))
    observed = Observed(assets={("bank", f"2021-0{month}"): {"raw_dataset"} for month in range(1, 6)})
    tables = run_summary._tables(dg.DagsterRun(job_name="any"), observed, Settings(home=tmp_path))
    assert [each.title for each in tables] == [
        "2 earlier partitions are not shown",
        "bank 2021-03",
        "bank 2021-04",
        "bank 2021-05",
    ]


def test_a_run_without_values_of_its_own_gives_its_address(tmp_path):
    observed, run = Observed(assets={("bank", "2021-01"): {"drift_report"}}), dg.DagsterRun(job_name="any")
    [table] = run_summary._tables(run, observed, Settings(home=tmp_path))
    assert table.title == "bank/drift_report"
    assert [each.text for each in table.addresses] == [f"http://localhost:3000/runs/{run.run_id}"]


def test_pages_show_the_metrics_of_a_model_and_its_comparison(trained_bank):
    trained_bank.materialize("bank/*")
    report = trained_bank.artifacts.load(("bank", "evaluation_report"), None, EvaluationReport)
    key = dg.AssetKey(["bank", "trained_model"])
    [seen, *_] = trained_bank.instance.fetch_observations(key, limit=1).records
    shown = seen.asset_observation.metadata
    assert {each.data["metric"] for each in shown["metrics"].records} == set(report.metrics)
    [made, *_] = trained_bank.instance.fetch_materializations(dg.AssetKey(["bank", "champion_model"]), limit=1).records
    rows = [each.data for each in made.asset_materialization.metadata["champion and challenger"].records]
    assert {each["metric"] for each in rows if each["of"] == "all compared rows"} == set(report.metrics)
    assert all(each["champion"] == each["challenger"] for each in rows)
    record = trained_bank.artifacts.load(("bank", "champion_model"), None, ChampionRecord)
    assert record.decision.values[0].rows == report.holdout_rows
