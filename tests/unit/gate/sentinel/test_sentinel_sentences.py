"""What the sentinel's rules say: each sentence has the values that it speaks of, and its noun's number."""

import datetime as dt
import json
import re

import numpy as np
import pyarrow as pa
import pytest
from sentinel_rules import configured_sentinel

from assay.data.schema import infer_schema
from assay.gate.checked_table import CheckedTable
from assay.gate.sentinel import class_signs, copies, encodings, look_up_tables, number_signs, repeats, row_order, ties
from assay.gate.sentinel.class_signs import one_class_values, recoded_with_mistakes, revealing_values
from assay.gate.sentinel.entities import Entity
from assay.gate.sentinel.features import CodedColumn
from assay.gate.sentinel.scores import Score
from assay.gate.sentinel.suspicion import _named, _parts, _prevailing, _revealing_word, _too_good
from assay.gate.sentinel.texts import _spelling
from assay.gate.sentinel.thresholds import _words as threshold_words
from assay.specs import PipelineSpec

BINARY, MULTICLASS, REGRESSION = "binary_classification", "multiclass_classification", "regression"
HALVES = np.repeat([0, 1], 200)


def spec_of(task=BINARY, **parts):
    dataset = {"source": "rows.csv", "target": "y", **parts.pop("dataset", {})}
    sentinel = parts.pop("sentinel", {})
    document = {"name": "loans", "task": task, "dataset": dataset, "validation": {"sentinel": sentinel}, **parts}
    return PipelineSpec.model_validate_json(json.dumps(document))


def judged(rule, columns, task=BINARY, *, as_of=None, **parts):
    """Return the outcome of one rule."""
    spec, table = spec_of(task, **parts), pa.table(columns)
    checked = CheckedTable(table, infer_schema(table, spec.dataset), as_of=as_of)
    return configured_sentinel(spec)[rule](checked, spec)


def coded(codes, distinct=2, *, ordered=False):
    return CodedColumn(np.asarray(codes, dtype=np.int64), distinct, ordered)


# ------------------------------------------------------------------------------------------- signs of single features


@pytest.mark.parametrize(
    ("wrong", "said"),
    [(1, "has one value for each class in 399 of 400 rows"), (4, "has one value for each class in 396 of 400 rows")],
)
def test_classes_with_mistakes(wrong, said):
    values = HALVES.copy()
    values[:wrong] = 1
    assert recoded_with_mistakes(coded(values), coded(HALVES)) == said


def test_gaps_and_groups_of_values_that_are_classes_with_mistakes():
    gaps = np.where(HALVES == 0, -1, np.arange(400) % 9)
    gaps[0] = 3
    said = "is missing in one class, and present in another, in 399 of 400 rows"
    assert recoded_with_mistakes(coded(gaps, 9, ordered=True), coded(HALVES)) == said
    grouped = HALVES * 5 + np.arange(400) % 5
    grouped[0] = 7
    said = "has values that each stand for one class in 399 of 400 rows"
    assert recoded_with_mistakes(coded(grouped, 20), coded(HALVES)) == said


def test_values_that_settle_the_target_are_cut_and_not_rounded_to_all_rows():
    values, target = np.repeat([0, 1, 2], [1000, 1000, 1]), np.repeat([0, 1, 1], [1000, 1000, 1])
    assert revealing_values(coded(values, 3), coded(target)) == (
        "settles the target in 99.9% of the rows: 2 of its values"
    )


