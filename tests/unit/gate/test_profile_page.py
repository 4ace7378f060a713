import datetime as dt
import json
import math
import re
from html.parser import HTMLParser

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.data.dataset import Dataset
from assay.data.fingerprint import fingerprint
from assay.data.schema import ColumnSchema, TableSchema, dtype_name
from assay.gate.gate import run_gate
from assay.gate.profile_page import page as sample
from assay.gate.profile_page.page import to_html
from assay.specs.dataset import ColumnRole

VOID = {"meta", "br", "rect", "path"}
NUMBERS = (pa.types.is_integer, pa.types.is_floating)


class Parsed(HTMLParser):
    """A page's elements; open elements must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.headings, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def tags(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


def schema_of(table, pii=(), text=()):
    return TableSchema(
        version=1,
        columns=tuple(
            ColumnSchema(
                name=field.name,
                dtype=dtype_name(field.type),
                role=ColumnRole.TEXT
                if field.name in text
                else ColumnRole.NUMERIC
                if any(test(field.type) for test in NUMBERS)
                else ColumnRole.CATEGORICAL,
                reason="target" if field.name == "y" else "inferred",
                pii=field.name in pii,
            )
            for field in table.schema
        ),
    )


@pytest.fixture
def page(make_spec):
    """Judge columns and return the page; a target with two classes is added."""

    def made(columns, *, pii=(), text=(), **rules):
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        if "y" not in table.column_names:
            table = table.append_column("y", pa.array(["yes" if row % 2 else "no" for row in range(table.num_rows)]))
        schema, spec = schema_of(table, pii, text), make_spec(**rules)
        verdict = run_gate(Dataset(table, schema, fingerprint(table)), spec, where="loans/validated_dataset")
        return to_html(verdict.report, verdict.checked, schema, show_values=spec.validation.show_values)

    return made


def card(text, name):
    """Return the words of one column's description."""
    [found] = [
        part for part in text.split('<section class="card"')[1:] if f"<bdi>{name}</bdi>" in part.split("</h3>")[0]
    ]
    return Parsed("<section" + found.split("</section>")[0] + "</section>").text


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ({}, "Passed : every rule holds"),
        ({"ranges": {"x": {"min": 3}}, "warn": ["values_in_range"]}, "Passed with warnings : values_in_range"),
        ({"ranges": {"x": {"min": 3}}}, "Rejected : values_in_range failed; nothing was published"),
    ],
)
def test_the_verdict_stands_first(page, rules, verdict):
    text = Parsed(page({"x": list(range(20))}, **rules)).text
    assert verdict in text
    assert text.index(verdict) < text.index("Result of every configured rule")


def test_failures_come_before_warnings_and_those_before_rules_that_hold(page):
    rules = {"ranges": {"x": {"min": 3}}, "allowed": {"c": ["b"]}, "warn": ["values_in_range"], "max_missing": 0.5}
    text = Parsed(page({"x": list(range(20)), "c": ["a", "b"] * 10}, **rules)).text
    places = [text.index(name) for name in ("values_allowed ✗", "values_in_range !", "row_count_in_range ✓")]
    assert places == sorted(places)


def test_a_failure_table_says_column_expectation_rows_and_examples(page):
    html = page({"x": [5, -1, 7, -2] * 5}, ranges={"x": {"min": 0}})
    assert "x at least 0 values outside 10 50.00% 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 -1 , -2" in Parsed(html).text
    assert 'href="#column-0"' in html
    assert 'id="column-0"' in html


def test_numbers_are_summed_up(page):
    said = card(page({"x": [1.0, 2.0, 3.0, 4.0, None]}), "x")
    assert "numeric, double missing 1 (20.00%) distinct 4 min 1 max 4" in said
    assert "mean 2.5 std 1.118" in said
    assert "median 2.5 middle half 1.75 to 3.25" in said


