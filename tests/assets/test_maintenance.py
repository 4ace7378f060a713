"""Leftovers are removed, and earlier versions brought back, from the UI's launchpad."""

import time

from small_platform import bank_rows, write_csv

from assay.tables.dataset import Dataset


def run_job(platform, name, config):
    job = platform.definitions.resolve_job_def(name)
    return job.execute_in_process(instance=platform.instance, run_config=config)


def test_an_earlier_version_is_brought_back(bank, tmp_path):
    assert bank.materialize("bank/raw_dataset").success
    write_csv(tmp_path / "data" / "bank.csv", bank_rows(rows=150))
    assert bank.materialize("bank/raw_dataset").success
    config = {"ops": {"restore_version": {"config": {"asset": "bank/raw_dataset", "version": 1}}}}
    result = run_job(bank, "artifact_restore_job", config)
    assert result.output_for_node("restore_version") == 3
    assert bank.artifacts.load(("bank", "raw_dataset"), None, Dataset).table.num_rows == 200


def test_leftovers_go_and_history_stays(bank, tmp_path, monkeypatch):
    assert bank.materialize("bank/raw_dataset").success
    leftover = tmp_path / "leftover"
    leftover.write_bytes(b"x")
    key = "bank/raw_dataset/@whole/data/some-attempt/0123456789abcdef-data.parquet"
    bank.artifacts.store.put_file(key, leftover)
    config = {"ops": {"remove_leftovers": {"config": {"older_than_hours": 1}}}}
    assert run_job(bank, "artifact_janitor_job", config).output_for_node("remove_leftovers") == 0
    later = time.time() + 7200
    monkeypatch.setattr(time, "time", lambda: later)
    assert run_job(bank, "artifact_janitor_job", config).output_for_node("remove_leftovers") == 1
    assert bank.artifacts.load(("bank", "raw_dataset"), None, Dataset).table.num_rows == 200
