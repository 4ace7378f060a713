"""One file as several pipelines: what it extends, environments, and `for_each`."""

from pathlib import Path

import jsonschema
import pytest

from assay.errors import SpecError
from assay.specs import load_pipeline, read_pipelines
from assay.specs.layers import merged
from assay.specs.loading import load_pipelines
from assay.specs.yaml_text import read_yaml

DEFAULTS = """\
task: binary_classification
tuning: {n_trials: 40, folds: 5}
model: {candidates: [ridge, lightgbm]}
environments:
  dev: {tuning: {n_trials: 2}}
  prod: {}
"""
BANK = """\
name: bank
extends: defaults.yaml
dataset: {source: bank.csv, target: y}
tuning: {folds: 3}
model: {candidates: [random_forest]}
"""


@pytest.fixture
def files(tmp_path):
    """Return a function that writes files of a folder and returns the folder."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path

    return write


def refusal(*arguments, **options):
    with pytest.raises(SpecError) as refused:
        load_pipelines(*arguments, **options)
    return refused.value


def test_a_file_is_laid_over_what_it_extends_key_by_key_and_lists_are_replaced(files):
    spec = load_pipeline(files(defaults=DEFAULTS, bank=BANK) / "bank.yaml")

    assert (spec.tuning.n_trials, spec.tuning.folds) == (40, 3)
    assert spec.model.candidates == ("random_forest",)


def test_the_last_of_several_files_takes_precedence_and_their_own_bases_lie_below(files):
    folder = files(
        root="tuning: {n_trials: 1, folds: 7}\ntraining: {seed: 5}\n",
        one="extends: root.yaml\ntuning: {n_trials: 11}\n",
        two="tuning: {timeout: 60}\n",
        bank=BANK.replace("defaults.yaml", "[one.yaml, two.yaml]").replace("name", "task: regression\nname", 1),
    )
    spec = load_pipeline(folder / "bank.yaml")

    assert (spec.tuning.n_trials, spec.tuning.folds, spec.tuning.timeout) == (11, 3, 60)
    assert spec.training.seed == 5


def test_an_environment_takes_precedence_over_the_file(files):
    folder = files(defaults=DEFAULTS, bank=BANK + "environments: {dev: {dataset: {source: sample.csv}}}\n")
    written, dev, prod = (load_pipeline(folder / "bank.yaml", environment=name) for name in ("", "dev", "prod"))

    assert (dev.tuning.n_trials, dev.dataset.source, dev.tuning.folds) == (2, "sample.csv", 3)
    assert written == prod
    assert (prod.tuning.n_trials, prod.dataset.source) == (40, "bank.csv")


def test_a_file_without_environments_is_the_same_in_each(files):
    folder = files(bank=BANK.replace("extends: defaults.yaml", "task: regression"))

    assert load_pipeline(folder / "bank.yaml", environment="dev") == load_pipeline(folder / "bank.yaml")


def test_an_environment_that_a_file_does_not_name_is_refused(files):
    error = refusal(files(defaults=DEFAULTS, bank=BANK) / "bank.yaml", environment="prd")

    assert "no environment 'prd'; did you mean 'prod'?" in error.what
    assert "add `prd: {}`" in str(error.remedy)


def test_a_mistake_in_another_environment_is_found_with_its_line(files):
    folder = files(defaults=DEFAULTS, bank=BANK + "environments:\n  prod:\n    tuning: {n_trails: 3}\n")
    error = refusal(folder / "bank.yaml", environment="dev")

    assert "unknown key 'n_trails'; did you mean 'n_trials'?" in error.what
    assert error.where == f"{folder / 'bank.yaml'}:8 (environments.prod.tuning.n_trails)"


def test_an_environment_cannot_rename_the_pipeline(files):
    folder = files(bank=BANK.replace("extends: defaults.yaml", "task: regression") + "environments: {dev: {name: x}}\n")

    assert "an environment cannot rename the pipeline" in refusal(folder / "bank.yaml").what


def test_a_mistake_in_a_file_that_is_extended_is_named_there(files):
    folder = files(defaults=DEFAULTS.replace("folds: 5", "folds: one"), bank=BANK.replace("tuning: {folds: 3}\n", ""))

    assert refusal(folder / "bank.yaml").where == f"{folder / 'defaults.yaml'}:2 (tuning.folds)"


def test_complaints_of_several_files_are_in_the_order_of_the_layers(files):
    folder = files(defaults="task: regression\nsplitt: {}\n", bank=BANK.replace("[random_forest]", "3"))
    error = refusal(folder / "bank.yaml")

    assert [line.split(": ")[0] for line in error.found.strip().splitlines()] == [
        f"{folder / 'defaults.yaml'}:2 (splitt)",
        f"{folder / 'bank.yaml'}:5 (model.candidates)",
    ]


def test_what_a_file_lacks_is_missing_in_the_file_itself(files):
    folder = files(defaults="tuning: {folds: 3}\n", bank=BANK + "for_each: [{name: north}]\n")

    assert refusal(folder / "bank.yaml").where == f"{folder / 'bank.yaml'}:1 (task)"


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        ({"bank": BANK}, "the pipeline file cannot be read"),
        ({"bank": BANK, "defaults": "extends: bank.yaml\n"}, "files extend each other in a circle"),
        ({"bank": BANK, "defaults": "- a list\n"}, "a pipeline file is a mapping"),
        ({"bank": BANK.replace("defaults.yaml", "3")}, "'extends' is not acceptable"),
    ],
)
def test_a_file_that_cannot_be_extended_is_refused(files, texts, what):
    assert what in refusal(files(**texts) / "bank.yaml").what


def test_defaults_are_no_pipeline_and_the_folder_is_read_in_an_environment(files):
    found = read_pipelines(files(defaults=DEFAULTS, bank=BANK), environment="dev")

    assert [(spec.name, spec.tuning.n_trials) for spec in found.specs] == [("bank", 2)]
    assert not found.broken


REGIONS = BANK.replace("extends: defaults.yaml", "task: binary_classification") + "for_each: {}\n"


def regions(text):
    return REGIONS.replace("for_each: {}", f"for_each: {text}")


def test_for_each_value_of_a_column_there_is_a_pipeline_of_its_rows(files):
    found = read_pipelines(files(bank=regions("{column: region, values: [North-East, 7, true]}")))

    assert [spec.name for spec in found.specs] == ["bank_north_east", "bank_7", "bank_true"]
    first = found.specs[0].dataset
    assert (first.segment.column, first.segment.value, first.segment.among) == (
        "region",
        "North-East",
        ("North-East", 7, True),
    )
    assert first.columns["region"].role == "ignored"
    assert {path.name for path, _ in found.pipelines} == {"bank.yaml"}


def test_the_files_own_role_of_the_column_takes_precedence(files):
    text = regions("{column: region, values: [north]}").replace(
        "target: y", "target: y, columns: {region: {role: categorical}}"
    )

    assert load_pipeline(files(bank=text) / "bank.yaml").dataset.columns["region"].role == "categorical"


def test_for_each_part_there_is_a_pipeline_and_an_environment_lies_over_it(files):
    parts = "[{name: north, dataset: {source: n.csv}}, {name: south, tuning: {n_trials: 9}}]"
    folder = files(bank=regions(parts) + "environments: {dev: {tuning: {n_trials: 1}}}\n")
    north, south = load_pipelines(folder / "bank.yaml")

    assert (north.name, north.dataset.source, north.tuning.n_trials) == ("bank_north", "n.csv", 20)
    assert (south.name, south.dataset.source, south.tuning.n_trials) == ("bank_south", "bank.csv", 9)
    assert {spec.tuning.n_trials for spec in load_pipelines(folder / "bank.yaml", environment="dev")} == {1}


def test_one_of_several_pipelines_is_named_after_the_file(files):
    path = files(bank=regions("[{name: north}, {name: south}]")) / "bank.yaml"

    assert load_pipeline(Path(f"{path}#bank_south")).name == "bank_south"
    with pytest.raises(SpecError, match="the file holds several pipelines") as refused:
        load_pipeline(path)
    assert f"{path}#bank_north" in refused.value.expected
    with pytest.raises(SpecError, match="no pipeline 'bank_nort'; did you mean 'bank_north'"):
        load_pipeline(Path(f"{path}#bank_nort"))


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("{column: region}", "'values' is missing", "for_each.values"),
        ("{column: region, values: []}", "'values' is not acceptable", "for_each.values"),
        ("{column: region, values: [N-E, n_e]}", "two pipelines of the file have one name", "for_each"),
        ("{column: region, values: ['?']}", "a value has no letter or digit", "for_each"),
        ("[{dataset: {source: n.csv}}]", "a part of for_each has no name", "for_each"),
        ("[{name: n, tunning: {}}]", "unknown key 'tunning'", "for_each.0.tunning"),
        ("[{name: N}]", "'name' is not acceptable", "name"),
    ],
)
def test_a_part_that_makes_no_pipeline_is_refused_at_its_line(files, text, what, where):
    error = refusal(files(bank=regions(text)) / "bank.yaml")

    assert what in error.what
    assert f"({where})" in error.where


def test_two_files_may_not_make_pipelines_of_one_name(files):
    folder = files(
        bank=regions("[{name: north}]"),
        bank_north=REGIONS.replace("name: bank", "name: bank_north").replace("for_each: {}\n", ""),
    )
    found = read_pipelines(folder)

    assert [path.name for path, _ in found.pipelines] == ["bank_north.yaml"]
    assert "two files name their pipeline 'bank_north'" in found.broken[0].error.what


def test_merging_changes_none_of_both():
    below, above = {"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}, "d": {"e": 1}}

    assert merged(below, above) == {"a": {"b": 1, "c": [3]}, "d": {"e": 1}}
    assert (below, above) == ({"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}, "d": {"e": 1}})


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (BANK, True),
        (BANK + "environments: {dev: {tuning: {n_trials: 3}}}\n", True),
        (BANK + "environments: {dev: {tuning: {n_trails: 3}}}\n", False),
        (regions("{column: region, values: [a]}"), True),
        (regions("[{name: north, dataset: {source: n.csv}}]"), True),
        (regions("[{name: north, datset: {}}]"), False),
        (regions("{column: region}"), False),
        (BANK.replace("extends: defaults.yaml\n", ""), False),
    ],
)
def test_the_published_schema_knows_them(text, accepted, published_schema):
    problems = list(jsonschema.Draft202012Validator(published_schema).iter_errors(read_yaml(text, "x")))

    assert (not problems) == accepted
