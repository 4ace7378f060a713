"""The maintenance jobs remove leftovers and restore earlier versions."""

import os
import time

import dagster as dg
from small_platform import BANK, bank_rows, write_csv

from assay.data.dataset import Dataset
from resources.settings import Settings


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


def test_leftovers_go_and_history_stays(bank, tmp_path):
    assert bank.materialize("bank/raw_dataset").success
    leftover = tmp_path / "leftover"
    leftover.write_bytes(b"x")
    key = "bank/raw_dataset/@whole/data/some-attempt/0123456789abcdef-data.parquet"
    bank.artifacts.store.put_file(key, leftover)
    config = {"ops": {"remove_leftovers": {"config": {"older_than_hours": 1}}}}
    assert run_job(bank, "artifact_janitor_job", config).output_for_node("remove_leftovers") == 0
    os.utime(bank.artifacts.store.uri(key), (time.time() - 7200,) * 2)
    assert run_job(bank, "artifact_janitor_job", config).output_for_node("remove_leftovers") == 1
    assert bank.artifacts.load(("bank", "raw_dataset"), None, Dataset).table.num_rows == 200


def test_the_janitor_removes_copies_of_refused_files_by_the_settings(platform, tmp_path):
    source = tmp_path / "bad.csv"
    source.write_text("age,y\n1,yes\n2\n")
    platform.pipeline(BANK, source)
    assert not platform.materialize("bank/raw_dataset").success
    kept = [item.key for item in platform.artifacts.store.list_objects("bank/@quarantine/")]
    assert len(kept) == 2
    assert run_job(platform, "artifact_janitor_job", {}).output_for_node("expire_quarantine") == 0
    platform.settings = Settings(**platform.settings.model_dump() | {"quarantine_megabytes": 1e-6})
    assert run_job(platform, "artifact_janitor_job", {}).output_for_node("expire_quarantine") == 1
    assert not list(platform.artifacts.store.list_objects("bank/@quarantine/"))


def test_the_janitor_runs_nightly_only_where_the_quarantine_is_bounded(platform):
    def status():
        [schedule] = [one for one in platform.definitions.schedules if one.name == "artifact_janitor_schedule"]
        return schedule.default_status

    assert status() is dg.DefaultScheduleStatus.STOPPED
    platform.settings = Settings(**platform.settings.model_dump() | {"quarantine_days": 30})
    assert status() is dg.DefaultScheduleStatus.RUNNING
