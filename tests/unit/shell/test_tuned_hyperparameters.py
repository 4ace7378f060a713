import json

import pytest

from assay.errors import SpecError
from assay.shell.learning import with_tuned
from assay.shell.main import Exit, main, parse
from assay.shell.storage import LocalStorage

RECORD = {"family": "ridge", "parameters": {"alpha": 2}, "trials": []}


def train(*more):
    return parse(["train", "--train-data-path", "a.csv", "--target-column", "y", "--model-name", "ridge", *more])


def tuned(tmp_path, content, *more):
    path = tmp_path / "best.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return with_tuned(train("--hyperparameters-uri", str(path), *more), LocalStorage())


@pytest.mark.parametrize("content", [{"alpha": 2}, RECORD])
def test_what_was_found_wins_over_the_base_values(tmp_path, content):
    flags = tuned(tmp_path, content, "--hyperparameters", '{"alpha": 1, "tol": 0.1}')
    assert flags.hyperparameters == {"alpha": 2, "tol": 0.1}


def test_nothing_is_searched_in_training():
    assert with_tuned(train(), LocalStorage()).tuning == {"enabled": False}


def test_another_familys_record_is_refused(tmp_path):
    with pytest.raises(SpecError, match="another model family's"):
        tuned(tmp_path, RECORD | {"family": "lightgbm"})


@pytest.mark.parametrize("content", ["[1]", "{", "\x00"])
def test_a_file_without_hyperparameters_is_refused(tmp_path, content):
    with pytest.raises(SpecError, match="holds no hyperparameters") as refused:
        tuned(tmp_path, content)
    assert refused.value.where.startswith("--hyperparameters-uri")


PREPARED = """\
name: rents
task: regression
dataset: {source: rents.csv, target: rent}
features: {steps: [{name: tails, clip: {area: {iqr: 1.5}}}]}
model: {candidates: [ridge]}
preprocessing:
  steps:
    - {name: size, columns: [area, rooms], step: [impute, polynomial]}
tuning:
  n_trials: 2
  search_space:
    steps.size.polynomial.degree: {type: int, low: 2, high: 3}
    features.tails.area.iqr: {type: float, low: 1, high: 3}
"""


def test_what_was_found_of_steps_is_trained_with(tmp_path, monkeypatch):
    """Training refused what tuning had written: no candidate takes `steps.size.polynomial.degree`."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{30 + n % 70},{n % 5},{9 * (30 + n % 70) + n % 13}" for n in range(120)]
    (tmp_path / "rents.csv").write_text("\n".join(["area,rooms,rent", *rows, ""]))
    (tmp_path / "rents.yaml").write_text(PREPARED)
    assert main(["tune", "--pipeline", "rents.yaml", "--output-uri", "best.json"]) == Exit.DONE
    found = json.loads((tmp_path / "best.json").read_text())
    assert found.keys() > {"steps.size.polynomial.degree", "features.tails.area.iqr"}
    train = ["train", "--pipeline", "rents.yaml", "--hyperparameters-uri", "best.json", "--target-output-path", "out"]
    assert main(train) == Exit.DONE
    manifest = json.loads((tmp_path / "out" / "ridge" / "1" / "manifest.json").read_text())
    assert manifest["parameters"].items() >= found.items()


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("steps.size.polynomial.degre", 2, "degre"),
        ("steps.sise.polynomial.degree", 2, "steps.size.polynomial"),
        ("features.tails.aria.iqr", 2, "did you mean 'features.tails.area.iqr'"),
    ],
)
def test_a_value_of_a_step_that_cannot_be_is_refused_with_its_line(tmp_path, capsys, key, value, text):
    (tmp_path / "rents.yaml").write_text(
        PREPARED.replace("[ridge]}", f"[ridge], hyperparameters: {{{key}: {value}}}}}")
    )
    assert main(["check", str(tmp_path / "rents.yaml")]) == Exit.REFUSED
    assert text in (said := capsys.readouterr().err)
    assert "rents.yaml:5 " in said
