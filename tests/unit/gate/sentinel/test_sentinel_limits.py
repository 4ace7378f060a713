"""What the sentinel does not judge, and that it survives whatever columns there are."""

import datetime as dt
import decimal

import numpy as np
import pyarrow as pa
import pytest
from sentinel_rules import SENTINEL

BINARY, MULTICLASS, REGRESSION = "binary_classification", "multiclass_classification", "regression"
ROWS = 600
RNG = np.random.default_rng(23)
NOISE = RNG.normal(size=ROWS)
CLASSES = RNG.integers(0, 2, ROWS)


def test_every_rule_of_the_sentinel_is_the_gates_and_only_the_target_itself_blocks(gate):
    report = gate({"leak": CLASSES, "x": NOISE, "one": np.ones(ROWS), "y": CLASSES}).report
    severity = {rule.name: rule.severity for rule in report.rules if rule.name in SENTINEL}

    assert set(severity) == set(SENTINEL)
    assert {name for name, kind in severity.items() if kind == "ERROR"} == {
        "no_target_leakage",
        "numbers_not_read_as_text",
        "target_not_reconstructible",
    }
    assert not report.passed
    assert [rule.name for rule in report.rules if not rule.passed] == ["no_target_leakage", "features_vary"]


def test_switched_off_it_is_not_configured(gate):
    verdict = gate({"leak": CLASSES, "y": CLASSES}, sentinel={"enabled": False})

    assert verdict.report.passed
    assert not any(rule.configured for rule in verdict.report.rules if rule.name in SENTINEL)


@pytest.mark.parametrize("rows", [49, 50])
def test_a_copy_in_a_handful_of_rows_is_no_proof(found, rows):
    target = [row % 2 for row in range(rows)]

    assert bool(found("no_target_leakage", {"leak": target, "y": target}, BINARY)) == (rows >= 50)


@pytest.mark.parametrize("members", [9, 10])
def test_a_copy_of_a_handful_of_members_is_no_proof(found, members):
    target = np.arange(ROWS) < members

    assert bool(found("no_target_leakage", {"leak": target, "y": target}, BINARY)) == (members >= 10)


def test_a_constant_that_agrees_with_a_rare_class_nearly_always_is_no_copy(alarms):
    rng = np.random.default_rng(1)
    columns = {"flag": rng.random(50_000) < 0.0004, "x": rng.normal(size=50_000), "y": rng.random(50_000) < 0.0004}

    assert not alarms(columns, BINARY)


def test_a_perfect_score_of_few_members_is_not_sure_enough(alarms):
    few = np.r_[np.zeros(90), np.ones(90)]
    many = np.r_[np.zeros(120), np.ones(120)]

    assert not alarms({"x": few * 9 + RNG.normal(size=180), "y": few.astype(int)}, BINARY)
    assert alarms({"x": many * 9 + RNG.normal(size=240), "y": many.astype(int)}, BINARY)


@pytest.mark.parametrize("role", ["ignored", "identifier"])
def test_what_is_no_feature_is_missing_column(alarms, role):
    columns = {"leak": CLASSES, "x": NOISE, "y": CLASSES}

    assert not alarms(
        columns, BINARY, dataset={"columns": {"leak": {"role": role}}}, split={"by": "group", "group": "x"}
    )


def test_columns_with_a_declared_role_are_trusted(alarms):
    columns = {
        "leak": CLASSES,
        "near": CLASSES * 9 + NOISE[::-1],
        "id": np.arange(ROWS),
        "one": np.ones(ROWS),
        "seen": np.full(ROWS, np.datetime64("2030-01-01", "us")) + np.arange(ROWS).astype("timedelta64[D]"),
        "x": NOISE,
        "y": CLASSES,
    }

    as_of = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)

    assert len(alarms(columns, BINARY, as_of=as_of)) == 5
    assert not alarms(columns, BINARY, as_of=as_of, sentinel={"trusted": ["leak", "near", "id", "one", "seen"]})


def test_the_source_of_a_derived_target_is_no_feature(alarms):
    columns = {"delay": NOISE * 20, "x": RNG.normal(size=ROWS), "late": NOISE * 20 > 15}
    dataset = {"target": "late", "derive": {"late": {"column": "delay", "greater_than": 15}}}

    assert not alarms(columns, BINARY, dataset=dataset)


def test_copies_are_on_one_side_of_a_split_by_time_or_group(alarms):
    rows = np.r_[np.arange(ROWS), np.arange(ROWS)]
    columns = {"site": np.char.add("s", (rows % 40).astype(str)), "x": NOISE[rows], "y": CLASSES[rows]}

    assert set(alarms(columns, BINARY)) == {"rows_not_repeated"}
    assert not alarms(columns, BINARY, split={"by": "group", "group": "site"})


