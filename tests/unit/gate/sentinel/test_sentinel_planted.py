"""Planted leaks: each is found by name, and nothing else is blamed for it."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

BINARY, MULTICLASS, REGRESSION = "binary_classification", "multiclass_classification", "regression"
ROWS = 1200
RNG = np.random.default_rng(11)
NOISE = RNG.normal(size=ROWS)
CLASSES = RNG.integers(0, 2, ROWS)
NUMBERS = RNG.gamma(2.0, 30.0, ROWS)
THREE = RNG.integers(0, 3, ROWS)


def only(alarms, rule, column):
    """The one failing rule, and the one column it names."""
    assert set(alarms) == {rule}, {name: outcome.observed for name, outcome in alarms.items()}
    assert {row.column for row in alarms[rule].failures} == {column}
    return alarms[rule].failures[0].found


@pytest.mark.parametrize(
    ("task", "target", "feature", "reported"),
    [
        (BINARY, CLASSES, CLASSES, "under other names"),
        (BINARY, CLASSES, np.where(CLASSES == 1, "yes", "no"), "under other names"),
        (BINARY, np.where(CLASSES == 1, "yes", "no"), CLASSES == 1, "under other names"),
        (BINARY, CLASSES, CLASSES * -3.5 + 2, "under other names"),
        (MULTICLASS, np.array(["a", "b", "c"])[THREE], np.array([7, 5, 9])[THREE], "under other names"),
        (BINARY, CLASSES, pa.array(np.ones(ROWS), mask=CLASSES == 1), "under other names"),
        (REGRESSION, NUMBERS, NUMBERS, "equals the target"),
        (REGRESSION, NUMBERS, 32 - NUMBERS * 1.8, "in another unit"),
        (REGRESSION, NUMBERS, pa.array(NUMBERS * 100, mask=NOISE > 1), "in another unit"),
    ],
)
def test_a_copy_or_recoding_of_the_target_is_found(alarms, task, target, feature, reported):
    assert reported in only(alarms({"x": NOISE, "leak": feature, "y": target}, task), "no_target_leakage", "leak")


@pytest.mark.parametrize("positives", [0.5, 0.02])
def test_a_copy_with_a_few_wrong_rows_is_found(alarms, positives):
    rng = np.random.default_rng(3)
    target = rng.random(20_000) < positives
    wrong = rng.random(20_000) < 0.0005
    columns = {"x": rng.normal(size=20_000), "leak": np.where(target ^ wrong, "paid", "due"), "y": target}

    assert "nearly the target" in only(alarms(columns, BINARY), "no_target_leakage", "leak")


def test_a_number_with_a_few_rows_corrected_is_found(alarms):
    rng = np.random.default_rng(3)
    target = rng.normal(size=20_000)
    copy = np.where(rng.random(20_000) < 0.0005, target + 0.1, target)

    assert "of 20,000 rows" in only(
        alarms({"leak": copy, "x": rng.normal(size=20_000), "y": target}, REGRESSION), "no_target_leakage", "leak"
    )


@pytest.mark.parametrize("task", [BINARY, MULTICLASS])
def test_missingness_that_is_the_target_is_found(alarms, task):
    target = CLASSES if task == BINARY else THREE
    columns = {"x": NOISE, "reason": pa.array(RNG.normal(size=ROWS), mask=target != 1), "y": target}

    assert "is missing in all rows of" in only(alarms(columns, task), "no_target_leakage", "reason")


def test_missingness_that_is_nearly_the_target_is_found(alarms):
    missing = CLASSES == 1
    missing[:5] = ~missing[:5]
    columns = {"x": NOISE, "reason": pa.array(RNG.normal(size=ROWS), mask=missing), "y": CLASSES}

    assert "AUC 0.99" in only(alarms(columns, BINARY), "no_suspected_leakage", "reason")


@pytest.mark.parametrize(
    ("task", "target", "feature"),
    [
        (BINARY, CLASSES, CLASSES * 6 + RNG.normal(size=ROWS)),
        (BINARY, CLASSES, (1 - CLASSES) * 6 + RNG.normal(size=ROWS)),
        (BINARY, CLASSES, np.where(CLASSES == 1, RNG.choice([-9, 9], ROWS), 0) + RNG.normal(size=ROWS)),
        (MULTICLASS, THREE, THREE * 7 + RNG.normal(size=ROWS)),
        (REGRESSION, NUMBERS, np.log(NUMBERS)),
        (REGRESSION, NUMBERS, NUMBERS + RNG.normal(size=ROWS)),
    ],
)  # fmt: skip
def test_a_feature_that_predicts_nearly_perfectly_alone_is_found(alarms, task, target, feature):
    reported = only(alarms({"x": NOISE, "leak": feature, "y": target}, task), "no_suspected_leakage", "leak")

    assert "predicts the target alone" in reported


@pytest.mark.parametrize(
    ("task", "target", "feature"),
    [
        (BINARY, CLASSES, np.char.add(np.where(CLASSES == 1, "p", "n"), RNG.integers(0, 12, ROWS).astype(str))),
        (MULTICLASS, THREE, np.char.add(np.array(["p", "q", "r"])[THREE], RNG.integers(0, 20, ROWS).astype(str))),
    ],
)
def test_values_that_stand_for_one_class_each_are_the_target(found, task, target, feature):
    columns = {"x": NOISE, "leak": feature, "y": target}

    assert "predicts the target alone" in found("no_suspected_leakage", columns, task)["leak"]
    assert "has one value of it" in found("target_not_reconstructible", columns, task)["leak"]


def test_a_feature_with_twice_the_skill_of_any_other_is_asked_for(found):
    rng = np.random.default_rng(53)
    target = rng.integers(0, 2, 3000)
    weak = {f"x{place}": target * 0.4 + rng.normal(size=3000) for place in range(4)}

    assert (
        "outdoes every other"
        in found("no_suspected_leakage", {**weak, "late": target * 1.8 + rng.normal(size=3000), "y": target}, BINARY)[
            "late"
        ]
    )


def test_a_number_that_falls_and_rises_with_the_target_is_found(alarms):
    rng = np.random.default_rng(5)
    place = rng.uniform(-1, 1, 6000)
    columns = {"x": rng.normal(size=6000), "leak": place, "y": place**2 + rng.normal(0, 0.01, 6000)}

    assert "R2 of ranks 0.99" in only(alarms(columns, REGRESSION), "no_suspected_leakage", "leak")


def test_parts_that_add_up_to_the_target_are_found_among_others(found):
    casual, registered = RNG.poisson(40, ROWS), RNG.poisson(150, ROWS)
    others = {f"x{place}": RNG.normal(size=ROWS) + 0.01 * registered for place in range(10)}
    columns = {**others, "casual": casual, "registered": registered, "y": casual + registered}

    reported = found("no_suspected_leakage", columns, REGRESSION)

    assert set(reported) == {"casual", "registered"}
    assert "y = 1 x casual + 1 x registered" in reported["casual"]


def test_the_two_moments_between_which_the_target_lies_are_found(found):
    start = np.datetime64("2021-01-01T00:00:00", "us") + RNG.integers(0, 30 * 86_400, ROWS).astype("timedelta64[s]")
    minutes = RNG.gamma(2.0, 8.0, ROWS).round()
    end = start + (minutes * 60).astype("timedelta64[s]")
    columns = {"start": start, "x": NOISE, "end": end, "y": minutes}

    assert set(found("no_suspected_leakage", columns, REGRESSION)) == {"start", "end"}


@pytest.mark.parametrize("name", ["duration", "case_outcome", "RefundAmount", "paid", "final-state", "ELAPSED_MS"])
def test_the_strongest_feature_is_asked_why_its_name_speaks_of_the_end(alarms, name):
    columns = {"x": CLASSES * 0.5 + NOISE, name: CLASSES * 1.4 + RNG.normal(size=ROWS), "y": CLASSES}

    reported = only(alarms(columns, BINARY), "no_suspected_leakage", name)

    assert "is it known when the prediction is made?" in reported


def test_a_moment_after_the_data_is_found(alarms):
    moments = np.datetime64("2020-01-01", "us") + RNG.integers(0, 700, ROWS).astype("timedelta64[D]")
    columns = {"x": NOISE, "seen": moments, "y": CLASSES}

    assert not alarms(columns, BINARY, as_of=dt.datetime(2022, 1, 1, tzinfo=dt.UTC))
    found = alarms(columns, BINARY, as_of=dt.datetime(2021, 11, 1, tzinfo=dt.UTC))
    assert "moments more than a day after 2021-11-01 00:00 UTC" in only(found, "no_future_timestamps", "seen")


@pytest.mark.parametrize(
    ("by", "start", "late"),
    [("month", "2021-01", "2021-02-01"), ("day", "2021-01-01", "2021-01-11"), ("week", "2021-01-03", "2021-01-18")],
)
def test_a_feature_later_than_the_period_of_its_row_is_found(alarms, by, start, late):
    placed = np.full(ROWS, np.datetime64("2021-01-10T12:00", "us"))
    closed = placed.copy()
    closed[:30] = np.datetime64(late, "us")
    dataset = {
        "partitions": {"by": by, "column": "placed", "start": start},
        "columns": {"placed": {"role": "ignored"}},
    }
    as_of = dt.datetime(2021, 3, 1, tzinfo=dt.UTC)
    columns = {"x": NOISE, "placed": placed, "seen": closed, "y": CLASSES}

    found = alarms(columns, BINARY, as_of=as_of, dataset=dataset)

    assert only(found, "no_future_timestamps", "seen") == f"moments after the end of the {by} of placed"
    assert found["no_future_timestamps"].failing_rows == 30


def test_a_counter_of_rows_that_are_sorted_by_class_is_found(found):
    target = np.sort(CLASSES)
    columns = {"x": NOISE, "record": np.arange(ROWS) + 1000, "y": target}

    assert set(found("no_identifier_features", columns, BINARY)) == {"record"}
    assert set(found("no_suspected_leakage", columns, BINARY)) == {"record"}


@pytest.mark.parametrize(
    "ids",
    [
        RNG.permutation(ROWS),
        np.cumsum(RNG.integers(1, 9, ROWS)).astype(np.float64),
        [f"{place:08x}-0000-4000-8000-{place:012x}" for place in range(ROWS)],
        [f"{place // 3:032x}" for place in range(ROWS)],
        np.append(np.arange(ROWS - 1), 0),
    ],
)
def test_a_feature_that_names_rows_is_found(alarms, ids):
    only(alarms({"x": NOISE, "record": ids, "y": CLASSES}, BINARY), "no_identifier_features", "record")


def test_texts_that_are_all_different_are_found_where_they_are_declared_a_feature(alarms):
    columns = {"x": NOISE, "account": [f"A-{place}" for place in range(ROWS)], "y": CLASSES}

    found = alarms(columns, BINARY, dataset={"columns": {"account": {"role": "categorical"}}})

    assert "100% of its texts are different" in only(found, "no_identifier_features", "account")


def test_copies_of_rows_that_a_random_split_would_tear_apart_are_found(alarms):
    rows = np.concatenate([np.arange(ROWS), np.arange(0, ROWS, 10)])
    columns = {"x": NOISE[rows], "z": NUMBERS[rows], "y": CLASSES[rows]}

    assert f"{ROWS // 10:,} of {ROWS + ROWS // 10:,} rows repeat an earlier one" in only(
        alarms(columns, BINARY), "rows_not_repeated", ""
    )
    assert not alarms(columns, BINARY, sentinel={"max_duplicate_share": 0.1})


def test_copies_let_a_promotion_wait_only_where_they_can_be_on_both_sides(alarms):
    """The side follows from a row's content: copies under other keys may be on both, exact ones are on one."""
    rows = np.concatenate([np.arange(ROWS), np.arange(0, ROWS, 10)])
    columns = {"x": NOISE[rows], "z": NUMBERS[rows], "y": CLASSES[rows]}
    exact, numbered = alarms(columns, BINARY), alarms({"id": [f"k{n}" for n in range(len(rows))], **columns}, BINARY)

    assert "keeps copies on one side" in only(exact, "rows_not_repeated", "")
    assert not exact["rows_not_repeated"].failures[0].holds
    assert "copies on both sides" in only(numbered, "rows_not_repeated", "")
    assert numbered["rows_not_repeated"].failures[0].holds


