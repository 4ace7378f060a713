import pyarrow as pa
import pytest

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