@pytest.mark.parametrize(
    ("pure", "said"),
    [
        (1, "has 1 value that occurs with one class alone, in 100 of 1,000 rows"),
        (2, "has 2 values that each occur with one class alone, in 200 of 1,000 rows"),
    ],
)
def test_values_of_one_class_alone(pure, said):
    values = np.arange(1000) // 100
    target = np.arange(1000) % 2
    target[: 100 * pure] = 1
    assert one_class_values(coded(values, 10), coded(target)) == said


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (0, "predicts best, and the lowest 5% of its values exclude a class (0 rows, where 34 are expected)"),
        (1, "predicts best, and the lowest 5% of its values nearly exclude a class (1 row, where 34 are expected)"),
        (9, "predicts best, and the lowest 5% of its values nearly exclude a class (9 rows, where 34 are expected)"),
    ],
)
def test_an_end_that_excludes_a_class(seen, said):
    assert class_signs._excluded("lowest", 0.05, seen, 34.2) == f"{said}: is it known before the outcome?"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (0, "is the target under other names: one value for each class in all 4,000 rows"),
        (3, "is nearly the target under other names: one value for each class in 3,997 of 4,000 rows"),
        (4, ""),
    ],
)
def test_a_recoding(wrong, said):
    target = np.arange(4000) % 2
    values = np.where(np.arange(4000) < wrong, 0, target)
    values[:wrong] = 1 - target[:wrong]
    assert copies._recoding(coded(values), coded(target)) == said


def test_numbers_that_are_the_target():
    numbers = np.arange(2000, dtype=float) ** 2
    nearly = numbers.copy()
    nearly[1000] += 5e5
    assert copies._same_number(numbers, numbers) == "equals the target: correlation 1.000000000 over 2,000 rows"
    assert copies._same_number(3 * numbers, numbers).startswith("is the target in another unit: correlation 1.0000")
    assert copies._same_number(nearly, numbers) == "equals the target in 1,999 of 2,000 rows"


def test_gaps_that_reveal_a_class():
    gaps = np.where(HALVES == 0, -1, 5)
    several = np.repeat([0, 1, 2], [100, 100, 200])
    said = [
        copies._revealing_gap(coded(gaps), coded(HALVES), np.array([True, True])),
        copies._revealing_gap(coded(np.where(several == 2, 5, -1)), coded(several, 3), np.array([True] * 3)),
    ]
    assert said == [
        "is missing in all rows of one class, and in no others",
        "is missing in all rows of all classes but one, and in no others",
    ]


@pytest.mark.parametrize(
    ("scale", "noise", "said"),
    [
        (1, 0.1, "is the target with small errors: concordance 0.9"),
        (9, 0.01, "is the target in another unit, with small errors: concordance 0."),
    ],
)
def test_the_target_with_errors(scale, noise, said):
    random = np.random.default_rng(1)
    y = random.normal(size=400)
    columns = pa.table({"x": scale * (y + noise * random.normal(size=400)), "y": y})
    table = CheckedTable(columns, infer_schema(columns, spec_of(REGRESSION).dataset))
    assert number_signs.near_targets(table, "y", ["x"], None)["x"].startswith(said)


@pytest.mark.parametrize(("task", "score"), [(REGRESSION, "correlation 1.000"), (BINARY, "AUC 1.000")])
def test_two_numbers_that_predict_together_are_measured_by_what_is_named(task, score):
    random = np.random.default_rng(2)
    left, gap = random.normal(size=600), random.normal(size=600)
    columns = pa.table({"a": left, "b": left * 0 + left - gap, "y": gap if task == REGRESSION else gap > 0})
    spec = spec_of(task)
    table = CheckedTable(columns, infer_schema(columns, spec.dataset))
    weak = {"a": Score(0.5, 0.4), "b": Score(0.5, 0.4)}
    found = number_signs.pairs_that_predict(table, spec, ["a", "b"], None, weak)
    assert found.reasons["a"] == f"predicts the target by (a - b): {score}"


def test_ranges_of_numbers():
    column = CodedColumn(np.arange(400) % 20, 20, ordered=False)
    found = number_signs.coded_ranges({"code": Score(0.98765, 0.98)}, {"code": column}, column, 0.97)
    assert found == {"code": "has values that each stand for a range of the target: R2 of ranks 0.988"}


# ------------------------------------------------------------------------------------------------- several features