@pytest.mark.parametrize("by", ["random", "stratified"])
def test_an_entity_that_a_random_split_would_tear_apart_is_found(alarms, by):
    columns = {"patient": [f"p{place % 200}" for place in range(ROWS)], "x": NOISE, "y": CLASSES}
    dataset = {"columns": {"patient": {"role": "identifier"}}}

    reported = only(alarms(columns, BINARY, dataset=dataset, split={"by": by}), "groups_not_split", "patient")

    assert "group: patient" in reported
    assert not alarms(columns, BINARY, dataset=dataset, split={"by": "group", "group": "patient"})


def test_a_copy_with_one_row_in_a_hundred_wrong_is_found(alarms):
    rng = np.random.default_rng(3)
    target = rng.integers(0, 2, 3000)
    leak = np.where(rng.random(3000) < 0.01, 1 - target, target)

    reported = only(
        alarms({"x": rng.normal(size=3000), "leak": leak, "y": target}, BINARY), "no_suspected_leakage", "leak"
    )
    assert "one value for each class" in reported


def test_values_that_settle_half_of_the_rows_are_found(alarms):
    state = np.where(NOISE > 0, np.where(CLASSES == 1, "won", "lost"), "pending")

    reported = only(alarms({"x": NOISE, "state": state, "y": CLASSES}, BINARY), "no_suspected_leakage", "state")
    assert "settles the target in" in reported