def test_every_row_is_in_a_bin_of_the_histogram(page):
    html = page({"x": [0, 0, 0, 1, 39], "f": [0.0, 0.5, 1.0, 1.0, 1.0]})
    assert "Histogram of x: 40 bins from 0 to 39, the fullest with 3 rows" in html
    assert "Histogram of f: 24 bins from 0 to 1, the fullest with 3 rows" in html


def test_a_range_beyond_the_largest_float_is_drawn(page):
    html = page({"x": [-1.7e308, 0.0, 1.0, 1.7e308, 1.7e308]})
    assert "24 bins from -1.7e+308 to 1.7e+308, the fullest with 2 rows" in html
    assert "std" in card(html, "x")


def test_personal_numbers_are_compared_with_nothing(page):
    html = page({"x": [0.0, 1.0] * 10, "salary": [1.0, 0.0] * 10}, pii=("salary",))
    assert "salary" not in Parsed(html).text.split("Correlations")[1].split("Columns")[0]


def test_dates_are_drawn_between_their_bounds(page):
    days = [dt.date(2024, 1, day) for day in range(1, 11)]
    moments = pa.array(
        [dt.datetime(2024, 5, 1, hour, tzinfo=dt.UTC) for hour in range(10)], pa.timestamp("ns", "Europe/Berlin")
    )
    html = page({"d": days, "t": moments})
    assert "24 bins from 2024-01-01 to 2024-01-10" in html
    assert "24 bins from 2024-05-01 UTC to 2024-05-01 09:00:00 UTC" in html


def test_frequent_values_are_counted_and_the_rest_summed_up(page):
    said = card(page({"c": [*"aaabb", *"cdefghijkl"]}), "c")
    assert "'a' 20.00% 3 20.00% 'b' 13.33% 2 13.33%" in said
    assert "all others 4" in said


def test_values_that_all_differ_are_no_categories(page):
    said = card(page({"c": [f"value {number}" for number in range(20)]}), "c")
    assert "every value differs" in said
    assert "value 1" not in said


def test_texts_are_drawn_by_length(page):
    html = page({"c": ["abc", "abcdefg"] * 5}, text=("c",))
    assert "lengths in characters" in card(html, "c")
    assert "abc" not in card(html, "c")


def test_the_target_s_classes_are_shown(page):
    text = Parsed(page({"x": [1] * 10})).text
    assert "Target: y Most frequent values 'no' 50.00% 5 50.00% 'yes' 50.00% 5 50.00%" in text


def test_columns_are_compared_with_a_target_of_two_classes(page):
    html = page({"x": [0.0, 1.0] * 10, "z": [1.0, 0.0] * 10, "flat": [1.0] * 20})
    text = Parsed(html).text
    assert "y (target, 1 is 'yes')" in text
    assert "x 1.00 1.00 -1.00" in text
    assert "flat" not in text.split("Correlations")[1].split("Columns")[0]


def test_missing_values_are_ranked(page):
    text = Parsed(page({"a": [1, None] * 10, "b": [None] * 15 + [1] * 5, "c": [1] * 20})).text
    assert "2 of 4 columns have missing values Column Missing Rows Share b 75.00% missing 15 75.00% a" in text


@pytest.mark.parametrize(
    "values",
    [
        pa.array([987654.25, 123123.5, 55555.75] * 4),
        pa.array(["swordfish", "opensesame", "sesamum"] * 4),
        pa.array([dt.date(1971, 3, 2), dt.date(1984, 8, 9), dt.date(1990, 1, 1)] * 4),
    ],
)
@pytest.mark.parametrize("how", [{"pii": ("secret",)}, {"show_values": False}])
def test_withheld_values_are_nowhere_on_the_page(page, values, how):
    html = page(
        {"secret": values},
        **how,
        allowed={"secret": ["x"]},
        unique=[["secret"]],
        ranges={"secret": {"min": 0, "max": 1}},
        not_null=["secret"],
    )
    assert not re.search("987.?654|123.?123|55.?555|swordfish|sesam|1971|1984|1990|388.?777", html)
    assert "values withheld" in card(html, "secret")
    assert "Histogram of secret" not in html


