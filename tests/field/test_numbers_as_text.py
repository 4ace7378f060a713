"""Public data: a column of numbers with a few words became categories; blanks around texts; a file without header."""

import random
from html import unescape

import pytest
from small_platform import failure

from assay.data.dataset import Dataset
from assay.data.frozen_schema import reviewed_schema
from assay.shell.main import main

TELCO = """\
name: telco
task: binary_classification
dataset:
  source: telco.csv
  target: churn
  # more
"""
ADULT = """\
name: adult
task: binary_classification
dataset:
  source: adult.data
  format: csv
  dialect: {header: false, names: [age, work, hours, income], detect: true}
  target: income
  # more
"""
GATE = ("{0}/raw_dataset", "{0}/validated_dataset")


def gate(platform, text, more=""):
    name = text.split("\n", 1)[0].removeprefix("name: ")
    (platform.settings.pipelines_dir / f"{name}.yaml").write_text(text.replace("# more", more))
    return platform.materialize(*(asset.format(name) for asset in GATE))


def passed_rows(platform, pipeline):
    return platform.artifacts.load((pipeline, "validated_dataset"), None, Dataset).table


@pytest.fixture
def telco(platform, tmp_path):
    """Rows of which eleven have a blank where the charges are due, as in the public data set."""
    draw = random.Random(3)
    rows = [
        (f"{draw.gammavariate(2, 900):.2f}" if number >= 11 else " ", draw.choice(["Yes", "No"]))
        for number in range(700)
    ]
    (tmp_path / "telco.csv").write_text("charges,churn\n" + "".join(f"{charges},{churn}\n" for charges, churn in rows))
    return platform


def test_numbers_with_a_few_blanks_are_refused_and_the_lines_of_the_report_correct_it(telco):
    """`TotalCharges` was learned from as categories, pooled to 50."""
    refused = gate(telco, TELCO)
    assert "failed rules: numbers_not_read_as_text" in failure(refused)
    said = next(
        unescape(check.description or "")
        for check in refused.get_asset_check_evaluations()
        if check.check_name == "numbers_not_read_as_text"
    )
    assert "689 of 700 texts are numbers; the others are ' '" in said
    lines = 'dialect: {null_words: [" "]}\n  schema_version: 2'
    assert "{null_words: [" + '" "' + "]} and dataset.schema_version to 2" in said

    accepted = gate(telco, TELCO, more=lines)
    assert accepted.success, failure(accepted)
    assert passed_rows(telco, "telco")["charges"].null_count == 11


@pytest.mark.parametrize(
    "number", ["1e400", *(pytest.param(each, marks=pytest.mark.full) for each in ("-2.5E+999", "9e308"))]
)
def test_a_number_that_no_float_holds_is_named_where_it_makes_the_column_one_of_texts(telco, tmp_path, number):
    """One 1e400 made a column of numbers one of categories, and the gate was silent."""
    path = tmp_path / "telco.csv"
    path.write_text(path.read_text().replace("\n ,", f"\n{number},"))
    assert "failed rules: numbers_not_read_as_text" in failure(gate(telco, TELCO))


def test_such_a_column_passes_as_what_somebody_declares_it_to_be(telco):
    accepted = gate(telco, TELCO, more="columns: {charges: {role: categorical}}")

    assert accepted.success, failure(accepted)
    assert passed_rows(telco, "telco")["charges"].null_count == 0


def test_blanks_around_fields_are_found_and_frozen_and_names_replace_the_header(platform, tmp_path):
    """`" <=50K"` and `" ?"` of adult.data were other labels and words than those without the blank."""
    draw = random.Random(5)
    lines = [
        f"{draw.randint(17, 90)}, {draw.choice(['Private', 'State-gov', '?'])}, {draw.choice([40, 20, '?'])}, "
        f"{draw.choice(['<=50K', '>50K'])}\n"
        for _ in range(300)
    ]
    (tmp_path / "adult.data").write_text("".join(lines))
    result = gate(platform, ADULT)
    assert result.success, failure(result)

    rows = passed_rows(platform, "adult")
    assert rows.column_names == ["age", "work", "hours", "income"]
    assert set(rows["income"].to_pylist()) == {"<=50K", ">50K"}
    assert set(rows["work"].to_pylist()) == {"Private", "State-gov", "?"}
    assert rows["hours"].null_count == sum(line.split(", ")[2] == "?" for line in lines)
    assert reviewed_schema(platform.settings.pipelines_dir / "schemas", "adult", 1).dialect.strip


def test_a_label_with_a_final_dot_in_a_later_file_is_named(platform, tmp_path):
    """adult.test writes `<=50K.` where adult.data writes `<=50K`."""
    rows = "".join(f"{20 + number % 60}, Private, 40, {['<=50K', '>50K'][number % 2]}\n" for number in range(300))
    (tmp_path / "adult.data").write_text(rows)
    assert gate(platform, ADULT).success
    (tmp_path / "adult.data").write_text(rows.replace("50K\n", "50K.\n"))

    assert "did you mean '<=50K'" in failure(gate(platform, ADULT))


def test_null_values_that_match_nothing_are_said(telco):
    result = gate(telco, TELCO, more='dialect: {null_words: [" ", "n/a"], null_values: ["", "(none)"]}')
    assert result.success, failure(result)
    raw = next(event for event in result.get_asset_materialization_events() if "raw_dataset" in str(event.asset_key))

    note = raw.materialization.metadata["note/null values without a match"].value
    assert note == "'(none)', 'n/a'"


def test_the_shell_says_null_values_that_match_nothing_and_earlier_partitions(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"2021-01-0{1 + n % 2}T0{n % 9}:00:00,{n}\n" for n in range(40)]
    (tmp_path / "a.csv").write_text("day,y\n" + "".join(lines))
    steps = "features: {steps: [{aggregate: {time: day, over: 1 day, columns: {n: count(*)}}}]}\n"
    head = 'dataset: {source: a.csv, target: y, dialect: {null_values: ["", zz]}, partitions: {by: day, column: day, start: 2021-01-01}}\n'
    (tmp_path / "p.yaml").write_text("name: p\ntask: regression\n" + head + steps)
    code = main(["validate", "--pipeline", "p.yaml", "--partition", "2021-01-02", "--report-uri", "r.json"])
    said = capsys.readouterr().err
    assert "no field of the source has these null values: 'zz'" in said
    assert "earlier partitions: 20 rows of 2021-01-01" in said, code


def test_a_name_with_blanks_around_it_is_answered_by_the_setting_that_removes_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(
        "age, income\n" + "".join(f"{n % 50 + 18}, {'yno'[n % 2 :: 2]}\n" for n in range(60))
    )
    head = "name: p\ntask: binary_classification\ndataset:\n  source: a.csv\n  target: income\n"
    (tmp_path / "p.yaml").write_text(head)
    command = ["validate", "--pipeline", "p.yaml", "--report-uri", "r.json"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "no column 'income'; did you mean ' income'?" in said
    assert "set dataset.dialect.strip to true" in said

    (tmp_path / "p.yaml").write_text(head + "  dialect: {strip: true}\n")
    main(command)
    assert "no column" not in capsys.readouterr().err
