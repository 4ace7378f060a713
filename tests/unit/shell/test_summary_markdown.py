"""A summary as Markdown."""

from assay.shell.summary import Fact, MetricRow, Summary
from assay.shell.summary_markdown import to_markdown


def test_facts_metrics_and_addresses():
    summary = Summary(
        "rentals (space model-forest)",
        facts=(Fact("gate", "passed 400 rows", "good"), Fact("decision", "Kept the champion", "bad")),
        metrics=(MetricRow("rmse", 13.62, (11.2, 15.7), 341, 199.9), MetricRow("r2", 0.998, None, -0.02, 0.61)),
        champion="production",
        rows_note="on 78 rows",
        addresses=(Fact("evaluation", "http://localhost:3000/assets/rentals"),),
    )
    assert (
        to_markdown(summary)
        == """### rentals (space model-forest)

|  |  |
| --- | --- |
| gate | ✅ passed 400 rows |
| decision | ❌ Kept the champion |

| metric | holdout | 95 % interval | baseline | production |
| --- | --- | --- | --- | --- |
| rmse | 13.62 | 11.2 to 15.7 | 341 | 199.9 |
| r2 | 0.998 |  | -0.02 | 0.61 |

(on 78 rows)

- evaluation: <http://localhost:3000/assets/rentals>
"""
    )


def test_what_data_say_is_text():
    text = to_markdown(Summary("a|b", facts=(Fact("gate", "found <img src=x> | **bold**\nnext"),)))
    assert "<img" not in text
    assert text.splitlines()[-1].count("|") == 3
    assert "**" not in text


def test_a_summary_without_metrics_has_one_table():
    assert to_markdown(Summary("empty", facts=(Fact("gate", "refused"),))).count("| --- |") == 1
