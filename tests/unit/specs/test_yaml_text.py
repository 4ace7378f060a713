"""YAML text means the same to the fast reader as to ruamel.yaml, line marks aside."""

import datetime as dt
import json
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from assay.errors import SpecError
from assay.specs import yaml_text
from assay.specs.yaml_text import read_yaml

PIPELINES = sorted(Path("pipelines").glob("*.yaml"))
SCALARS = """
no yes y n on off true True TRUE tRUE false False null Null NULL ~ nULL 0 -0 +0 1 -1 +1 12 012 0o7 0o17 0O7 0x1F 0b11
1_000 1__0 _1 1_ 0_1 1:30 190:20:30 1.0 1. .5 -.5 +.5 1.5e3 1e3 1E3 1e+3 1.e3 1_0.5 0.1e-5 00.5 1.5.2 .inf -.inf +.INF
.nan .NaN . - -- -a +a .. ... 1-2 2013-01 2013-01-01 2013-1-1 2013-01-01x 12e 0x 0xG 1e 1e3x = =a << <<a ?a ?0 :a a:b
a::b a?b http://x/y s3://b/k#1 a#b "quoted" 'single' 'it''s' "tab\\t" "\\u0041" "\\/" "no" 'null' "012" !!str !x ! &a *a
a*b a&b %a @a `a é a-b a,b [a [a] {a {a} a] 100% 1,000 1/2 0.0 -0.0 1e400 123456789012345678901234567890 9.99e999
""".split()  # noqa: SIM905
CHARACTERS = st.sampled_from(
    [
        *"aA0159._-+:,?#&*!|>'\"%@` \n{}[]=<~\\éx\t\r",
        *(": ", "- ", "\n  ", ", ", " #", "no", "1_0", "0o7", "null", "\n- "),
    ]
)


def reference(text):
    """Return what ruamel.yaml reads, as pipelines do: dates and times as their text."""
    return json.dumps(_with_text_keys(YAML(typ="rt", pure=True).load(text)), default=str)


def _with_text_keys(node):
    if isinstance(node, dict):
        return {str(key) if isinstance(key, dt.date) else key: _with_text_keys(value) for key, value in node.items()}
    return [_with_text_keys(item) for item in node] if isinstance(node, list) else node


def fast(text):
    """Return what is read without ruamel.yaml; None where it is needed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_text, "read_marked_yaml", lambda *_: pytest.skip.Exception)
        found = read_yaml(text, "x.yaml")
    return None if found is pytest.skip.Exception else json.dumps(found)


def refusable(text):
    """Whether ruamel.yaml refuses it as well, or reads keys that are lists or mappings."""
    try:
        document = YAML(typ="rt", pure=True).load(text)
    except (YAMLError, ValueError, AssertionError, LookupError, TypeError):
        return True
    return _has_odd_keys(document)


def _has_odd_keys(node):
    if isinstance(node, dict):
        return any(isinstance(key, tuple | Mapping) or _has_odd_keys(value) for key, value in node.items())
    return isinstance(node, list) and any(map(_has_odd_keys, node))


def same(text):
    try:
        read = fast(text)
    except SpecError:
        assert refusable(text)
        return False
    if read is not None:
        assert read == reference(text)
    return read is not None


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "a: {}",
        "a: {}\nb: 1",
        "[{}, 1]",
        "{{a: {}}}",
        "{{a: [{}]}}",
        "- {}\n- 2",
        "{}: 1",
        "{{{}: 1}}",
        "a:  {}  # c",
    ],
)
def test_a_scalar_has_one_meaning(scalar, form):
    same(form.format(scalar))


@given(st.lists(CHARACTERS, max_size=25).map("".join))
@settings(max_examples=500, deadline=None)
@example("a: 1\na: 2")
@example("- &x a\n- *x")
@example("<<: {a: 1}\nb: 2")
@example(" #\n| #")
@example("?\n- -")
def test_a_text_has_one_meaning(text):
    try:
        same(text)
    except AssertionError as error:
        # ruamel.yaml fails by an assertion of its own at two comments before a scalar
        if "add_pre_comments" not in {frame.name for frame in traceback.extract_tb(error.__traceback__)}:
            raise


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_json_means_the_same_in_yaml(value):
    same(json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_a_pipeline_file_is_read_fast(path):
    assert same(path.read_text())


@pytest.mark.parametrize("text", ["a: 2013-01-01", "a: 2013-01-01T10:00:00Z", "&x a: 2001-12-14 21:59:43.10 -5"])
def test_dates_and_times_are_text(text):
    [value] = read_yaml(text, "x.yaml").values()
    assert value == text.partition(": ")[2]


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "x.yaml:4", 'found duplicate key "c"'),
        ("a: [1\nb: 2\n", "x.yaml:2", "expected ',' or ']'"),
        ("a: *b", "x.yaml:1", "found undefined alias"),
        ("a: 1\n---\nb: 2\n", "x.yaml", "another document"),
        ("a: !!int x", "x.yaml", "invalid literal"),
    ],
)
def test_a_defect_is_refused_with_its_line(text, where, found):
    with pytest.raises(SpecError) as caught:
        read_yaml(text, "x.yaml")
    assert caught.value.where.startswith(where)
    assert found in caught.value.found


LEVELS = {
    "lists": "name: " + "[" * 300_000,
    "closed lists": "[" * 101 + "]" * 101,
    "mappings with an anchor": "name: &a " + "{a: " * 5000 + "}" * 5000,
    "entries": "- " * 101,
    "indentation": "\n".join(" " * level + "a:" for level in range(101)),
    "a directive first": "%YAML 1.2\n---\n" + "[" * 5000,
}


@pytest.mark.parametrize("text", LEVELS.values(), ids=LEVELS)
def test_deep_nesting_is_refused_before_a_parser_recurses(text):
    """300,000 brackets ended the process with a segmentation fault, 5,000 took 10 s."""
    with pytest.raises(SpecError) as refused:
        read_yaml(text, "x.yaml")
    assert refused.value.what == "the file nests too deeply"
    assert refused.value.where.startswith("x.yaml:")


def test_a_hundred_levels_are_read():
    assert read_yaml("[" * 100 + "]" * 100, "x.yaml")


@pytest.mark.parametrize("text", ["? " * 90, "a: 1\n? [b]\n: 2", "a: &x 1\nb: {{c: d}: e}"])
def test_a_key_that_is_no_scalar_is_refused(text):
    """The time of ruamel.yaml doubled with each level: 14 question marks took 16 s."""
    with pytest.raises(SpecError) as refused:
        read_yaml(text, "x.yaml")
    assert refused.value.what == "a key is a mapping or a list"


@pytest.mark.parametrize("text", ["%YAML 1.3\n---\na: 1", "a: !!bool x", "a: !!int x"])
def test_what_the_parser_lets_through_is_a_typed_error(text):
    with pytest.raises(SpecError):
        read_yaml(text, "x.yaml")
