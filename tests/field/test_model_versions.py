"""Versions of models in the shell's output: immutable, whole, and with digests."""

import threading
from types import SimpleNamespace

import pytest
from small_platform import bank_rows, write_csv

from assay.errors import DigestMismatchError
from assay.learning.persistence import MANIFEST_FILE, MODEL_FILE, load_model
from assay.shell.main import Exit, main
from assay.shell.storage import LocalStorage


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
    assert "[target_exists]" in (told := capsys.readouterr().err)
    assert "--overwrite" in told
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
        for file in (MODEL_FILE, MANIFEST_FILE):
            (tmp_path / name / file).write_text(name)
    target, seen, over = tmp_path / "out" / "2", set(), threading.Event()
    LocalStorage().put_folder(tmp_path / "a", str(target), last=MANIFEST_FILE)

    def watch():
        while not over.is_set():
            seen.add(target.exists())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(30):
        LocalStorage().put_folder(tmp_path / "ba"[number % 2], str(target), last=MANIFEST_FILE, overwrite=True)
    over.set()
    watcher.join()
    assert seen == {True}
    assert [path.name for path in target.parent.iterdir()] == ["2"]