def test_rules_that_give_the_target_count_the_rows_compared():
    weights = np.array([1, -0.5])
    said = [threshold_words(["a", "b"], weights, 1200, logarithms=each) for each in (False, True)]
    where = "is larger, in all 1,200 rows compared"
    assert said == [
        f"gives the target with others: it is one class where 1 x a + -0.5 x b {where}",
        f"gives the target with others: it is one class where a^1 x b^-0.5 {where}",
    ]


def test_a_comparison_and_a_conserved_sum():
    random = np.random.default_rng(3)
    a, b, c = random.normal(size=(3, 400))
    compared = judged("target_not_reconstructible", {"a": a, "b": b, "y": a > b})
    assert "gives the target with another: it is one class where (a - b) is larger, in all 400 rows compared" in (
        compared.observed
    )
    late = np.arange(400) % 2 == 0
    summed = judged("target_not_reconstructible", {"a": a, "b": b, "c": a + b + late * np.abs(c), "y": late})
    assert "gives the target with others: a sum of a, b, c is constant in one class alone" in summed.observed


@pytest.mark.parametrize(
    ("wrong", "where"), [(0, "in all the rows compared"), (1, "in 99.9% of the rows compared")], ids=["all", "but-one"]
)
def test_a_formula(wrong, where):
    a, b = np.random.default_rng(4).normal(size=(2, 4000)).round(3)
    y = a + b
    y[:wrong] += 50
    found = judged("target_not_reconstructible", {"a": a, "b": b, "y": y}, REGRESSION)
    assert found.failures[0].found == f"gives the target with others: y = 1 x a + 1 x b, {where}"


def test_look_up_tables():
    assert look_up_tables._gives(["a"]) == "gives the target: each value of a has one value of it"
    together = "gives the target with others: each combination of a, b (missing or not) has one value of it"
    assert look_up_tables._gives(["a", look_up_tables._worded(("b", True))]) == together


def test_a_look_up_table_with_mistakes_names_no_bound_above_its_own(monkeypatch):
    def agreement(columns, goal, classes):
        return 0.8491 if len(columns) > 1 else 0.1

    monkeypatch.setattr(look_up_tables, "_agreement", agreement)
    a, b = np.random.default_rng(5).integers(0, 2, (2, 400))
    columns = pa.table({"a": a, "b": b, "y": (a ^ b).astype(bool)})
    table = CheckedTable(columns, infer_schema(columns, spec_of().dataset))
    found = look_up_tables.nearly_looked_up(table, "y", ["a", "b"], None)
    assert found["a"] == "gives the target with another, with mistakes: a and b, kappa at least 0.84"


@pytest.mark.parametrize(("total", "words"), [(np.add, "the sum"), (np.maximum, "the largest")])
def test_totals_and_means_of_groups(total, words):
    random = np.random.default_rng(6)
    group = np.repeat(np.arange(60), 5)
    y = random.normal(size=300)
    per_group = total.reduceat(y, np.arange(0, 300, 5))
    columns = {"x": per_group[group], "shop": [f"s{each}" for each in group], "y": y}
    found = judged("target_not_reconstructible", columns, REGRESSION)
    assert f"x: is {words} of the target in each shop, the row itself included" in found.observed
    mean = np.add.reduceat(y, np.arange(0, 300, 5)) / 5
    found = judged("target_not_reconstructible", {**columns, "x": mean[group].round(3)}, REGRESSION)
    assert "x: is the mean target of the rows that share its value, these rows included" in found.observed
    spec = spec_of(REGRESSION)
    columns = pa.table({"x": mean[group] + np.tile([0, 1e-5], 150), "shop": columns["shop"], "y": y})
    table = CheckedTable(columns, infer_schema(columns, spec.dataset))
    found = encodings._reason(table, "y", ["x", "shop"], "x", columns["x"].to_numpy(), y)
    assert found == "is the mean target of each shop, the row itself included"


