"""The gate cannot be bypassed: not by a later run, not by editing what is stored."""

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from small_platform import BANK, MONTHLY, bank_rows, failure, monthly_rows, write_csv

from assay.data.dataset import ValidatedDataset
from assay.data.fingerprint import fingerprint
from assay.errors import ArtifactNotFoundError, GateRejectedError
from ml_assets.pipeline.asset import Phase
from ml_assets.stages import names_in
from resources.store.local import file_sha256

GATED = list(names_in(Phase.LEARNING))


def spoil(platform, tmp_path, month):
    """Make one month's data break a rule, and let the gate see it."""
    rows = [row | {"x": -1} if row["day"].startswith(month) else row for row in monthly_rows()]
    write_csv(tmp_path / "data" / "monthly.csv", rows)
    return platform.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition=month)


def stored_file(platform, partition) -> Path:
    commit = platform.artifacts.newest(("monthly", "validated_dataset"), partition)
    return Path(platform.artifacts.uri(commit))


def edit_one_cell(path: Path) -> None:
    table = pq.read_table(path)
    changed = pc.if_else(pc.equal(table["x"], 3), 4, table["x"])
    assert not changed.equals(table["x"])
    pq.write_table(table.set_column(table.column_names.index("x"), "x", changed), path)


def test_bad_data_fails_with_a_failure_table_and_is_not_published(monthly, tmp_path):
    result = spoil(monthly, tmp_path, "2021-01")
    assert not result.success
    [failed] = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed.check_name == "values_in_range"
    assert failed.blocking
    assert "| x |" in failed.metadata["failures"].value
    assert failed.metadata["failing rows"].value == 40
    with pytest.raises(GateRejectedError, match="rejected"):
        monthly.artifacts.load(("monthly", "validated_dataset"), "2021-01", ValidatedDataset)
    assert [c.status for c in monthly.artifacts.log.history(("monthly", "validated_dataset"), "2021-01")] == [
        "rejected"
    ]


@pytest.mark.parametrize("asset", [GATED[0], *(pytest.param(each, marks=pytest.mark.full) for each in GATED[1:])])
def test_a_later_run_of_any_asset_alone_is_refused_for_that_partition_only(request, tmp_path, asset):
    months = request.getfixturevalue("gated_months" if asset == GATED[0] else "learned_months")
    assert not spoil(months, tmp_path, "2021-03").success
    refused = months.materialize(f"monthly/{asset}", partition="2021-03")
    assert not refused.success
    message = failure(refused)
    assert "[gate_rejected]" in message
    assert "monthly/validated_dataset, partition 2021-03" in message
    assert "values_in_range" in message
    assert months.materialize(f"monthly/{asset}", partition="2021-02").success


def test_corrected_data_is_accepted_again(gated_months, tmp_path):
    assert not spoil(gated_months, tmp_path, "2021-03").success
    write_csv(tmp_path / "data" / "monthly.csv", monthly_rows())
    assert gated_months.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition="2021-03").success
    assert gated_months.materialize("monthly/best_hyperparameters", partition="2021-03").success


def test_one_edited_cell_is_found(gated_months):
    assert gated_months.materialize("monthly/best_hyperparameters", partition="2021-03").success
    edit_one_cell(stored_file(gated_months, "2021-02"))
    message = failure(gated_months.materialize("monthly/trained_model", partition="2021-03"))
    assert "[digest_mismatch]" in message
    assert "partition 2021-02" in message
    assert "column x" in message


def test_an_edit_that_also_forges_the_commit_is_found_by_the_receipt(gated_months, tmp_path):
    path = stored_file(gated_months, "2021-02")
    edit_one_cell(path)
    [record] = Path(gated_months.settings.artifact_uri).glob(
        "monthly/validated_dataset/@partition/2021-02/commits/*.json"
    )
    commit = json.loads(record.read_text())
    forged = fingerprint(pq.read_table(path))
    commit["fingerprint"] = forged.model_dump(mode="json")
    commit["data_version"] = forged.digest
    for item in commit["objects"]:
        if item["name"] == "data.parquet":
            item |= {"sha256": file_sha256(path), "size": path.stat().st_size}
    record.write_text(json.dumps(commit))
    message = failure(gated_months.materialize("monthly/best_hyperparameters", partition="2021-03"))
    assert "[receipt_mismatch] the rows are not those that passed the gate" in message


