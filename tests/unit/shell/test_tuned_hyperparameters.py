import json

import pytest

from assay.errors import SpecError
from assay.shell.learning import with_tuned
from assay.shell.main import parse
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