@pytest.mark.parametrize(
    ("step", "said"), [(1, "the next row"), (2, "the row 2 rows later"), (3, "the row 3 rows later")]
)
def test_targets_of_later_rows(step, said):
    y = np.random.default_rng(7).normal(size=400)
    columns = {"x": np.roll(y, -step), "y": y}
    found = judged("target_not_reconstructible", columns, REGRESSION)
    assert found.observed == f"x: is the target of {said}, in the table's order: it is not known yet"


def test_sums_and_means_over_time():
    random = np.random.default_rng(8)
    y = random.integers(0, 9, 600).astype(float)
    shop = [f"s{each}" for each in range(3) for _ in range(200)]
    by_shop = np.concatenate([np.cumsum(part) for part in y.reshape(3, 200)])
    found = judged("target_not_reconstructible", {"x": by_shop, "shop": shop, "y": y}, REGRESSION)
    assert found.observed == "x: is the sum of the target up to the row itself, in the table's order within each shop"
    mean = np.convolve(y, np.ones(5) / 5, "same")
    moments = pa.array([dt.datetime(2024, 1, 1) + dt.timedelta(days=n) for n in range(600)])  # noqa: DTZ001
    shuffled = random.permutation(600)
    columns = {"x": mean[shuffled], "t": moments.take(pa.array(shuffled)), "y": y[shuffled]}
    table = CheckedTable(pa.table(columns), infer_schema(pa.table(columns), spec_of(REGRESSION).dataset))
    relations = row_order.time_relations(table, "y", ["x"], set())
    assert relations.mixing == {"x": "is a mean of the target that includes later rows, in the order of t"}


def test_what_moves_with_the_next_target():
    y = np.cumsum(np.random.default_rng(9).normal(size=200))
    moving = np.roll(y, -1) + 0.1 * np.random.default_rng(10).normal(size=200)
    columns = pa.table({"x": moving, "y": y})
    table = CheckedTable(columns, infer_schema(columns, spec_of(REGRESSION).dataset))
    relations = row_order.time_relations(table, "y", ["x"], {"x"})
    said = "moves with the target of the next row, in the table's order: is it known by then?"
    assert relations.moving == {"x": said}


# -------------------------------------------------------------------------------------------------------- suspicions

WORDS = [(BINARY, "AUC"), (REGRESSION, "R2 of ranks")]


@pytest.mark.parametrize(("task", "score"), WORDS)
def test_scores_of_single_features(task, score):
    spec = spec_of(task, sentinel={"max_single_feature_score": 0.95})
    found = _too_good({"a": Score(0.9876, 0.95), "b": Score(0.96, 0.949)}, spec)
    assert found == {"a": f"predicts the target alone with {score} 0.988 (at least 0.950)"}
    prevailing = _prevailing(
        {"a": Score(0.95, 0.9), "b": Score(0.6, 0), "c": Score(0.56, 0), "d": Score(0.55, 0)}, spec
    )
    if task == BINARY:
        assert prevailing == {
            "a": "outdoes every other feature (AUC 0.950, against 0.600 of b): is it known when the prediction is made?"
        }
    assert _revealing_word(Score(0.97, 0.951), spec) == (
        "holds a word that predicts the target alone with AUC 0.970 (at least 0.951)"
    )


@pytest.mark.parametrize(("task", "score"), WORDS)
def test_of_names_that_speak_of_the_outcome_one_alone_is_the_best(task, score):
    found = _named({"age": Score(0.7, 0), "refunded": Score(0.8, 0), "duration": Score(0.9, 0)}, spec_of(task))
    asked = "is it known when the prediction is made?"
    assert found == {
        "refunded": f"predicts the target better than other features ({score} 0.800), and its name speaks of what "
        f"follows from the outcome: {asked}",
        "duration": f"predicts the target best of all features ({score} 0.900), and its name speaks of how long it "
        f"took, which is known when it is over: {asked}",
    }


