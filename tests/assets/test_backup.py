"""A backup is restored elsewhere with all that it names, whatever is written while it is made."""

import hashlib
import importlib.util
import json
import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from small_platform import Platform, bank_rows, instance_in

from resources.mlflow.connection import connect
from resources.settings import Settings

SCRIPT = Path(__file__).parents[2] / "deploy" / "operations" / "backup.py"
spec = importlib.util.spec_from_file_location("backup", SCRIPT)
backup = importlib.util.module_from_spec(spec)
spec.loader.exec_module(backup)


def commits(store):
    return [json.loads(path.read_bytes()) for path in sorted(store.rglob("commits/*.json"))]


def dangling(store):
    """Return the objects that a commit names and that are not there with its digest."""
    named = [named for commit in commits(store) for named in commit["objects"]]
    assert named
    paths = [(store / each["key"], each["sha256"]) for each in named]
    return [path for path, sha in paths if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != sha]


def champion(platform):
    return platform.resources["model_registry"].current_champion("bank")


def predictions(platform, version):
    """Return where MLflow has the files of a version, and what it predicts."""
    source = connect(platform.settings.tracking_uri).get_model_version("bank", version).source
    return source, mlflow.pyfunc.load_model(source).predict(pd.DataFrame(bank_rows(20)).drop(columns="y"))


def test_a_deployment_is_restored_elsewhere(promoted, tmp_path):
    home, before = promoted.settings.home, champion(promoted)
    runs, records = promoted.instance.get_runs_count(), commits(home / "store")
    _, predicted = predictions(promoted, before.version)
    assert runs
    backup.save(backup.places_of(home, tmp_path / "dagster"), tmp_path / "saved")
    shutil.rmtree(home)
    for file in (tmp_path / "dagster").rglob("*.db"):
        file.unlink()

    elsewhere = tmp_path / "elsewhere"
    backup.restore(tmp_path / "saved", backup.places_of(elsewhere))
    with instance_in(elsewhere / "dagster") as instance:
        restored = Platform(Settings(home=elsewhere, pipelines_dir=promoted.settings.pipelines_dir), instance)
        assert instance.get_runs_count() == runs
        assert (commits(elsewhere / "store"), dangling(elsewhere / "store")) == (records, [])
        after = champion(restored)
        assert after.entry == before.entry
        source, found = predictions(restored, after.version)
        assert source.startswith(str(elsewhere))
        assert found.equals(predicted)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def publish(store, number):
    """Write an object, and then the commit that names it, as the store does."""
    content = f"rows {number}".encode()
    sha = hashlib.sha256(content).hexdigest()
    key = f"bank/rows/@whole/data/run-{number}/{sha[:16]}-rows"
    write(store / key, content)
    record = {"objects": [{"key": key, "sha256": sha}]}
    write(store / f"bank/rows/@whole/commits/{number:08d}.json", json.dumps(record).encode())


def test_what_is_written_meanwhile_leaves_no_commit_without_its_objects(tmp_path, monkeypatch):
    places, copy, copied = backup.places_of(tmp_path / "home"), backup._copy, []
    publish(places["store"], 1)

    def copy_while_others_write(file, target):
        copy(file, target)
        copied.append(file)
        publish(places["store"], len(copied) + 1)

    monkeypatch.setattr(backup, "_copy", copy_while_others_write)
    backup.save(places, tmp_path / "saved")
    assert dangling(tmp_path / "saved" / "store") == []


@pytest.fixture
def saved(tmp_path):
    publish(tmp_path / "home" / "store", 1)
    backup.save(backup.places_of(tmp_path / "home"), tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"?")])
def test_a_damaged_backup_is_not_restored(saved, tmp_path, damage):
    damage(next(saved.rglob("*-rows")))
    with pytest.raises(backup.BackupError, match="damaged"):
        backup.restore(saved, backup.places_of(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(saved, tmp_path):
    with pytest.raises(backup.BackupError, match="overwrites nothing"):
        backup.restore(saved, backup.places_of(tmp_path / "home"))
    with pytest.raises(backup.BackupError, match="name a new folder"):
        backup.save(backup.places_of(tmp_path / "home"), saved)
    with pytest.raises(backup.BackupError, match="no store"):
        backup.save(backup.places_of(tmp_path / "nowhere"), tmp_path / "other")
