"""`validation.raw`: the source's rows are judged before the steps, as a user meets it at load and in the shell."""

import json

import pytest

from assay.errors import AssayError
from assay.learning.known_names import name_check
from assay.shell.main import Exit, main
from assay.specs.loading import parse_pipeline

PIPELINE = """\
name: rents
task: regression
dataset: {source: rents.csv, target: rent}
features:
  steps:
    - derive: {rent: cents / 100.0}
    - select: {but: [cents]}
    - filter: area > 0
validation:
  raw:
    ranges: {cents: {min: 0}}
    expressions: {has a town: "length(town) > 0"}
model: {candidates: [ridge]}
tuning: {enabled: false}
"""
SCHEMA = """\
version: 1
columns:
- {name: area, dtype: int64, role: numeric}
- {name: town, dtype: string, role: categorical}
- {name: cents, dtype: int64, role: numeric}
"""


def load(text=PIPELINE, schemas=None):
    return parse_pipeline(text, where="rents.yaml", names=name_check(schemas))


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("    ranges:", "    range:", 11, "did you mean 'ranges'"),
        ("cents: {min: 0}", "cent: {min: 0}", 11, "did you mean 'cents'"),
        ("length(town) > 0", "random() > 0", 12, "not a SQL expression"),
        ("    ranges:", "    warn: [no_target_leakage]\n    ranges:", 11, "judges the feature set alone"),
        ("    ranges:", "    min_rows: 5\n    max_rows: 4\n    ranges:", 10, "max_rows 4 is below min_rows 5"),
        ("    ranges:", "    unique: [[twon]]\n    ranges:", 11, "did you mean 'town'"),
        ("    ranges:", "    sentinel: {enabled: true}\n    ranges:", 11, "unknown key 'sentinel'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_line(tmp_path, old, new, line, text):
    (tmp_path / "rents.v1.yaml").write_text(SCHEMA)
    load(schemas=tmp_path)
    with pytest.raises(AssayError) as refused:
        load(PIPELINE.replace(old, new), tmp_path)
    assert text in str(refused.value)
    assert f"rents.yaml:{line} " in str(refused.value), refused.value


def test_a_pipeline_without_steps_has_no_raw_rules():
    text = PIPELINE[: PIPELINE.index("features:")] + PIPELINE[PIPELINE.index("validation:") :]
    with pytest.raises(AssayError, match="without steps the other rules of validation judge the source's rows"):
        load(text)


def test_raw_rules_are_part_of_the_rules_digest_and_their_columns_of_no_other_rule():
    spec, other = load(), load(PIPELINE.replace("min: 0", "min: 1"))
    plain = load(PIPELINE.replace(PIPELINE[PIPELINE.index("validation:") : PIPELINE.index("model:")], ""))
    assert len({spec.rules_digest, other.rules_digest, plain.rules_digest}) == 3
    assert "cents" not in [name for _, name in spec.named_columns]
    assert "raw" not in plain.validation.model_dump()


def test_refused_source_rows_stop_the_shell_with_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = [f"{30 + n},{'ABC'[n % 3]},{100 * (30 + n) + n % 7}" for n in range(60)]
    (tmp_path / "rents.csv").write_text("\n".join(["area,town,cents", *lines, ""]))
    (tmp_path / "rents.yaml").write_text(PIPELINE)
    command = ["validate", "--pipeline", "rents.yaml", "--report-uri", "report.json"]
    assert main(command) == Exit.DONE
    assert "has a town" not in capsys.readouterr().err
    (tmp_path / "rents.csv").write_text("\n".join(["area,town,cents", *lines[:-1], "0,A,-5", ""]))
    assert main(command) == Exit.GATE_REFUSED
    said = capsys.readouterr().err
    assert "values_in_range: cents" in said
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["where"] == "rents.csv, source rows"
    assert [each["name"] for each in report["rules"] if not each["passed"]] == ["values_in_range"]
    assert report["rows_judged"] == 60  # the filter has dropped none


def test_a_step_that_fails_after_the_raw_rules_leaves_no_report(tmp_path, monkeypatch, capsys):
    """A report that says `passed` was at the address, and the command had failed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rents.csv").write_text("area,town,cents\n" + "".join(f"{n},A,{n}\n" for n in range(60)))
    text = PIPELINE.replace("filter: area > 0", "{filter: area > 0, max_dropped: 0}").replace(
        "    ranges: {cents: {min: 0}}\n", ""
    )
    (tmp_path / "rents.yaml").write_text(text)
    assert main(["validate", "--pipeline", "rents.yaml", "--report-uri", "report.json"]) == Exit.REFUSED
    assert "more rows are dropped than allowed" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()