def test_without_values_no_class_of_the_target_is_named(page):
    html = page({"x": list(range(20))}, show_values=False)
    assert "yes" not in Parsed(html).text.replace("bytes", "")
    assert "No distribution is shown: values withheld: validation.show_values is false" in Parsed(html).text


HOSTILE = [
    "<script>alert(1)</script>",
    "]]></style></svg></title>--><img src=x onerror=alert(1)>",
    "\u202egnp.exe\u2066",
    "\x00\x1b[31m\x7f",
    "{{ 7*7 }}{% raw %}",
    "\" onmouseover='x'",
    "z" * 1_000_000,
    "שלום",
]


def test_hostile_names_and_values_are_text(page):
    columns = {name: [*HOSTILE, *HOSTILE] for name in HOSTILE}
    html = page(columns, allowed={name: ["ok"] for name in HOSTILE}, min_rows=1000)
    parsed = Parsed(html)
    assert {tag for tag, _ in parsed.elements}.isdisjoint({"script", "img", "iframe", "object", "link"})
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", html)
    assert "49" not in [word for word in parsed.text.split() if "{" in word]
    assert len(html) < 300_000


def test_the_page_asks_for_nothing_from_elsewhere(page):
    html = page({"x": list(range(20)), "c": ["a", "b"] * 10})
    parsed = Parsed(html)
    assert not re.search(r"https?:|url\(|@import|<script|src=", html)
    assert parsed.tags("meta")[1]["content"].startswith("default-src 'none'")
    assert all(attributes["href"].startswith("#") for attributes in parsed.tags("a"))


def test_the_page_can_be_read_aloud(page):
    html = page({"x": [None, *range(19)], "c": ["a", "b"] * 10}, ranges={"x": {"min": 3}})
    parsed = Parsed(html)
    assert parsed.tags("html") == [{"lang": "en"}]
    assert parsed.headings[0] == 1
    assert all(later - earlier <= 1 for earlier, later in zip(parsed.headings, parsed.headings[1:], strict=False))
    assert all(attributes.get("scope") in {"row", "col"} for attributes in parsed.tags("th"))
    assert re.findall("<svg[^>]*>(?!<title>)", html) == []
    ids = {attributes["id"] for _, attributes in parsed.elements if "id" in attributes}
    assert {attributes["href"][1:] for attributes in parsed.tags("a")} <= ids
    scrolled = [attributes for attributes in parsed.tags("div") if attributes.get("class") == "scroll"]
    assert scrolled
    assert all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in scrolled)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_of_the_heat_map_leaves_its_number_readable(page):
    css = page({"x": [1] * 10}).split("<style>")[1].split("</style>")[0]
    cells = re.findall(r"\.[pn]\d+ \{ background: (#\w{6});( color: #fff;)? \}", css)
    assert len(cells) == 20
    assert all(contrast(back, "#ffffff" if white else "#1b1f24") >= 4.5 for back, white in cells)


def test_two_hundred_hostile_columns_stay_below_three_megabytes(page):
    columns = {f"{number} <&\"'> {'&' * 200}": [f"{'<&' * 60}{row % 9}" for row in range(40)] for number in range(260)}
    html = page(columns, allowed={name: ["ok"] for name in columns}, unique=[[name] for name in columns])
    assert len(html.encode()) < 3_000_000
    assert html.count('<section class="card"') == 200
    assert "Not described, because there are more than 200" in Parsed(html).text


def test_of_too_many_columns_the_target_and_those_that_fail_are_described(page):
    columns = {f"c{number}": [number] * 20 for number in range(300)} | {"late": [-1] * 20}
    html = page(columns, ranges={"late": {"min": 0}})
    assert "values_in_range" in card(html, "late")
    assert card(html, "y")


