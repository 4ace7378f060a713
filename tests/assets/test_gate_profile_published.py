"""What the gate shows: a page beside the data, and checks that name it, partition by partition."""

import json
from pathlib import Path

import dagster as dg
import pytest
from small_platform import BANK, MONTHLY, bank_rows, failure, monthly_rows, write_csv

from assay.errors import StorageError
from assay.gate.report import GateReport

GATED = ("monthly/raw_dataset", "monthly/validated_dataset")
IN_RANGE = dg.AssetCheckKey(dg.AssetKey(["monthly", "validated_dataset"]), "values_in_range")


def spoil(tmp_path, month):
    rows = [row | {"x": -1} if row["day"].startswith(month) else row for row in monthly_rows()]
    write_csv(tmp_path / "data" / "monthly.csv", rows)


def metadata(result, asset="validated_dataset"):
    [event] = [event for event in result.get_asset_materialization_events() if event.asset_key.path[-1] == asset]
    return event.materialization.metadata


def checks(result):
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_data_that_passed_has_a_page_and_a_report_beside_it(monthly):
    shown = metadata(monthly.materialize(*GATED, partition="2021-01"))
    page = Path(shown["profile page"].value).read_text()
    assert "Data of monthly, partition <bdi>2021-01</bdi>" in page
    assert "<strong>Passed</strong>" in page
    assert json.loads(Path(shown["report"].value).read_text())["partition"] == "2021-01"
    assert (shown["warnings"].value, shown["rules that warn"].value) == (0, "none")
    commit = monthly.artifacts.newest(("monthly", "validation_report"), "2021-01")
    assert [item.name for item in commit.objects] == ["value.json", "profile.html"]
    assert monthly.artifacts.read(commit, GateReport).passed


def test_refused_data_has_a_page_that_its_failed_check_names(monthly, tmp_path):
    spoil(tmp_path, "2021-01")
    refused = monthly.materialize(*GATED, partition="2021-01")
    found = checks(refused)
    failed = found["values_in_range"].metadata
    assert "<strong>Rejected</strong>" in Path(failed["profile page"].value).read_text()
    assert json.loads(Path(failed["report"].value).read_text())["passed"] is False
    assert failed["failing share"].value == 1.0
    assert "profile page" not in found["row_count_in_range"].metadata
    assert found["row_count_in_range"].metadata["observed"].value == "40 rows"
    # the partition's own page shows nothing of a failed step; the run and the tab of events do
    assert f"read {failed['page'].value}; correct the data" in failure(refused)


def test_a_warning_is_counted_named_and_shown_with_its_failures(monthly, tmp_path):
    spoil(tmp_path, "2021-01")
    lenient = MONTHLY.replace("min_rows: 10,", "min_rows: 10, warn: [values_in_range],")
    monthly.pipeline(lenient, tmp_path / "data" / "monthly.csv")
    result = monthly.materialize(*GATED, partition="2021-01")
    assert result.success
    shown, warned = metadata(result), checks(result)["values_in_range"]
    assert (shown["warnings"].value, shown["rules that warn"].value) == (1, "values_in_range")
    assert "Passed with warnings" in Path(shown["profile page"].value).read_text()
    assert (warned.severity, warned.passed, warned.blocking) == (dg.AssetCheckSeverity.WARN, False, False)
    assert warned.metadata["failing rows"].value == 40
    assert "| x | at least 0 |" in warned.metadata["failures"].value
    assert warned.metadata["profile page"].value == shown["profile page"].value


def test_checks_know_which_partition_failed(monthly, tmp_path):
    spoil(tmp_path, "2021-01")
    assert not monthly.materialize(*GATED, partition="2021-01").success
    assert monthly.materialize(*GATED, partition="2021-02").success
    states = monthly.instance.event_log_storage.get_asset_check_partition_info([IN_RANGE])
    assert {state.partition_key: state.latest_execution_status.value for state in states} == {
        "2021-01": "FAILED",
        "2021-02": "SUCCEEDED",
    }


def test_values_that_must_not_be_shown_are_in_nothing_that_is_shown(bank, tmp_path):
    bank.pipeline(
        BANK.replace("min_rows: 50", "min_rows: 50\n  show_values: false").replace("[admin, nurse, pilot]", "[nurse]"),
        write_csv(tmp_path / "data" / "bank.csv", bank_rows()),
    )
    result = bank.materialize("bank/raw_dataset", "bank/validated_dataset")
    failed = checks(result)["values_allowed"].metadata
    shown = [Path(failed[name].value).read_text() for name in ("profile page", "report")]
    shown += [str(check.metadata) + (check.description or "") for check in checks(result).values()]
    for value in ("swordfish", "opensesame", "pilot", "admin", "c00001"):
        assert not [text for text in shown if value in text]


def test_a_page_is_asked_for_by_name(monthly):
    assert monthly.materialize(*GATED, partition="2021-01").success
    commit = monthly.artifacts.newest(("monthly", "validation_report"), "2021-01")
    with pytest.raises(StorageError, match="no such file") as refused:
        monthly.artifacts.uri(commit, "profil.html")
    assert refused.value.expected == "one of value.json, profile.html"


def test_a_refusal_is_recorded_although_its_page_cannot_be_drawn(monthly, tmp_path, monkeypatch):
    def broken(*_, **__):
        message = "no picture"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("ml_assets.pipeline.gate_step.to_html", broken)
    spoil(tmp_path, "2021-01")
    found = checks(monthly.materialize(*GATED, partition="2021-01"))["values_in_range"]
    assert not found.passed
    assert "could not be drawn (ZeroDivisionError)" in Path(found.metadata["profile page"].value).read_text()
    assert json.loads(Path(found.metadata["report"].value).read_text())["passed"] is False