@pytest.mark.parametrize("patients", [9, 10, 590])
def test_entities_matter_when_they_repeat_and_can_be_split_by(found, patients):
    columns = {"patient": [f"p{row % patients}" for row in range(ROWS)], "x": NOISE, "y": CLASSES}
    dataset = {"columns": {"patient": {"role": "identifier"}}}

    assert bool(found("groups_not_split", columns, BINARY, dataset=dataset)) == (patients == 10)


def test_constant_and_empty_features_are_all_listed(found):
    columns = {
        "a": ["x"] * ROWS,
        "b": pa.nulls(ROWS),
        "c": pa.nulls(ROWS, pa.float64()),
        "d": [None, 1] * 300,
        "y": CLASSES,
    }

    reported = found("features_vary", columns, BINARY)

    assert reported == {
        "a": f"is 'x' in all {ROWS} rows",
        "b": "has no value in any row",
        "c": "has no value in any row",
    }


def test_the_date_of_a_partition_may_stand_still(found):
    columns = {"year": [2021] * ROWS, "plant": ["k"] * ROWS, "x": NOISE, "y": CLASSES}
    partitions = {"by": "month", "start": "2021-01"}

    assert set(found("features_vary", columns, BINARY)) == {"year", "plant"}
    assert set(found("features_vary", columns, BINARY, dataset={"partitions": partitions})) == {"plant"}


def test_small_classes_are_listed_with_their_size(found):
    labels = ["a"] * 580 + ["b"] * 11 + ["c"] * 9

    assert found("classes_large_enough", {"x": NOISE, "y": labels}, MULTICLASS) == {"y": "class 'c' has 9 members,"}
    assert not found("classes_large_enough", {"x": NOISE, "y": labels}, MULTICLASS, sentinel={"min_class_members": 9})


@pytest.mark.parametrize(("different", "alarmed"), [(290, False), (400, True)])
def test_categories_that_hardly_repeat_are_found(found, different, alarmed):
    columns = {"street": [f"s{row % different}" for row in range(ROWS)], "x": NOISE, "y": CLASSES}

    assert bool(found("categories_few_enough", columns, BINARY)) == alarmed


def test_what_names_rows_is_not_blamed_for_its_categories_too(alarms):
    columns = {"name": [f"n{row}" for row in range(ROWS)], "x": NOISE, "y": CLASSES}

    assert set(alarms(columns, BINARY, dataset={"columns": {"name": {"role": "categorical"}}})) == {
        "no_identifier_features"
    }


def test_prose_names_no_rows(alarms):
    texts = [f"the customer called {row} times and was told to wait for an answer" for row in range(ROWS)]

    assert not alarms({"note": texts, "x": NOISE, "y": CLASSES}, BINARY)


def test_no_value_of_a_personal_column_is_reported(alarms):
    columns = {"salary": ["secret"] * ROWS, "leak": np.where(CLASSES, "hidden", "shown"), "x": NOISE, "y": CLASSES}
    dataset = {"columns": {"salary": {"pii": True}, "leak": {"pii": True}}}

    reported = " ".join(outcome.observed for outcome in alarms(columns, BINARY, dataset=dataset).values())

    assert "***" in reported
    assert not {"secret", "hidden"} & set(reported.replace("'", " ").split())