def test_a_sample_is_seeded_and_said(page, monkeypatch):
    monkeypatch.setattr(sample.sampled, "__defaults__", (50,))
    columns = {"x": list(range(1000))}
    html = page(columns)
    assert "in the sample" in card(html, "x")
    assert "50 rows, chosen at random (always the same); all else from 1,000 rows" in Parsed(html).text
    assert page(columns) == html
    drawn = sample.sampled(pa.table(columns))
    assert drawn.num_rows == 50
    assert drawn["x"].to_pylist() == sorted(set(drawn["x"].to_pylist()))


numbers = st.lists(st.one_of(st.none(), st.floats(), st.sampled_from([1e308, -1e308, 5e-324])), min_size=1, max_size=40)


@given(values=numbers)
def test_no_numbers_break_the_page_and_all_finite_ones_are_drawn(page_of, values):
    html = page_of({"x": pa.array(values, pa.float64())})
    Parsed(html)
    drawings = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert drawings
    assert not re.search(r"\b(nan|inf)\b", drawings)
    shown = html.split("</style>")[1]
    assert not re.search(r"\bnan\b", shown)
    assert not re.search(r"\binf\b", shown) or any(value in (math.inf, -math.inf) for value in values)


@pytest.fixture(scope="module")
def page_of(make_spec):
    def made(columns):
        table = pa.table(columns)
        table = table.append_column("y", pa.array([row % 2 for row in range(table.num_rows)]))
        verdict = run_gate(Dataset(table, schema_of(table), fingerprint(table)), make_spec(), where="here")
        return to_html(verdict.report, verdict.checked, schema_of(table))

    return made


@pytest.mark.parametrize(
    "values",
    [
        pa.nulls(4),
        pa.array([[1]] * 4),
        pa.array([{"a": 1}] * 4),
        pa.array([b"\xff"] * 4),
        pa.array([dt.timedelta(1)] * 4),
        pa.array([dt.time(1)] * 4),
        pa.array(["a"] * 4, pa.string_view()),
        pa.array([2**64 - 1, 0, 1, 2], pa.uint64()),
        pa.array([2**62, -(2**62), 0, 1], pa.timestamp("s")),
        pa.array([2**62, -(2**62), 0, None], pa.timestamp("ns", "UTC")),
        pa.array([1, 2, 3, 4], pa.date64()),
        pa.array([None] * 4, pa.float64()),
        pa.array([1, 2, None, 4]).cast(pa.decimal128(38, 3)),
        pa.array([1.5, None, 2, 3], pa.float16()),
        pa.array([True, None, False, True]),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1]), pa.array(["a", None])),
        pa.array([], pa.float64()),
        pa.array([], pa.string()),
        pa.array([], pa.timestamp("us")),
    ],
    ids=lambda values: f"{values.type} {len(values)}",
)
def test_no_type_of_column_breaks_the_page(page_of, values):
    parsed = Parsed(page_of({"x": values}))
    assert "Columns" in parsed.text


def test_a_column_that_the_schema_does_not_know_shows_no_values(make_spec):
    table = pa.table({"x": ["swordfish"] * 9 + ["other"], "y": [0, 1] * 5})
    schema = schema_of(table)
    verdict = run_gate(Dataset(table, schema, fingerprint(table)), make_spec(), where="here")
    assert "swordfish" not in to_html(verdict.report, table, schema.project(("y",)))


def test_the_templates_are_files_of_the_package():
    from importlib.resources import files

    found = {item.name for item in (files("assay.gate.profile_page") / "templates").iterdir()}
    assert {"page.html.j2", "drawings.html.j2", "page.css"} <= found


def test_the_page_says_what_the_report_says(page, make_spec):
    table = pa.table({"x": [1, 2] * 5, "y": [0, 1] * 5})
    verdict = run_gate(Dataset(table, schema_of(table), fingerprint(table)), make_spec(), where="here")
    text = Parsed(to_html(verdict.report, verdict.checked, schema_of(table))).text
    for rule in json.loads(verdict.report.model_dump_json())["rules"]:
        assert rule["name"] in text
