"""What a command of the shell prints on each kind of failure, compared with files; `UPDATE_SNAPSHOTS=1` writes them."""

import os
import re
import sys
from pathlib import Path

import pytest

from assay.shell.__main__ import run
from assay.shell.main import Exit, main

SNAPSHOTS = Path(__file__).parent / "snapshots"
ROWS = "age,y\n" + "".join(f"{20 + number % 50},{number % 2}\n" for number in range(40)) + "-1,0\n300,1\n"
VALIDATE = ["validate", "--dataset-path", "rows.csv", "--target-column", "y", "--report-uri", "report.json"]
UNKNOWN_KEY = """name: loans
task: binary_classification
dataset: {source: rows.csv, target: y}
split: {test_sise: 0.2}
model: {candidates: [logistic_regression]}
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "key.yaml").write_text(UNKNOWN_KEY)
    (tmp_path / "syntax.yaml").write_text("name: [loans\ntask: regression\n")


def same_as_stored(name, arguments, capsys):
    code, printed = main(arguments), capsys.readouterr()
    text = f"$ assay {' '.join(arguments)}\n{printed.out}{printed.err}exit code {code}\n"
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ ", "", text).replace(str(Path.cwd()), "/work")
    path = SNAPSHOTS / f"message_{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("refused_gate", [*VALIDATE, "--validation-config", '{"ranges": {"age": {"min": 0, "max": 120}}}']),
        ("unknown_column", [*VALIDATE, "--target-column", "z"]),
        ("missing_file", [*VALIDATE, "--dataset-path", "row.csv"]),
        ("no_storage", [*VALIDATE, "--report-uri", "rows.csv/report.json"]),
        ("unknown_key", ["check", "key.yaml"]),
        ("bad_yaml", ["check", "syntax.yaml"]),
        ("unknown_command", ["trian"]),
        ("missing_flag", ["train"]),
    ],
)
def test_a_failure_reads_as_it_is_stored(name, arguments, capsys):
    same_as_stored(name, arguments, capsys)


def test_an_interrupted_command_says_so(monkeypatch, capsys):
    def interrupted(_flags, _storage):
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.shell.validate.run", interrupted)
    same_as_stored("interrupted", VALIDATE, capsys)


def test_an_interrupt_before_the_command_is_known_is_no_traceback(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.shell.main.Commands.get_command", interrupted)
    monkeypatch.setattr("sys.argv", ["assay", "show"])
    assert run() == Exit.INTERRUPTED
    assert capsys.readouterr().err.strip() == "assay was interrupted"
