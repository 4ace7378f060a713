"""Columns of numbers that a few words make texts, and values in more than one spelling."""

import numpy as np
import pytest

BINARY, REGRESSION = "binary_classification", "regression"
ROWS = 400
RNG = np.random.default_rng(7)
LABELS = RNG.integers(0, 2, ROWS)
CHARGES = [f"{value:.2f}" for value in RNG.gamma(2, 50, ROWS)]
BLOCKS, ASKS = "numbers_not_read_as_text", "texts_written_consistently"


def texts(words, numbers=CHARGES):
    """Return numbers as texts, of which the first are replaced by words."""
    return [*words, *numbers[len(words) :]]


def test_a_few_words_among_numbers_block_and_the_lines_that_correct_it_are_given(found):
    said = found(BLOCKS, {"charges": texts([" "] * 11), "x": LABELS * 0.0 + RNG.normal(size=ROWS), "y": LABELS}, BINARY)

    assert "389 of 400 texts are numbers; the others are ' '." in said["charges"]
    assert 'dataset.dialect to {null_words: [" "]} and dataset.schema_version to 2' in said["charges"]
    assert "dataset.columns: {charges: {role: categorical}}" in said["charges"]


@pytest.mark.parametrize(("words", "rule"), [(20, ASKS), (19, BLOCKS)])
def test_at_95_percent_of_numbers_a_question_becomes_a_block(alarms, words, rule):
    failing = alarms({"charges": texts(["?"] * words), "y": LABELS}, BINARY)

    assert {name for name in (ASKS, BLOCKS) if name in failing} == {rule}


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["NA"] * 201, CHARGES),  # most texts are no numbers
        ([], CHARGES),  # written as text, and all are
        ([f"{number}A" for number in range(40)], CHARGES),  # codes, of which some are numbers
        (["NA"], [f"{number:05}" for number in range(ROWS)]),  # with leading zeros
        (["NA"], [f"49{number:014}" for number in range(ROWS)]),  # more digits than a number holds
    ],
)
def test_codes_and_other_texts_are_what_they_are(alarms, words, numbers):
    failing = alarms({"code": texts(words, numbers), "x": RNG.normal(size=ROWS), "y": LABELS}, BINARY)

    assert not {ASKS, BLOCKS} & failing.keys()


def test_columns_that_somebody_declared_trusted_or_ignored_are_left_alone(alarms):
    column = {"charges": texts(["NA"] * 8), "x": RNG.normal(size=ROWS), "y": LABELS}

    assert BLOCKS in alarms(column, BINARY)
    assert BLOCKS not in alarms(column, BINARY, dataset={"columns": {"charges": {"role": "categorical"}}})
    assert BLOCKS not in alarms(column, BINARY, dataset={"columns": {"charges": {"role": "ignored"}}})
    assert BLOCKS not in alarms(column, BINARY, sentinel={"trusted": ["charges"]})


def test_numbers_that_an_inferred_role_leaves_out_are_found(found):
    different = [f"{number}.25" for number in range(ROWS)]  # nearly all different: an identifier by inference

    assert "charges" in found(BLOCKS, {"charges": texts(["?"], different), "y": LABELS}, BINARY)


def test_a_decimal_comma_is_part_of_a_number_where_the_dialect_says_so(found):
    column = {"charges": texts(["k.A."], [text.replace(".", ",") for text in CHARGES]), "y": LABELS}

    assert "charges" in found(BLOCKS, column, BINARY, dataset={"dialect": {"decimal": ",", "delimiter": ";"}})
    assert not found(BLOCKS, column, BINARY)


def test_labels_are_no_numbers_but_the_target_of_a_regression_is(found):
    target = texts(["?"] * 4)

    assert "y" in found(BLOCKS, {"x": RNG.normal(size=ROWS), "y": target}, REGRESSION)
    assert not found(BLOCKS, {"x": RNG.normal(size=ROWS), "y": texts(["?"] * 4, ["1", "0"] * 200)}, BINARY)


def test_personal_data_is_not_quoted(found):
    columns = {"charges": texts(["secret"] * 4), "city": ["Ulm", "ULM"] * 200, "y": LABELS}
    declared = {"columns": {name: {"pii": True} for name in ("charges", "city")}}
    said = found(BLOCKS, columns, BINARY, dataset=declared) | found(ASKS, columns, BINARY, dataset=declared)

    assert said.keys() == {"charges", "city"}
    assert not any(text in "".join(said.values()) for text in ("secret", "Ulm", "ULM"))


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("<=50K", "<=50K."), "'<=50K' and '<=50K.' differ in case or a final dot only"),
        (("Yes", "yes"), "'Yes' and 'yes' differ"),
        (("no", " no"), "200 texts have blanks around them: set dataset.dialect to {strip: true}"),
    ],
)
def test_two_spellings_of_a_label_or_a_category_are_named(found, pair, reason):
    values = [*pair] * (ROWS // 2)

    assert reason in found(ASKS, {"x": RNG.normal(size=ROWS), "y": values}, BINARY)["y"]
    assert reason in found(ASKS, {"city": values, "y": LABELS}, BINARY)["city"]


def test_different_words_are_no_spellings(found):
    columns = {"city": ["Ulm", "Bonn", "Ulmen", "a.b"] * (ROWS // 4), "y": ["yes", "no"] * (ROWS // 2)}

    assert not found(ASKS, columns, BINARY)