def test_data_that_passed_other_rules_is_refused(gated_months, tmp_path):
    stricter = MONTHLY.replace("min_rows: 10", "min_rows: 11")
    gated_months.pipeline(stricter, tmp_path / "data" / "monthly.csv")
    message = failure(gated_months.materialize("monthly/best_hyperparameters", partition="2021-03"))
    assert "[receipt_mismatch] the rows passed the gate under other rules" in message


def test_a_window_with_unpublished_months_names_them(monthly):
    assert monthly.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition="2021-03").success
    message = failure(monthly.materialize("monthly/best_hyperparameters", partition="2021-03"))
    assert "nothing is published for 2 partitions" in message
    assert "2021-01, 2021-02" in message


def test_a_window_before_the_first_month_says_how_many_are_missing(monthly):
    monthly.pipeline(MONTHLY.replace('"2020-11"', '"2020-12"'), Path("data/monthly.csv").absolute())
    for month in ("2020-12", "2021-01"):
        assert monthly.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition=month).success
    message = failure(monthly.materialize("monthly/best_hyperparameters", partition="2021-01"))
    assert "1 partition is missing" in message
    assert "train on a later partition" in message


def test_december_to_january_is_no_special_case(gated_months):
    assert gated_months.materialize(
        "monthly/best_hyperparameters", "monthly/trained_model", partition="2021-02"
    ).success
    commit = gated_months.artifacts.newest(("monthly", "trained_model"), "2021-02")
    assert {name for name in commit.inputs if "validated" in name} == {
        "monthly/validated_dataset@2020-12",
        "monthly/validated_dataset@2021-01",
        "monthly/validated_dataset@2021-02",
    }


def test_nothing_is_half_there_when_the_store_fails(gated_months, monkeypatch):
    from resources.store.local import LocalStore

    def full(self, key, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalStore, "put_if_absent", full)
    assert not gated_months.materialize("monthly/best_hyperparameters", partition="2021-03").success
    monkeypatch.undo()
    with pytest.raises(ArtifactNotFoundError):
        gated_months.artifacts.newest(("monthly", "best_hyperparameters"), "2021-03")


@pytest.mark.full
def test_editing_a_custom_rule_makes_its_receipts_void(monthly, tmp_path, monkeypatch):
    monthly.settings = monthly.settings.model_copy(update={"extensions_dir": tmp_path})
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "rules_of_the_test.py"
    module.write_text("def fine(rows):\n    return True\n")
    text = MONTHLY.replace("ranges:", "custom: {{fine: 'rules_of_the_test:fine'}}, ranges:")
    monthly.pipeline(text, tmp_path / "data" / "monthly.csv")
    for month in ("2021-01", "2021-02", "2021-03"):
        assert monthly.materialize("monthly/raw_dataset", "monthly/validated_dataset", partition=month).success
    assert monthly.materialize("monthly/best_hyperparameters", partition="2021-03").success
    module.write_text("def fine(rows):\n    return len(rows) > 1\n")
    message = failure(monthly.materialize("monthly/best_hyperparameters", partition="2021-03"))
    assert "[receipt_mismatch] the rows passed the gate under other rules" in message


def checks(result):
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def validate(platform, month, *, parameters=None):
    return platform.materialize(
        "monthly/raw_dataset", "monthly/validated_dataset", partition=month, parameters=parameters
    )


def with_rules(platform, tmp_path, rules, *, rows=None):
    source = tmp_path / "data" / "monthly.csv"
    if rows is not None:
        write_csv(source, rows)
    platform.pipeline(MONTHLY.replace("ranges:", rules.replace("{", "{{").replace("}", "}}") + ", ranges:"), source)


def test_a_rule_that_warns_shows_a_warning_and_still_publishes(monthly, tmp_path):
    with_rules(monthly, tmp_path, "warn: [values_in_range]")
    result = spoil(monthly, tmp_path, "2021-01")
    assert result.success
    [failed] = [check for check in checks(result).values() if not check.passed]
    assert (failed.check_name, failed.severity.value, failed.blocking) == ("values_in_range", "WARN", False)
    assert monthly.artifacts.load(("monthly", "validated_dataset"), "2021-01", ValidatedDataset).table.num_rows == 40


@pytest.mark.full
def test_a_backfilled_month_is_fresh_as_of_its_own_end(monthly, tmp_path):
    with_rules(monthly, tmp_path, "freshness: {column: day, max_age_hours: 90}")
    result = validate(monthly, "2021-02")
    assert "2021-03-01 00:00 UTC" in checks(result)["data_is_fresh"].metadata["expected"].value
    assert result.success
    assert not validate(monthly, "2021-01").success  # its last day is the 28th


