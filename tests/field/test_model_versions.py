"""Versions of models in the shell's output: immutable, whole, and with digests."""

import json
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_platform import BANK, bank_rows, write_csv

from assay.errors import DigestMismatchError, TargetExistsError
from assay.learning.persistence import MANIFEST_FILE, MODEL_FILE, load_model
from assay.shell.learning import base_model
from assay.shell.main import Exit, main
from assay.shell.storage import LocalStorage
from assay.specs.loading import parse_pipeline
from resources.artifacts.model_export import ModelExporter
from resources.object_store import BoundedS3Resource, ObjectStoreResource
from resources.settings import Settings


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "bank.csv", bank_rows())
    line = ["train", "--train-data-path", "bank.csv", "--target-column", "y", "--model-name", "logistic_regression"]
    line += ["--model-version", "2", "--target-output-path", "out"]
    return SimpleNamespace(
        run=lambda *more: main([*line, *more]), bundle=tmp_path / "out" / "logistic_regression" / "2"
    )


def test_a_version_is_trained_once_unless_it_is_to_be_overwritten(train, capsys):
    """`assay train --model-version 2` twice replaced the first bundle, with exit code 0."""
    assert train.run() == Exit.DONE
    first = (train.bundle / MODEL_FILE).read_bytes()
    assert train.run("--random-state", "7") == Exit.REFUSED
    assert "[target_exists]" in (message := capsys.readouterr().err)
    assert "--overwrite in the shell, ASSAY_TARGET_OVERWRITE=on for exports" in message
    assert (train.bundle / MODEL_FILE).read_bytes() == first
    assert train.run("--random-state", "7", "--overwrite") == Exit.DONE
    assert (train.bundle / MODEL_FILE).read_bytes() != first
    # a new model under an old manifest: what a killed export would leave
    (train.bundle / MODEL_FILE).write_bytes(first)
    with pytest.raises(DigestMismatchError, match="not the one that its manifest names"):
        load_model(train.bundle)


def test_there_is_a_whole_version_at_every_moment_of_an_overwrite(tmp_path):
    """Between the removal of the former bundle and the arrival of the new one there was no model."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MODEL_FILE).write_text(name)
        (tmp_path / name / MANIFEST_FILE).write_text(f'{{"family": "{name}"}}')
    target, seen, over = tmp_path / "out" / "2", set(), threading.Event()
    LocalStorage().put_bundle(tmp_path / "a", str(target))

    def watch():
        while not over.is_set():
            seen.add(target.exists())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(30):
        LocalStorage().put_bundle(tmp_path / "ba"[number % 2], str(target), overwrite=True)
    over.set()
    watcher.join()
    assert seen == {True}
    assert [path.name for path in target.parent.iterdir()] == ["2"]


def test_a_bundle_is_replaced_whole_where_folders_cannot_be_exchanged(train, monkeypatch):
    """Network file systems and macOS have no exchange: the former folder was moved away first."""
    monkeypatch.setattr("assay.shell.storage._exchanged", lambda *_: False)
    moments, move = [], Path.replace

    def replaced(path, target):
        if Path(target).name != MANIFEST_FILE:
            return move(path, target)
        moments.append(load_model(train.bundle).manifest.seed)
        moved = move(path, target)
        moments.append(load_model(train.bundle).manifest.seed)
        return moved

    assert train.run("--random-state", "1") == Exit.DONE
    monkeypatch.setattr(Path, "replace", replaced)
    assert train.run("--random-state", "2", "--overwrite") == Exit.DONE
    assert train.run("--random-state", "3", "--overwrite") == Exit.DONE
    assert moments == [1, 2, 2, 3]
    [folder] = [path for path in train.bundle.iterdir() if path.is_dir()]
    assert [path.name for path in train.bundle.iterdir() if path.is_file()] == [MANIFEST_FILE]
    digests = json.loads((train.bundle / MANIFEST_FILE).read_text())["files"]
    assert sorted(digests) == sorted(path.name for path in folder.iterdir())


def test_a_training_goes_on_from_a_bundle_that_is_replaced_while_it_is_read(train, monkeypatch):
    """The reader has the former manifest, and its files are gone."""
    monkeypatch.setattr("assay.shell.storage._exchanged", lambda *_: False)
    assert train.run() == Exit.DONE
    assert train.run("--random-state", "7", "--overwrite") == Exit.DONE
    storage, fetched = LocalStorage(), []

    class Replacing(LocalStorage):
        def fetch(self, uri, folder):
            if len(fetched) == 1:
                shutil.copytree(train.bundle, train.bundle.with_name("other"))
                files = {path.name: path for path in train.bundle.with_name("other").rglob("*") if path.is_file()}
                flat = train.bundle.with_name("flat")
                flat.mkdir()
                for name, path in files.items():
                    path.rename(flat / name)
                storage.put_bundle(flat, str(train.bundle), overwrite=True)
            fetched.append(uri)
            return super().fetch(uri, folder)

    spec = SimpleNamespace(training=SimpleNamespace(scenario="incremental"))
    assert base_model(str(train.bundle), spec, Replacing()).model.manifest.seed == 7
    assert [uri.rpartition("/")[2] for uri in fetched].count(MANIFEST_FILE) == 2


def exporter(store, **settings):
    return ModelExporter(object_store=ObjectStoreResource(uri=str(store), s3=BoundedS3Resource()), **settings)


def test_an_export_of_dagster_replaces_a_version_whole_or_refuses_it(train, tmp_path):
    """Every retraining replaced the exported version, and its manifest was away meanwhile; no setting refused it."""
    assert train.run() == Exit.DONE
    model = load_model(train.bundle)
    spec = parse_pipeline(
        BANK.format(source="bank.csv") + f"training: {{target_output_path: {tmp_path}/served}}\n", where="x"
    )
    address = exporter(tmp_path).export(model, spec)
    assert address == f"{tmp_path}/served/{spec.registered_name}_v1"
    keeping, other = exporter(tmp_path, overwrite=False), model.annotated(other="1")
    keeping.export(model, spec)  # a step that is run again
    with pytest.raises(TargetExistsError, match="ASSAY_TARGET_OVERWRITE=on"):
        keeping.export(other, spec)
    assert load_model(Path(address)).manifest.annotations == model.manifest.annotations
    exporter(tmp_path).export(other, spec)
    assert load_model(Path(address)).manifest.annotations == {**model.manifest.annotations, "other": "1"}
    assert Settings(target_overwrite="off", _env_file=None).target_overwrite == "off"
