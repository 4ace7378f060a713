"""Columns that together give the target exactly: each such relation blocks, and names its columns."""

import numpy as np
import pandas as pd
import pytest

BINARY, MULTICLASS, REGRESSION = "binary_classification", "multiclass_classification", "regression"
ROWS = 1500
RNG = np.random.default_rng(21)
A, B, C, D = (RNG.gamma(4, 20, ROWS).round(2) for _ in range(4))
NOISE = RNG.normal(size=(3, ROWS))
FLAGS = RNG.integers(0, 2, (2, ROWS))
PAIRS = RNG.integers(0, 4, (2, ROWS))
TIMES = np.datetime64("2024-01-01", "us") + RNG.integers(0, 10_000, ROWS).astype("timedelta64[m]")
MINUTES = RNG.integers(3, 90, ROWS)
TABLE = RNG.permutation(np.repeat(["low", "mid", "high", "top"], 4)).reshape(4, 4)
CHANCE = RNG.random(ROWS) < 0.4


def gaps(present):
    return np.where(present, NOISE[2], np.nan)


RELATIONS = {
    "sum": (REGRESSION, A + B, {"a": A, "b": B}),
    "difference": (REGRESSION, (A - B).round(2), {"a": A, "b": B}),
    "weighted sum": (REGRESSION, (0.5 * A + 0.3 * B + 0.2 * C).round(2), {"a": A, "b": B, "c": C}),
    "product": (REGRESSION, A * B, {"a": A, "b": B}),
    "ratio": (REGRESSION, A / B, {"a": A, "b": B}),
    "index": (REGRESSION, 1e4 * A / B**2, {"a": A, "b": B}),
    "product and sum": (REGRESSION, A * B + C, {"a": A, "b": B, "c": C}),
    "logarithm of a product": (REGRESSION, np.log(A * B), {"a": A, "b": B}),
    "error in percent": (REGRESSION, A, {"b": A + B / 10, "c": (100 * A / (A + B / 10)).round(2)}),
    "larger of two": (REGRESSION, np.maximum(A, B), {"a": A, "b": B}),
    "distance": (REGRESSION, np.abs(A - B), {"a": A, "b": B}),
    "times": (REGRESSION, MINUTES * 1.0, {"a": TIMES, "b": TIMES + MINUTES.astype("timedelta64[m]")}),
    "XOR": (BINARY, FLAGS[0] ^ FLAGS[1], {"a": FLAGS[0], "b": FLAGS[1]}),
    "comparison": (BINARY, A > B, {"a": A, "b": B}),
    "sign of a product": (BINARY, NOISE[0] * NOISE[1] > 0, {"a": NOISE[0], "b": NOISE[1]}),
    "paired gaps": (BINARY, CHANCE, {"a": gaps(FLAGS[0] == 1), "b": gaps((FLAGS[0] == 1) ^ CHANCE)}),
    "table": (MULTICLASS, TABLE[PAIRS[0], PAIRS[1]], {"a": PAIRS[0], "b": PAIRS[1]}),
}


@pytest.mark.parametrize("name", RELATIONS)
def test_an_exact_relation_blocks_and_names_its_columns(found, name):
    task, target, columns = RELATIONS[name]
    others = {"x": RNG.normal(size=ROWS), "z": RNG.choice(["p", "q"], ROWS)}

    reasons = found("target_not_reconstructible", {**others, **columns, "y": target}, task)

    assert set(reasons) == set(columns)


@pytest.mark.parametrize("name", RELATIONS)
def test_the_same_relation_with_noise_is_none(found, name):
    task, target, columns = RELATIONS[name]
    rng = np.random.default_rng(5)
    if task == REGRESSION:
        noisy = target + rng.normal(0, 0.02 * target.std(), ROWS)
    else:
        noisy = np.where(rng.random(ROWS) < 0.05, rng.permutation(target), target)

    assert found("target_not_reconstructible", {"x": NOISE[1], **columns, "y": noisy}, task) == {}


STREET = RNG.integers(0, 400, ROWS)
BOUGHT = RNG.random(ROWS) < 0.35


def means(form):
    rows = pd.DataFrame({"street": STREET, "y": BOUGHT.astype(float)})
    total, size = (rows.groupby("street")["y"].transform(each) for each in ("sum", "size"))
    forms = {
        "mean": total / size,
        "rounded": (total / size).round(4),
        "drawn": (total + 10 * BOUGHT.mean()) / (size + 10),
        "left out": ((total - rows["y"]) / (size - 1).clip(lower=1)),
        "other rows": pd.Series(np.random.default_rng(1).permutation(total / size)),
    }
    return forms[form].to_numpy()