@pytest.mark.parametrize("sorted_by_class", [False, True])
def test_a_word_of_a_text_that_says_the_target_is_found(alarms, sorted_by_class):
    rng = np.random.default_rng(4)
    target = rng.integers(0, 2, 6000)
    target = np.sort(target) if sorted_by_class else target
    words = np.array(["declined", "approved"])[target]
    notes = [f"Case {row}: {word.title()} by agent {row % 40} this morning" for row, word in enumerate(words)]

    reported = only(
        alarms({"x": rng.normal(size=6000), "note": notes, "y": target}, BINARY), "no_suspected_leakage", "note"
    )
    assert "holds a word" in reported
    assert "approved" not in reported.casefold()


def few_classes(rows, wrong, seed=51):
    """Classes of a small table, and a code for them with mistakes."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, rows)
    return target, np.where(rng.random(rows) < wrong, rng.integers(0, 3, rows), target), rng


def test_a_code_for_classes_with_mistakes_is_found_in_a_small_table(alarms):
    target, code, rng = few_classes(150, 0.06)
    columns = {"x": rng.normal(size=150), "code": np.array(["R1", "R2", "R3"])[code], "y": target}

    (failure,) = alarms(columns, MULTICLASS)["no_suspected_leakage"].failures

    assert (failure.column, failure.conclusive) == ("code", True)
    assert "has one value for each class" in failure.found


def test_a_code_with_many_mistakes_is_a_good_sign(found):
    target, code, rng = few_classes(150, 0.25)

    assert found("no_suspected_leakage", {"x": rng.normal(size=150), "code": code, "y": target}, MULTICLASS) == {}


def test_several_values_for_each_class_with_mistakes_are_found(alarms):
    target, code, rng = few_classes(1200, 0.05)
    branch = np.char.add("b", (code * 10 + rng.integers(0, 10, 1200)).astype(str))
    columns = {"x": rng.normal(size=1200), "branch": branch, "y": target}

    (failure,) = alarms(columns, MULTICLASS)["no_suspected_leakage"].failures

    assert (failure.column, failure.conclusive) == ("branch", True)


def test_gaps_that_are_the_target_with_mistakes_are_found(alarms):
    rng = np.random.default_rng(52)
    target = rng.integers(0, 2, 700)
    absent = rng.random(700) < np.where(target == 1, 0.95, 0.04)
    columns = {"x": rng.normal(size=700), "after": np.where(absent, np.nan, rng.normal(size=700)), "y": target}

    (failure,) = alarms(columns, BINARY)["no_suspected_leakage"].failures

    assert (failure.column, failure.conclusive) == ("after", True)
    assert "missing" in failure.found


def held(alarms, columns, task):
    """The columns for which a promotion waits for a person, with the reason."""
    failures = alarms({"x": NOISE, **columns}, task)["no_suspected_leakage"].failures
    return {row.column: row.found for row in failures if row.holds}


def test_a_value_that_occurs_with_one_class_alone_holds_a_promotion(alarms):
    rng = np.random.default_rng(3)
    kind = rng.choice(np.array(list("abcdef"), dtype=object), ROWS)
    kind[(rng.random(ROWS) < 0.18) & (CLASSES == 1)] = "refund"

    reasons = held(alarms, {"kind": kind, "y": CLASSES}, BINARY)
    assert list(reasons) == ["kind"]
    assert "has 1 value that occurs with one class alone" in reasons["kind"]


def test_a_number_near_the_target_holds_a_promotion(alarms):
    near = NUMBERS + np.random.default_rng(3).normal(size=ROWS) * NUMBERS.std() / 5
    assert "small errors" in held(alarms, {"near": near, "y": NUMBERS}, REGRESSION)["near"]


def test_bands_of_the_target_hold_a_promotion(alarms):
    bands = np.digitize(NUMBERS, np.quantile(NUMBERS, [0.3, 0.7]))
    assert "in another scale" in held(alarms, {"band": bands, "y": NUMBERS}, REGRESSION)["band"]


def test_a_difference_of_two_numbers_that_predicts_holds_a_promotion(alarms):
    rng = np.random.default_rng(3)
    width, height, error = rng.normal(size=(3, ROWS))

    reasons = held(
        alarms, {"width": width, "height": height, "y": (width - height + 0.12 * error > 0).astype(int)}, BINARY
    )
    assert set(reasons) == {"width", "height"}
    assert "predicts the target by (width - height)" in reasons["width"]
