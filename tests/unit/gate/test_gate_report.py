from assay.gate.report import failure_table


def test_a_failure_table_says_what_was_expected_and_found_where(rule):
    result = rule("values_in_range", {"x": [1, -5, 2, -7]}, ranges={"x": {"min": 0}})

    assert failure_table(result).splitlines() == [
        "| column | expected | found | count | share | first rows |",
        "| --- | --- | --- | --- | --- | --- |",
        "| x | at least 0 | values outside: -5, -7 | 2 | 50.00% | 1, 3 |",
    ]


def test_no_failures_is_a_sentence(rule):
    assert failure_table(rule("values_in_range", {"x": [1, 2]})) == "No failures: not configured."


def test_values_cannot_break_out_of_their_cell(rule):
    hostile = "a|b\n| <img src=x> |"

    table = failure_table(rule("values_allowed", {"x": [hostile, "ok"]}, allowed={"x": ["ok"]}))

    assert len(table.splitlines()) == 3
    assert table.splitlines()[2].count("|") == 7
    assert "<img" not in table


def test_column_names_cannot_break_out_of_their_cell(rule):
    text = failure_table(rule("values_in_range", {"a|b\nc": [1, -2]}, ranges={"a|b\nc": {"min": 0}}))

    assert "a&#124;b c" in text


def test_long_values_are_cut_at_80_characters(rule):
    failure = rule("values_allowed", {"x": ["z" * 500, "ok"]}, allowed={"x": ["ok"]}).failures[0]

    assert len(failure.examples[0]) == 80
    assert failure.examples[0].endswith("…")


def test_rows_and_examples_are_capped_and_counts_are_not(rule):
    failure = rule("values_in_range", {"x": [-number for number in range(1, 101)]}, ranges={"x": {"min": 0}}).failures[
        0
    ]

    assert (failure.count, failure.share) == (100, 1.0)
    assert failure.row_numbers == tuple(range(20))
    assert failure.examples == ("-1", "-2", "-3", "-4", "-5")


def test_a_row_that_fails_in_two_columns_counts_once(rule):
    result = rule("values_in_range", {"a": [-1, 1], "b": [-1, 1]}, ranges={"a": {"min": 0}, "b": {"min": 0}})

    assert (result.failing_rows, result.failing_share, len(result.failures)) == (1, 0.5, 2)
