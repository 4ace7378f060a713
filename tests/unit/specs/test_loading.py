"""Pipeline files: what is accepted, and how a refusal reads."""

from pathlib import Path

import pytest

from assay.errors import SpecError
from assay.specs import load_pipeline, read_pipelines
from assay.specs.loading import parse_pipeline

MINIMAL = """\
name: bank
task: binary_classification
dataset:
  source: bank.csv
  target: y
"""


def refusal(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse_pipeline(text, where="bank.yaml")
    return caught.value


def test_a_minimal_file_is_accepted_with_defaults():
    spec = parse_pipeline(MINIMAL, where="bank.yaml")
    assert spec.model.candidates == ("hist_gradient_boosting",)
    assert spec.tuning.n_trials == 20
    assert spec.preparation.max_categories == 50


def test_specs_are_frozen():
    spec = parse_pipeline(MINIMAL, where="bank.yaml")
    with pytest.raises(Exception, match="frozen"):
        spec.name = "other"


@pytest.mark.parametrize(
    ("line", "place", "hint"),
    [
        ("tunning: {enabled: true}", "bank.yaml:6 (tunning)", "did you mean 'tuning'?"),
        ("tuning: {n_trails: 3}", "bank.yaml:6 (tuning.n_trails)", "did you mean 'n_trials'?"),
        ("split:\n  test_sise: 0.3", "bank.yaml:7 (split.test_sise)", "did you mean 'test_size'?"),
        (
            "execution: {timeout_minutes: {trained_modell: 5}}",
            "bank.yaml:6 (execution.timeout_minutes)",
            "there is no asset 'trained_modell'; did you mean 'trained_model'?",
        ),
        (
            "execution:\n  pool: {raw_datasett: gpu}",
            "bank.yaml:7 (execution.pool)",
            "there is no asset 'raw_datasett'; did you mean 'raw_dataset'?",
        ),
        (
            "validation:\n  ranges:\n    age: {minimum: 3}",
            "bank.yaml:8 (validation.ranges.age.minimum)",
            "one of max, min, strict",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_name(line, place, hint):
    error = refusal(MINIMAL + line)
    assert error.where == place
    assert hint in str(error)


@pytest.mark.parametrize(
    "line",
    [
        "execution: {pool: 'two words'}",
        "execution: {pool: {raw_dataset: ''}}",
        "execution: {memory_mb: 63}",
        "execution: {memory_mb: {raw_data: 512}}",
        "execution: {isolation: pod}",
        "execution: {cpu: 2}",
        "execution: {gpu: {trained_model: 1}}",
        "execution: {image: 'assay:1'}",
        "execution: {isolation: container, cpu: 0}",
        "execution: {isolation: container, cpu: two}",
        "execution: {isolation: container, cpu: {raw_data: 1}}",
        "execution: {isolation: container, gpu: -1}",
        "execution: {isolation: container, gpu: 0.5}",
        "execution: {isolation: container, image: two words}",
        "execution: {isolation: container, image: 'Assay:1'}",
        "execution: {isolation: container, image: 'assay:1:2'}",
        "execution: {isolation: container, image: {raw_data: assay}}",
        "execution: {isolation: container, memory: 4Gi}",
        "execution: {pool_slots: 0}",
        "execution: {pool_slots: {raw_data: 2}}",
        "execution: {priority: 1.5}",
        "execution: {priority: 1001}",
        "tuning: {n_trials: 0}",
        "tuning: {n_trials: '3'}",
        "tuning: {timeout: -1}",
        "split: {test_size: 1.0}",
        "split: {by: time}",
        "split: {by: group}",
        "training: {seed: -1}",
        "training: {threads: 0}",
        "training: {scenario: partial}",
        "promotion: {confidence: 0.4}",
        "validation: {max_missing: 1.5}",
        "validation: {ranges: {age: {min: 3, max: 1}}}",
        "validation: {ranges: {age: {}}}",
        "validation: {ranges: {age: {min: 3, max: 3, strict: true}}}",
        "validation: {allowed: {age: []}}",
        "validation: {unique: [[]]}",
        "validation: {min_rows: 10, max_rows: 5}",
        "model: {candidates: []}",
        "model: {candidates: [ridge, ridge]}",
        "tuning: {search_space: {C: {type: float, low: 2, high: 1}}}",
        "tuning: {search_space: {C: {type: float, low: 0, high: 1, log: true}}}",
        "tuning: {search_space: {C: {type: int, low: 0.5, high: 1}}}",
        "tuning: {search_space: {C: {type: categorical}}}",
        "tuning: {search_space: {C: {type: categorical, choices: [1], low: 1}}}",
        "tuning: {search_space: {C: {type: float}}}",
        "tuning: {search_space: {C: {type: float, low: 0, high: 1, step: 2}}}",
        "tuning: {search_space: {C: {type: categorical, choices: [1, 1]}}}",
        "automation: {schedule: daily}",
        "monitoring: {label_delay: -1}",
        "monitoring: {repeat_after: 0}",
        "monitoring: {drift: {season: summer}}",
        "monitoring: {drift: {missing_effect: 0}}",
        "monitoring: {drift: {flag_effect: 4}}",
        "monitoring: {drift: {new_categories: 2}}",
        "monitoring: {performance: {max_loss: 1, max_calibration_gap: 2}}",
        "automation: {retrain_on: [moon]}",
        "automation: {ingest_on: [drift]}",
        "automation: {ingest_on: [new_data], retrain_on: [new_data]}",
    ],
)
def test_a_value_out_of_range_is_refused_with_its_line(line):
    assert refusal(MINIMAL + line).where.startswith("bank.yaml:6 (")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("split: {by: time, train_partitions: 2}", "split by time needs dataset.partitions"),
        ("split: {by: stratified}\ntask: regression", "split by stratified needs a classification task"),
        ("automation: {retrain_on: [drift]}", "automation.retrain_on drift needs monitoring"),
        (
            "automation: {retrain_on: [performance, drift]}\nmonitoring: {}",
            "automation.retrain_on performance needs monitoring.performance",
        ),
        ("monitoring: {label_delay: 1}", "monitoring.label_delay needs split by time"),
        ("monitoring: {drift: {season: 12}}", "monitoring.drift.season counts partitions of time"),
    ],
)
def test_parts_that_do_not_agree_are_refused(line, reason):
    text = MINIMAL.replace("task: binary_classification\n", "") if "task" in line else MINIMAL
    assert reason in refusal(text + line).expected


def test_all_faults_are_reported_at_once_in_the_order_of_the_lines():
    text = (
        MINIMAL + "validation:\n  min_rows: ten\n  finite: maybe\n  rangs: {}\n  matches: {a: '['}\nsplit: {by: tme}\n"
    )
    reported = str(refusal(text))
    places = ["7 (validation.min_rows)", "8 (validation.finite)", "9 (validation.rangs)", "10 (validation.matches.a)"]
    found = [reported.index(f"bank.yaml:{place}") for place in [*places, "11 (split.by)"]]
    assert found == sorted(found)
    assert "5 parts are not acceptable" in reported
    assert "did you mean 'ranges'?" in reported


def test_a_value_of_none_of_several_types_is_one_complaint():
    reported = refusal(MINIMAL + "validation: {finite: maybe}\n")
    assert reported.where == "bank.yaml:6 (validation.finite)"
    assert "boolean or" in reported.expected


@pytest.mark.parametrize(
    ("text", "found"),
    [("a: [", "end"), ("name: a\nname: b", "duplicate key"), ("- a\n- b", "list"), ("", "NoneType")],
)
def test_a_file_that_is_no_mapping_is_refused(text, found):
    assert found in refusal(text).found


@pytest.mark.parametrize("prefix", ["../elsewhere", "/features", "a//b", "@spaces", "Features", ""])
def test_a_prefix_of_feature_files_stays_below_the_store(prefix):
    steps = f"features: {{steps: [{{filter: x > 0}}], prefix: '{prefix}'}}"
    assert refusal(MINIMAL + steps).where == "bank.yaml:6 (features.prefix)"


def test_yaml_words_stay_text():
    spec = parse_pipeline(MINIMAL + "validation: {allowed: {y: [no, yes, on, off]}}", where="bank.yaml")
    assert spec.validation.allowed["y"] == ("no", "yes", "on", "off")


def test_a_placeholder_is_allowed_in_the_source_alone():
    accepted = parse_pipeline(MINIMAL.replace("bank.csv", "${BANK:-bank.csv}"), where="bank.yaml")
    assert accepted.dataset.source == "${BANK:-bank.csv}"
    assert "only in dataset.source" in refusal(MINIMAL + "description: ${BANK}").what


def test_a_password_in_the_clear_is_refused():
    error = refusal(MINIMAL.replace("bank.csv", "postgresql://me:hunter2@db/bank"))
    assert "password" in error.what
    assert "hunter2" not in str(error)


def test_a_missing_folder_and_a_missing_file_are_reported(tmp_path: Path):
    with pytest.raises(SpecError, match="no folder"):
        read_pipelines(tmp_path / "absent")
    with pytest.raises(SpecError, match="cannot be read"):
        load_pipeline(tmp_path / "absent.yaml")


def test_two_files_of_one_name_are_refused(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(MINIMAL)
    (tmp_path / "b.yaml").write_text(MINIMAL)
    assert {"two files" in broken.error.what for broken in read_pipelines(tmp_path).broken} == {True}


def test_the_rules_digest_follows_the_contract_and_nothing_else():
    spec = parse_pipeline(MINIMAL, where="bank.yaml")
    same = parse_pipeline(MINIMAL + "tuning: {n_trials: 3}", where="bank.yaml")
    other = parse_pipeline(MINIMAL + "validation: {min_rows: 11}", where="bank.yaml")
    assert spec.rules_digest == same.rules_digest
    assert spec.rules_digest != other.rules_digest


def _named(spec):
    for place, name in enumerate(spec.model.candidates):
        yield ("model", "candidates", place), SpecError(f"there is no '{name}'", expected="ridge")
    if len(spec.model.candidates) > 1:
        raise KeyError("what depends on the second")


def test_every_unknown_name_of_a_file_is_said_with_its_line():
    text = MINIMAL + "model:\n  candidates:\n  - lightgb\n  - ridg\n"
    with pytest.raises(SpecError) as caught:
        parse_pipeline(text, where="bank.yaml", names=_named)
    assert caught.value.what == "2 parts are not acceptable"
    assert caught.value.found.split("\n")[1:] == [
        "bank.yaml:8 (model.candidates.0): there is no 'lightgb'; expected ridge",
        "bank.yaml:9 (model.candidates.1): there is no 'ridg'; expected ridge",
    ]


def test_unknown_names_are_said_in_the_order_of_their_lines():
    text = MINIMAL + "model:\n  candidates:\n  - lightgb\n  - ridg\n"
    found = [(("model", "candidates", place), SpecError(f"there is no '{place}'")) for place in (1, 0)]
    with pytest.raises(SpecError) as caught:
        parse_pipeline(text, where="bank.yaml", names=lambda _: iter(found))
    assert [line.partition(" ")[0] for line in caught.value.found.split("\n")[1:]] == ["bank.yaml:8", "bank.yaml:9"]


def test_one_unknown_name_stays_an_error_of_its_own():
    with pytest.raises(SpecError) as caught:
        parse_pipeline(MINIMAL + "model: {candidates: [ridg]}\n", where="bank.yaml", names=_named)
    assert (caught.value.what, caught.value.where) == ("there is no 'ridg'", "bank.yaml:6 (model.candidates.0)")


def test_a_failure_of_a_check_is_raised_where_no_name_was_found():
    def broken(_spec):
        yield from ()
        raise KeyError("a defect")

    with pytest.raises(KeyError, match="a defect"):
        parse_pipeline(MINIMAL, where="bank.yaml", names=broken)
