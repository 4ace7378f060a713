"""`assay add pipeline`: the drafted file passes the gate on its rows as it is, and says what it was drafted from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.shell import main
from assay.shell.flags import Flags
from assay.shell.storage import AnyStorage
from assay.shell.validate import gated
from assay.specs.loading import load_pipeline

ROWS = 400


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(**columns):
    random = np.random.default_rng(3)
    size, age = random.normal(50, 12, ROWS).round(2), random.integers(18, 80, ROWS)
    rent = (400 + 9 * size - 2 * age + random.normal(0, 30, ROWS)).round(2)
    return pd.DataFrame({"size": size, "age": age, "rent": rent, **columns})


def add(rows, *flags, target="rent", name="rents.csv"):
    rows.to_csv(name, index=False)
    return main.main(["add", "pipeline", "--from", name, "--target", target, *flags])


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    """Return the text of a file that was drafted from rows with all that a draft corrects."""
    rows = rows_of(id=np.arange(1, ROWS + 1), heating=np.random.default_rng(1).integers(0, 400, ROWS))
    rows["cold"] = (rows["rent"] - rows["heating"]).round(2)
    rows["floor"] = [str(number % 9) for number in range(ROWS)]
    rows.loc[[4, 40], "floor"], rows.loc[300, "floor"] = "unknown", "-"
    rows["code"] = [f"w{number}" if number < 8 else str(number) for number in range(ROWS)]
    rows.loc[:2, "rent"] = np.nan
    rows["x\ndrop: 1"] = "one"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("drafted"))
        assert add(rows) == 0
        flags = Flags(command="validate", spelled={}, targets=[], pipeline="pipelines/rents.yaml", partition=())
        report = gated(flags, AnyStorage()).last.report
        path = Path("pipelines/rents.yaml")
        yield load_pipeline(path), path.read_text(), report


def test_the_file_passes_the_gate_as_it_is(drafted):
    spec, text, report = drafted
    assert (spec.name, str(spec.task), spec.dataset.target) == ("rents", "regression", "rent")
    assert spec.validation.min_rows == ROWS / 2
    assert text.startswith(f"# Drafted from {ROWS} rows")
    assert report.passed


def test_each_column_has_the_role_that_the_gate_asks_for(drafted):
    spec, text, _ = drafted
    roles = {name: str(column.role) for name, column in spec.dataset.columns.items()}
    assert roles == {
        "id": "identifier", "heating": "ignored", "cold": "ignored", "code": "categorical", "x\ndrop: 1": "ignored"
    }  # fmt: skip
    assert "# gives the target with others: rent = 1 x heating + 1 x cold" in text


def test_a_few_words_among_numbers_are_missing_values(drafted):
    assert drafted[0].dataset.dialect.null_words == ("unknown", "-")


def test_rows_without_a_target_are_dropped(drafted):
    assert drafted[0].validation.drop_null_rows == ("rent",)


def test_entities_are_split_by_group(project):
    random = np.random.default_rng(68)
    well = np.repeat(np.arange(40), 60)
    depth, own = random.normal(900, 200, 40), random.normal(size=(40, 4))
    rows = pd.DataFrame(own[well] + random.normal(0, 1.4, (well.size, 4))).add_prefix("log_")
    rows = rows.assign(well=[f"well-{number * 37 % 101}" for number in well], rent=depth[well])
    assert add(rows) == 0
    split = load_pipeline(project / "pipelines/rents.yaml").split
    assert (split.by, split.group) == ("group", "well")


def test_what_only_a_person_can_answer_is_a_question(project):
    rows = rows_of(answer=["yes"] * ROWS)
    rows["answer"] = np.where(rows["rent"] > rows["rent"].median(), "yes", "no")
    rows["late"] = rows["answer"].where(np.arange(ROWS) % 40 > 0, "no")
    assert add(rows[["size", "age", "late", "answer"]], target="answer") == 0
    text = (project / "pipelines/rents.yaml").read_text()
    assert "# Questions that the rows leave open:\n# - late: " in text
    assert "late" not in load_pipeline(project / "pipelines/rents.yaml").dataset.columns


def test_rows_that_the_gate_refuses_in_the_end_write_nothing(project, capsys):
    assert add(rows_of(kind=["one"] * ROWS), target="kind") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "rents, not written" in captured.err
    assert "target_learnable" in captured.err
    assert not (project / "pipelines").exists()


@pytest.mark.parametrize("file", ["rents.yaml", "homes.yaml"])
def test_a_pipeline_is_never_overwritten(file, project, capsys):
    there = project / "pipelines" / file
    there.parent.mkdir()
    there.write_text("name: rents\ntask: regression\ndataset: {source: old.csv, target: rent}\n")
    before = there.read_text()
    assert add(rows_of()) == 2
    said = capsys.readouterr().err
    assert file in said
    assert "choose another name with --name" in said
    assert [each.read_text() for each in there.parent.iterdir()] == [before]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--from", "rents.csv", "--target", "rant"], "did you mean 'rent'?"),
        (["--from", "nothing.csv", "--target", "rent"], "nothing.csv"),
        (["--from", "rents.csv"], "--target"),
        (["--from", "rents.csv", "--target", "rent", "--name", "No Name"], "--name"),
    ],
)
def test_what_cannot_be_used_is_named(flags, said, project, capsys):
    rows_of().to_csv("rents.csv", index=False)
    assert main.main(["add", "pipeline", *flags]) == 2
    assert said in capsys.readouterr().err
    assert not (project / "pipelines").exists()