def drifted_rows():
    return [row | {"z": row["z"] + (5 if row["day"].startswith("2021-02") else 0)} for row in monthly_rows()]


def test_a_month_is_compared_with_the_newest_that_passed_of_the_month_before(monthly, tmp_path):
    with_rules(monthly, tmp_path, "distributions: {columns: [z]}", rows=drifted_rows())
    first = validate(monthly, "2021-01")
    assert checks(first)["distributions_as_reference"].metadata["observed"].value == "no reference yet"
    drifted = validate(monthly, "2021-02")
    assert drifted.success
    assert not checks(drifted)["distributions_as_reference"].passed
    assert "KS distance 1.000" in checks(drifted)["distributions_as_reference"].metadata["observed"].value
    # a refusal in between leaves what passed in its place
    assert not spoil(monthly, tmp_path, "2021-01").success
    write_csv(tmp_path / "data" / "monthly.csv", drifted_rows())
    assert not checks(validate(monthly, "2021-02"))["distributions_as_reference"].passed


@pytest.mark.full
def test_a_partition_can_be_the_reference_of_all(monthly, tmp_path):
    with_rules(monthly, tmp_path, 'distributions: {columns: [z], reference: "2021-01"}', rows=drifted_rows())
    assert validate(monthly, "2021-01").success
    assert checks(validate(monthly, "2021-03"))["distributions_as_reference"].passed
    with_rules(monthly, tmp_path, 'distributions: {reference: "2019-01"}')
    assert "not a partition of this pipeline's data" in failure(validate(monthly, "2021-03"))


def test_what_blocks_in_one_run_alone_fails_that_run(monthly, tmp_path):
    with_rules(monthly, tmp_path, "distributions: {columns: [z]}", rows=drifted_rows())
    assert validate(monthly, "2021-01").success
    parameters = {"data_validation": {"block": ["distributions_as_reference"]}}
    result = validate(monthly, "2021-02", parameters=parameters)
    assert not result.success
    assert "[gate_rejected]" in failure(result)
    assert not checks(result)["distributions_as_reference"].passed


def test_a_rule_that_only_a_run_adds_blocks_and_is_reported_by_the_further_check(monthly):
    passed = checks(validate(monthly, "2021-01"))["run_parameter_rules_hold"]
    assert (passed.passed, passed.description) == (True, "not configured")
    unique = {"unique": [["x"]], "allowed": {"x": [1, 2]}}

    result = validate(monthly, "2021-02", parameters={"data_validation": unique})

    assert not result.success
    assert "[gate_rejected]" in failure(result)
    [failed] = [check for check in checks(result).values() if not check.passed]
    assert (failed.check_name, failed.severity.value, failed.blocking) == ("run_parameter_rules_hold", "ERROR", True)
    assert failed.metadata["observed"].value.startswith("rows_unique_by_key: every key occurs once; values_allowed: x:")
    assert failed.metadata["failing rows"].value == 38
    assert "| x | one of 1, 2 |" in failed.metadata["failures"].value
    assert monthly.artifacts.log.history(("monthly", "validated_dataset"), "2021-02")[0].status == "rejected"


def test_a_rule_that_only_a_run_adds_can_warn(monthly):
    added = {"unique": [["z"]], "allowed": {"x": [1, 2]}, "warn": ["values_allowed"]}

    result = validate(monthly, "2021-02", parameters={"data_validation": added})

    assert result.success, failure(result)
    [failed] = [check for check in checks(result).values() if not check.passed]
    assert (failed.check_name, failed.severity.value) == ("run_parameter_rules_hold", "WARN")


def test_a_configured_rule_that_a_run_switches_off_passes_as_not_configured(monthly):
    result = validate(monthly, "2021-02", parameters={"data_validation": {"ranges": {}}})

    assert checks(result)["values_in_range"].description == "not configured"


@pytest.mark.full
def test_rows_without_partitions_are_compared_with_those_that_passed_last(bank, tmp_path):
    source = tmp_path / "data" / "bank.csv"
    bank.pipeline(BANK.replace("  min_rows: 50", "  min_rows: 50\n  distributions: {{columns: [age]}}"), source)
    both = ("bank/raw_dataset", "bank/validated_dataset")
    assert (
        checks(bank.materialize(*both))["distributions_as_reference"].metadata["observed"].value == "no reference yet"
    )
    assert checks(bank.materialize(*both))["distributions_as_reference"].passed
    write_csv(source, [row | {"age": min(row["age"] + 30, 120)} for row in bank_rows()])
    again = bank.materialize(*both)
    assert again.success
    assert not checks(again)["distributions_as_reference"].passed
