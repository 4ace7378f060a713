import sys

import pytest

from assay.shell.main import Exit, main


@pytest.fixture(autouse=True)
def _own_path(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)


def validate(tmp_path, source="a.csv", report="report.json"):
    return main(["validate", "--dataset-path", source, "--target-column", "y", "--report-uri", report])


def test_a_typed_error_is_reported_without_a_traceback(tmp_path, capsys):
    assert validate(tmp_path) == Exit.REFUSED
    reported = capsys.readouterr()
    assert reported.out == ""
    assert reported.err.startswith("[source_not_found]")
    assert "Traceback" not in reported.err


def test_a_target_that_cannot_be_written_is_refused_before_any_work(tmp_path, capsys):
    assert validate(tmp_path, report="gs://bucket/report.json") == Exit.REFUSED
    assert capsys.readouterr().err.startswith("[storage_error] gs:// cannot be used here")


def test_a_defect_has_an_exit_code_of_its_own(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("assay.shell.validate.run", lambda flags, storage: 1 / 0)
    assert validate(tmp_path) == Exit.DEFECT
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_gates_refusal_is_exit_code_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("assay.shell.validate.run", lambda flags, storage: (False, flags.report_uri))
    assert validate(tmp_path) == Exit.GATE_REFUSED == 1
    assert capsys.readouterr().out == "report.json\n"


def test_without_a_result_nothing_is_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("assay.shell.validate.run", lambda flags, storage: (False, ""))
    assert validate(tmp_path) == Exit.GATE_REFUSED
    assert capsys.readouterr().out == ""


def test_what_others_print_does_not_reach_standard_output(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "assay.shell.validate.run", lambda flags, storage: (sys.stdout.write("chatter") > 0, "report.json")
    )
    assert validate(tmp_path) == Exit.DONE
    assert capsys.readouterr().out == "report.json\n"
