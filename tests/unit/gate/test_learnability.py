import numpy as np
import pyarrow as pa
import pytest

from assay.gate.gate import run_gate
from assay.specs.operations import MonitoringSpec

NAN = float("nan")
INF = float("inf")


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("binary_classification", ["no", "yes", "no", "yes"]),
        ("binary_classification", [0.0, 1.0, 0.0, 1.0]),
        ("binary_classification", [True, False, True, False]),
        ("binary_classification", pa.array(["a", "b", "a", "b"]).dictionary_encode()),
        ("multiclass_classification", ["a", "b", "c", "a", "b", "c"]),
        ("multiclass_classification", [1, 2, 1, 2]),
        ("regression", [1, 2, 3]),
        ("regression", [1.5, 1.5, 2.5]),
    ],
)
def test_a_target_that_fits_the_task_passes(rule, task, target):
    result = rule("target_learnable", {"y": target}, task=task)

    assert result.passed, result.observed


@pytest.mark.parametrize(
    ("task", "target", "found"),
    [
        ("binary_classification", ["no", "no", "no"], "1 class"),
        ("binary_classification", [0.0, -0.0, 0.0], "1 class"),
        ("binary_classification", ["a", "b", "c", "a", "b", "c"], "3 classes"),
        ("binary_classification", ["no", "no", "yes"], "fewer than 2 members"),
        ("multiclass_classification", ["a", "a"], "1 class"),
        ("multiclass_classification", ["a", "a", "b", "b", "c"], "fewer than 2 members"),
        ("multiclass_classification", pa.array([None, None], pa.string()), "no row has a target"),
        ("binary_classification", pa.nulls(3), "no row has a target"),
        ("regression", [2.0, 2.0, 2.0], "all values are equal"),
        ("regression", [2.0, 2.0, None], "all values are equal"),
        ("regression", [1.0, INF, 2.0], "infinite"),
        ("regression", [NAN, NAN], "no row has a target"),
        ("regression", ["1", "2"], "type string"),
        ("regression", [True, False], "type bool"),
        ("regression", pa.array([], pa.float64()), "no rows"),
        ("binary_classification", pa.array([], pa.string()), "no rows"),
    ],
)
def test_a_target_that_cannot_be_learned_from_fails_with_the_reason(rule, task, target, found):
    result = rule("target_learnable", {"y": target}, task=task)

    assert not result.passed
    assert found in result.observed


def test_the_member_of_a_lonely_class_is_pointed_at(rule):
    failure = rule("target_learnable", {"y": ["no", "no", "no", "yes", "no"]}).failures[0]

    assert (failure.row_numbers, failure.examples) == ((3,), ("'yes'",))


def test_classes_are_counted_in_the_report(rule):
    assert rule("target_learnable", {"y": ["no"] * 3 + ["yes"] * 2}).observed == "2 classes: 'no' 3, 'yes' 2"


@pytest.mark.parametrize(("task", "dtype"), [("binary_classification", pa.string()), ("regression", pa.float64())])
@pytest.mark.parametrize(("delay", "known", "refused"), [(1, 0, False), (1, 399, True), (0, 0, True)])
def test_with_a_label_delay_rows_pass_before_their_target_is_known(make_dataset, make_spec, task, dtype, delay, known, refused):  # fmt: skip
    """All of them: a target that is known in part is not one that is to come."""
    target = pa.concat_arrays([pa.array([n % 2 for n in range(known)]).cast(dtype), pa.nulls(400 - known, dtype)])
    table = pa.table({"x": np.random.default_rng(1).normal(size=400), "city": ["a", "b"] * 200, "y": target})
    monitoring = MonitoringSpec(label_delay=delay)
    spec = make_spec(task=task).model_copy(update={"monitoring": monitoring})
    report = run_gate(make_dataset(table), spec, where="loans/validated_dataset").report
    assert {"no_missing_target"} <= set(report.failed_rules) if refused else report.failed_rules == ()