def test_the_strongest_feature_and_parts_of_the_target():
    random = np.random.default_rng(11)
    a, b = random.integers(1, 50, (2, 300)).astype(float)
    plain = judged("no_suspected_leakage", {"a": a, "y": random.integers(0, 2, 300).astype(bool)})
    assert plain.observed.startswith("strongest single feature: a, AUC 0.5")
    columns = pa.table({"a": a, "b": b, "y": a + 2 * b})
    spec = spec_of(REGRESSION)
    table = CheckedTable(columns, infer_schema(columns, spec.dataset))
    said = _parts(table, spec, ["a", "b"], None)
    assert said["a"] == "adds up to the target: y = 1 x a + 2 x b, with R2 1.0000000"


# ------------------------------------------------------------------------------------------- rows, entities, readiness


@pytest.mark.parametrize(
    ("number", "rows", "said"),
    [(0, 1000, "0 of 1,000 rows repeat"), (1, 1000, "1 of 1,000 rows repeats"), (20, 2000, "20 of 2,000 rows repeat")],
)
def test_repeated_rows_are_counted(number, rows, said):
    assert repeats._repeated(number, rows) == f"{said} an earlier one in every feature and the target"


@pytest.mark.parametrize(("copied", "limit"), [(1, 0.0005), (30, 0.0125)])
def test_copies_of_rows_name_their_bound(copied, limit):
    x = np.random.default_rng(12).normal(size=1000)
    x[-copied:] = x[:copied]
    y = np.tile([True, False], 500)
    y[-copied:] = y[:copied]
    found = judged("rows_not_repeated", {"x": x, "y": y}, sentinel={"max_duplicate_share": limit})
    assert found.expected.startswith(f"at most {100 * limit:g}% of the rows repeat an earlier one; ")
    assert found.observed == (
        f"{repeats._repeated(copied, 1000)}: the split keeps copies on one side, but they count as often as they occur"
    )
    honest = judged("rows_not_repeated", {"x": np.arange(1000) / 7, "y": y})
    assert honest.observed.startswith("at most 0 of 1,000 rows repeat")