@pytest.mark.parametrize("form", ["mean", "rounded", "drawn", "left out"])
def test_a_mean_of_the_target_that_knows_the_row_blocks(found, form):
    columns = {"x": NOISE[0], "street": STREET, "rate": means(form), "y": BOUGHT}

    assert set(found("target_not_reconstructible", columns, BINARY)) == {"rate"}


def test_a_mean_of_other_rows_is_no_leak(found):
    columns = {"x": NOISE[0], "street": STREET, "rate": means("other rows"), "y": BOUGHT}

    assert found("target_not_reconstructible", columns, BINARY) == {}


def walk(rows, seed=9):
    return np.random.default_rng(seed).normal(size=rows + 2).cumsum().round(2)


def test_the_next_rows_target_blocks_and_the_last_rows_does_not(found):
    values, days = walk(ROWS), np.datetime64("2020-01-01", "us") + np.arange(ROWS).astype("timedelta64[D]")
    columns = {"day": days, "before": values[:-2], "after": values[2:], "y": values[1:-1]}

    assert set(found("target_not_reconstructible", columns, REGRESSION)) == {"after"}


def test_the_next_target_of_each_entity_blocks_in_any_order_of_rows(found):
    shops = np.array([walk(50, seed) for seed in range(30)])
    rows = pd.DataFrame(
        {
            "shop": np.repeat(np.arange(30), 51),
            "day": np.tile(pd.date_range("2020-01-01", periods=51), 30),
            "plan": shops[:, 1:].ravel(),
            "y": shops[:, :-1].ravel(),
        }
    ).sample(frac=1, random_state=1, ignore_index=True)

    assert set(found("target_not_reconstructible", rows, REGRESSION)) == {"plan"}


def test_a_trusted_column_is_left_alone(found):
    columns = {"x": NOISE[0], "a": A, "b": B, "y": A + B}

    assert found("target_not_reconstructible", columns, REGRESSION, sentinel={"trusted": ["a"]}) == {}


def test_a_total_that_fits_in_one_class_alone_blocks(found):
    tip = np.where(CHANCE, RNG.gamma(2, 3, ROWS).round(2) + 0.5, 0)
    columns = {"x": NOISE[0], "fare": A, "tax": B, "total": A + B + tip, "y": CHANCE}

    assert set(found("target_not_reconstructible", columns, BINARY)) == {"fare", "tax", "total"}


def test_a_running_total_that_includes_the_row_blocks(found):
    columns = {"x": NOISE[0], "z": NOISE[1], "total": np.cumsum(A), "y": A}

    assert set(found("target_not_reconstructible", columns, REGRESSION)) == {"total"}


def test_a_mean_over_later_rows_is_suspected(found):
    mean = (A[:-2] + A[1:-1] + A[2:]) / 3
    columns = {"x": NOISE[0][1:-1], "z": NOISE[1][1:-1], "smooth": mean, "y": A[1:-1]}

    assert "includes later rows" in found("no_suspected_leakage", columns, REGRESSION)["smooth"]


def test_two_moments_whose_distance_tells_are_suspected(found):
    days = np.where(CHANCE, RNG.integers(5, 60, ROWS), RNG.integers(61, 400, ROWS))
    columns = {"x": NOISE[0], "from": TIMES, "to": TIMES + days.astype("timedelta64[D]"), "y": CHANCE}

    reasons = found("no_suspected_leakage", columns, BINARY) | found("target_not_reconstructible", columns, BINARY)
    assert {"from", "to"} <= set(reasons)


def test_an_end_that_excludes_a_class_is_suspected_whatever_the_name(found):
    rng = np.random.default_rng(26)
    seconds = rng.lognormal(5.2, 0.9, 20_000)
    bought = (rng.random(20_000) < 1 / (1 + np.exp(-1.6 * (np.log(seconds) - 6.5)))) & (seconds > 90)
    columns = {"col12": seconds.round(), "x": rng.normal(size=20_000), "z": rng.normal(size=20_000), "y": bought}

    assert "of its values exclude a class (0 rows" in found("no_suspected_leakage", columns, BINARY)["col12"]