ODD = {
    "list": [[1, 2]] * ROWS,
    "struct": [{"a": 1}] * ROWS,
    "decimal": [decimal.Decimal(row) / 7 for row in range(ROWS)],
    "date": [dt.date(2020, 1, 1) + dt.timedelta(days=row % 90) for row in range(ROWS)],
    "time": [dt.time(row % 24) for row in range(ROWS)],
    "span": [dt.timedelta(seconds=row % 50) for row in range(ROWS)],
    "zoned": pa.array([dt.datetime(2020, 1, 1, row % 24, tzinfo=dt.UTC) for row in range(ROWS)]),
    "nanoseconds": pa.array([1_700_000_000_000_000_001 + row % 40 for row in range(ROWS)], pa.timestamp("ns")),
    "bytes": [bytes([row % 250]) for row in range(ROWS)],
    "dictionary": pa.array(["a", None, "b"] * (ROWS // 3)).dictionary_encode(),
    "null": pa.nulls(ROWS),
    "infinite": np.where(NOISE > 1, np.inf, NOISE),
    "nan": np.where(NOISE > 1, np.nan, NOISE),
    "huge": np.where(NOISE > 1, 1e308, -1e308) * RNG.random(ROWS),
    "wide": np.arange(ROWS, dtype=np.int64) * 2**53 % (2**63 - 25),
    "flag": [True, None] * (ROWS // 2),
    "text": pa.array(["a", None, "", "b"] * (ROWS // 4), pa.large_string()),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [0, 1, 60, ROWS])
@pytest.mark.parametrize(
    ("task", "target"),
    [
        (BINARY, CLASSES),
        (MULTICLASS, np.array(["a", "b", "c"])[RNG.integers(0, 3, ROWS)]),
        (REGRESSION, NOISE * RNG.random(ROWS)),
        (REGRESSION, np.ones(ROWS)),
        (REGRESSION, np.array(["not", "a number"])[CLASSES]),
        (BINARY, pa.nulls(ROWS)),
    ],
)
def test_no_kind_of_column_breaks_a_rule(alarms, task, target, rows):
    table = pa.table({**ODD, "x": RNG.normal(size=ROWS), "y": target}).slice(0, rows)

    reported = alarms(table, task, as_of=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))

    assert not {"no_target_leakage", "rows_not_repeated"} & set(reported)


def test_without_a_target_nothing_breaks(make_spec, make_dataset):
    from assay.gate.gate import run_gate

    report = run_gate(make_dataset(pa.table({"x": NOISE})), make_spec(target="y"), where="").report

    results = {rule.name: rule for rule in report.rules if rule.name in SENTINEL}
    assert {result.observed for result in results.values() if result.configured} == {
        "not checked: there is no column y"
    }


def test_a_sign_of_most_of_a_rare_class_is_no_copy_of_it(alarms):
    rng = np.random.default_rng(1)
    target = rng.random(50_000) < 0.001
    columns = {"flag": target & (rng.random(50_000) < 0.7), "x": rng.normal(size=50_000), "y": target}

    assert not alarms(columns, BINARY)


@pytest.mark.parametrize(("name", "strength", "alarmed"), [("outcome", 0.5, False), ("outcome", 1.4, True), ("post_code", 1.4, False)])  # fmt: skip
def test_a_name_is_asked_only_of_a_strong_feature(alarms, name, strength, alarmed):
    rng = np.random.default_rng(2)
    target = rng.integers(0, 2, 4000)
    number = rng.normal(size=4000)

    of_classes = alarms({name: target * strength + rng.normal(size=4000), "y": target}, BINARY)
    of_numbers = alarms({name: number * strength + rng.normal(size=4000), "y": number}, REGRESSION)

    assert (bool(of_classes), bool(of_numbers)) == (alarmed, alarmed)


def test_a_class_too_small_to_be_sure_of_hides_no_leak_in_the_others(found):
    target = np.repeat([0, 1, 2], [300, 280, 20])
    columns = {"leak": target * 9 + NOISE, "x": RNG.normal(size=ROWS), "y": target}

    assert set(found("no_suspected_leakage", columns, MULTICLASS)) == {"leak"}


def test_a_moment_in_the_future_of_an_ignored_column_hurts_nobody(alarms):
    columns = {"due": np.full(ROWS, np.datetime64("2031-01-01", "us")), "x": NOISE, "y": CLASSES}
    as_of = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)

    assert not alarms(columns, BINARY, as_of=as_of, dataset={"columns": {"due": {"role": "ignored"}}})


@pytest.mark.parametrize("wrong", [0.04, 0.08])
def test_a_good_sign_of_the_target_is_no_copy_of_it(alarms, wrong):
    rng = np.random.default_rng(9)
    target = rng.integers(0, 2, 4000)
    sign = np.where(rng.random(4000) < wrong, 1 - target, target)

    assert not alarms({"x": rng.normal(size=4000), "sign": sign, "y": target}, BINARY)


def test_values_that_settle_one_class_only_are_honest(alarms):
    rng = np.random.default_rng(9)
    region = rng.choice(["n", "s", "w"], 4000)
    target = np.where(region == "n", 0, rng.integers(0, 2, 4000))

    assert not alarms({"x": rng.normal(size=4000), "region": region, "y": target}, BINARY)


def test_words_that_are_good_signs_are_honest(alarms):
    rng = np.random.default_rng(9)
    target = rng.integers(0, 2, 4000)
    mood = np.where(rng.random(4000) < 0.05, 1 - target, target)
    notes = pa.array(
        [
            f"guest {row} of room {row % 90} found it {['dull', 'fine'][sign]} all in all"
            for row, sign in enumerate(mood)
        ],
        mask=rng.random(4000) < 0.1,
    )

    assert not alarms({"x": rng.normal(size=4000), "note": notes, "y": target}, BINARY)