def test_entities_and_identifiers():
    assert repeats._of_entity("shop", Entity(0.8765, -0.0312)) == (
        "names entities on which the target depends: R2 0.876 by other rows of the same shop, -0.031 by rows of others, "
        "so a random split flatters: use `split: {by: group, group: shop}`"
    )
    shared = repeats._shared(pa.chunked_array([[n // 2 for n in range(1000)]]), "shop", spec_of())
    assert shared == (
        "1,000 of 1,000 rows share their shop with others (500 different values), and a random split puts them on both "
        "sides: use `split: {by: group, group: shop}`"
    )


@pytest.mark.parametrize(
    ("trusted", "said"),
    [
        ((), "identifiers hardly repeat: key; identifiers have fewer than 10 values: few"),
        (("few",), "identifiers hardly repeat: key"),
        (("key", "few"), "no identifier is compared"),
    ],
)
def test_identifiers_that_pass(trusted, said):
    y = np.random.default_rng(13).integers(0, 2, 200).astype(bool)
    columns = {"key": [f"k{n}" for n in range(200)], "few": [f"f{n % 3}" for n in range(200)], "y": y}
    roles = {"columns": {"key": {"role": "identifier"}, "few": {"role": "identifier"}}}
    found = judged("groups_not_split", columns, dataset=roles, sentinel={"trusted": list(trusted)})
    assert found.observed == f"{said}; no other column names entities"


@pytest.mark.parametrize(("rows", "said"), [(1, "1 row, fewer than 50"), (49, "49 rows, fewer than 50")])
def test_too_few_rows(rows, said):
    columns = {"x": list(range(rows)), "y": [n % 2 == 0 for n in range(rows)]}
    assert judged("no_target_leakage", columns).observed == f"not checked: {said}"


@pytest.mark.parametrize(("members", "said"), [(1, "1 member,"), (2, "2 members,")])
def test_small_classes(members, said):
    labels = ["a"] * 40 + ["b"] * (60 - members) + ["c"] * members
    found = judged("classes_large_enough", {"x": list(range(100)), "y": labels}, MULTICLASS)
    assert found.failures[0].found == f"class 'c' has {said}"


def test_the_smallest_class():
    columns = {"x": list(range(100)), "y": ["a"] * 40 + ["b"] * 60}
    assert judged("classes_large_enough", columns).observed == "the smallest class has 40 rows"


@pytest.mark.parametrize(("limit", "said"), [(0.5, "50% as many"), (0.125, "12.5% as many"), (1, "100% as many")])
def test_the_bound_of_categories(limit, said):
    columns = {"x": [f"c{n % 7}" for n in range(100)], "y": [n % 2 == 0 for n in range(100)]}
    found = judged("categories_few_enough", columns, sentinel={"max_category_share": limit})
    assert found.expected.startswith(f"at most 50 categories, or {said} as rows; ")


@pytest.mark.parametrize(
    ("first", "said"),
    [(1, "numbers the rows: 100 whole numbers in a range of 100"), (5001, "100 whole numbers in a range of 100")],
)
def test_numbers_of_rows(first, said):
    columns = {"n": [first + n for n in range(100)], "y": [n % 2 == 0 for n in range(100)]}
    assert said in judged("no_identifier_features", columns).observed


def test_codes_of_rows():
    columns = {"code": [f"{n:032x}" for n in range(3000)], "y": [n % 2 == 0 for n in range(3000)]}
    found = judged("no_identifier_features", columns, dataset={"columns": {"code": {"role": "text"}}})
    assert found.failures[0].found == "holds codes that name something: 100% of them are different"


AS_OF = dt.datetime(2024, 5, 1, 14, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.mark.parametrize(
    ("hours", "columns", "said"),
    [
        (0, 0, "no column of times"),
        (0, 1, "1 column of times, none more than a day after 2024-05-01 12:30 UTC"),
        (20, 2, "2 columns of times, none more than a day after 2024-05-01 12:30 UTC"),
        (25, 1, "t0: moments more than a day after 2024-05-01 12:30 UTC, as of which the data is checked, in 60 rows"),
    ],
)
def test_moments_after_the_data(hours, columns, said):
    late = dt.datetime(2024, 5, 1, 12, 30) + dt.timedelta(hours=hours)  # noqa: DTZ001
    times = {f"t{n}": pa.array([late] * 60, pa.timestamp("us")) for n in range(columns)}
    found = judged("no_future_timestamps", {**times, "y": [n % 2 == 0 for n in range(60)]}, as_of=AS_OF)
    assert found.observed == said


@pytest.mark.parametrize(("delay", "said"), [(0, ""), (1, "1 hour or more "), (1.5, "1.5 hours or more ")])
def test_moments_after_the_rows_own_period(delay, said):
    begin, end = dt.datetime(2024, 1, 5), dt.datetime(2024, 2, 1, 6)  # noqa: DTZ001
    columns = {"t": [begin] * 60, "end": [end] * 60, "y": [n % 2 == 0 for n in range(60)]}
    found = judged(
        "no_future_timestamps", columns, dataset={"partitions": {"by": "month", "column": "t", "start": "2024-01"}},
        sentinel={"future_delay_hours": delay}, split={"by": "time", "train_partitions": 2}, as_of=AS_OF,
    )  # fmt: skip
    assert found.failures[0].found == f"moments {said}after the end of the month of t"


@pytest.mark.parametrize(("padded", "said"), [(1, "1 text has blanks"), (1200, "1,200 texts have blanks")])
def test_blanks_and_spellings(padded, said):
    def column(texts):
        return pa.array([{"values": text, "counts": count} for text, count in texts.items()])

    around = f"{said} around them: set dataset.dialect to {{strip: true}}"
    assert _spelling(column({"no": 5, " no": padded}), pii=False) == around
    two = "two spellings of one value: 'No.' and 'no' differ in case or a final dot only; correct one of them"
    assert _spelling(column({"no": 5, "No.": padded}), pii=False) == two
    assert "'no'" not in _spelling(column({"no": 5, "No.": padded}), pii=True)


ELSE = "else give the column `role: ignored`, or review it and list it in validation.sentinel.trusted"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("no_target_leakage", f"no feature reveals the target; {ELSE}"),
        ("target_not_reconstructible", f"no few features together are the target; {ELSE}"),
        ("no_suspected_leakage", f"no feature is known only after the target; {ELSE}"),
        ("no_future_timestamps", f"no moment later than the data itself; {ELSE}"),
        (
            "categories_few_enough",
            f"at most 50 categories, or 50% as many as rows; {ELSE}",
        ),
        (
            "features_finite",
            "numbers up to 3.4e+38; else correct them, make them missing, or give `role: ignored`",
        ),
    ],
)
def test_what_is_expected_and_the_remedy(rule, said):
    columns = {"x": [float(n % 7) for n in range(200)], "y": [n % 2 == 0 for n in range(200)]}
    assert judged(rule, columns).expected == said


def test_of_too_few_rows_the_proposition_is_expected():
    found = judged("categories_few_enough", {"x": ["a"], "y": [True]})
    assert (found.observed[:12], found.expected) == ("not checked:", f"categories that repeat; {ELSE}")


def test_what_is_tied_through_the_target_alone():
    random = np.random.default_rng(14)
    y = np.repeat([0, 1], 1000)
    common = random.normal(size=2000)
    honest = {f"h{n}": common + 0.5 * random.normal(size=2000) + y for n in range(4)}
    columns = {"after": 3 * y + random.normal(size=2000), **honest}
    codes = {name: CodedColumn(np.argsort(np.argsort(each)), 2000, ordered=True) for name, each in columns.items()}
    found = ties.separated(codes, coded(y), {"after": 0.97, **dict.fromkeys(honest, 0.4)}, classes=True)
    said = r"is tied to the others only through the target \(correlation 0.0\d at equal target; others up to 0.\d\d\)"
    assert re.fullmatch(rf"{said}, as what follows from the outcome is", found["after"])


def test_a_written_form():
    random = np.random.default_rng(15)
    y = random.integers(0, 2, 600)
    cents = np.where(y == 1, 1, 2)
    columns = {"price": 10 * random.integers(100, 999, 600) + cents, "y": y.astype(bool)}
    found = judged("no_suspected_leakage", columns)
    assert found.failures[0].found == "nearly gives the target by its last digit alone"


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "at most 0 of 100 rows repeat an earlier one"), (0.125, "about 12.5%")]
)
def test_near_copies(monkeypatch, share, said):
    monkeypatch.setattr(repeats, "share_of_near_copies", lambda table, spec: share)
    found = judged("rows_not_repeated", {"x": [n / 7 for n in range(100)], "y": [n % 2 == 0 for n in range(100)]})
    near = (
        " of the rows have a near copy with the same target: a random split puts copies on both sides, so the holdout "
        "is not independent"
    )
    assert found.observed == said + (near if share else " in every feature and the target")


def test_copies_under_other_keys_and_coarse_features():
    x = np.tile(np.random.default_rng(16).normal(size=100), 2)
    y = np.tile([True, False], 100)
    keyed = judged("rows_not_repeated", {"id": [f"k{n}" for n in range(200)], "x": x, "y": y})
    assert keyed.observed == (
        f"{repeats._repeated(100, 200)}: a random split puts copies on both sides, so the holdout is not independent"
    )
    coarse = judged("rows_not_repeated", {"x": [n % 2 for n in range(200)], "y": [n % 3 == 0 for n in range(200)]})
    assert coarse.observed == f"{repeats._repeated(196, 200)}, as coarse features do"