@pytest.mark.parametrize("wrong", [0.01, 0.03])
def test_a_sum_blocks_although_some_rows_were_corrected(found, wrong):
    rng = np.random.default_rng(7)
    closing = np.where(rng.random(ROWS) < wrong, A + B - C + rng.normal(0, 40, ROWS).round(2), A + B - C - D / 10)
    columns = {"x": NOISE[0], "a": A, "b": B, "c": C, "closing": closing.round(3), "y": (D / 10).round(3)}

    reasons = found("target_not_reconstructible", columns, REGRESSION)

    assert set(reasons) == {"a", "b", "c", "closing"}
    assert "% of the rows" in reasons["closing"]


def test_a_product_blocks_although_some_rows_were_corrected(found):
    paid = np.where(np.random.default_rng(8).random(ROWS) < 0.02, D, A * B)
    columns = {"x": NOISE[0], "c": C, "a": A, "b": B, "y": paid}

    assert set(found("target_not_reconstructible", columns, REGRESSION)) == {"a", "b"}


@pytest.mark.parametrize("total", ["sum", "max", "min"])
def test_a_total_of_each_group_that_includes_the_row_blocks(found, total):
    rows = pd.DataFrame({"x": NOISE[0], "street": STREET, "y": A})
    rows["total"] = rows.groupby("street")["y"].transform(total)

    assert set(found("target_not_reconstructible", rows, REGRESSION)) == {"total"}


def test_a_count_of_positives_in_each_group_blocks_and_a_rare_flag_does_not(found):
    rows = pd.DataFrame({"x": NOISE[0], "street": STREET, "y": BOUGHT})
    rows["bought_there"] = rows.groupby("street")["y"].transform("sum").astype(int)
    assert set(found("target_not_reconstructible", rows, BINARY)) == {"bought_there"}

    rng = np.random.default_rng(11)
    street = rng.integers(0, 1500, 6000)
    rare = {"x": rng.normal(size=6000), "street": street, "corner": (street < 16).astype(int)}
    assert found("target_not_reconstructible", {**rare, "y": rng.random(6000) < 0.002}, BINARY) == {}


def test_the_label_of_the_next_row_blocks_as_text(found):
    rng = np.random.default_rng(12)
    status = np.where(rng.random(ROWS + 1) < 0.4, "late", "paid")
    columns = {"x": NOISE[0], "z": NOISE[1], "next": status[1:], "y": status[:-1]}

    assert set(found("target_not_reconstructible", columns, BINARY)) == {"next"}


def test_a_mean_of_later_rows_is_found_although_the_target_is_smooth_and_it_tells_little(alarms):
    raw = pd.Series(np.random.default_rng(13).normal(50, 20, ROWS))
    later = (raw.shift(-1) + raw.shift(-2) + raw.shift(-3)) / 3
    rows = pd.DataFrame({"x": NOISE[0], "z": NOISE[1], "later": later, "y": raw.ewm(span=8).mean()})[:-3]

    (failure,) = alarms(rows, REGRESSION)["no_suspected_leakage"].failures

    assert (failure.column, failure.conclusive) == ("later", True)


def test_means_of_earlier_rows_are_known_in_time(found):
    values = pd.Series(walk(ROWS, seed=14))
    rows = pd.DataFrame({"lag": values.shift(1), "mean": values.shift(1).rolling(5).mean(), "y": values})[6:]

    assert not any("later rows" in text for text in found("no_suspected_leakage", rows, REGRESSION).values())


def test_a_mean_of_the_row_and_earlier_ones_includes_no_later_row(found):
    mean = pd.Series(A).rolling(3).mean()
    rows = pd.DataFrame({"x": NOISE[0], "z": NOISE[1], "mean": mean, "y": A})[3:]

    assert "later rows" not in found("no_suspected_leakage", rows, REGRESSION).get("mean", "")


def test_two_columns_of_few_values_that_give_classes_with_mistakes_are_found(alarms):
    rng = np.random.default_rng(15)
    answer = np.where(FLAGS[0] ^ CHANCE ^ (rng.random(ROWS) < 0.04), "yes", "no")
    columns = {"x": NOISE[0], "question": np.where(FLAGS[0], "a", "b"), "answer": answer, "y": CHANCE}

    failures = alarms(columns, BINARY)["no_suspected_leakage"].failures

    assert {row.column for row in failures if row.conclusive} == {"question", "answer"}
