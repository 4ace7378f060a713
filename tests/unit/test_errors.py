"""Typed errors: wording, and their serialised forms."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import (
    AssayError,
    DataContractError,
    EmptyDataError,
    Location,
    MalformedDataError,
    PartitionsFailedError,
    Remedy,
    SerialisedError,
    SourceNotFoundError,
    SpecError,
    did_you_mean,
    error_from_json,
    error_to_json,
)

LINES = st.text().map(lambda text: text.replace("\r", "").strip("\n"))


def kinds(kind=AssayError):
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


KINDS = [kind for kind in kinds() if kind.__module__ == "assay.errors"]


def test_an_error_reads_as_what_where_found_expected_remedy():
    error = SpecError("x is wrong", where="a.yaml:3", found="1", expected="2", remedy="write 2")
    assert str(error).splitlines() == [
        "[spec_invalid] x is wrong",
        "  where: a.yaml:3",
        "  found: 1",
        "  expected: 2",
        "  remedy: write 2",
    ]


def test_an_error_links_to_its_explanation_where_the_documentation_is_known(monkeypatch):
    monkeypatch.setattr(SerialisedError, "site", "https://docs.example.org/assay/")
    text = str(SpecError("x is wrong", remedy="write 2"))
    assert text.splitlines()[1:] == [
        "  remedy: write 2",
        "  help: https://docs.example.org/assay/reference/errors/#spec_invalid",
    ]
    assert SerialisedError.from_text(text) == SerialisedError("spec_invalid", "x is wrong", remedy="write 2")
    assert SerialisedError("ValueError").help == ""


def test_an_error_keeps_its_fields_between_processes():
    error = MalformedDataError("x is wrong", defect="ragged_row", location=Location(row=3), where="a.csv")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is MalformedDataError
    assert vars(back) == vars(error)


def test_an_error_of_rows_keeps_its_location_between_processes():
    error = DataContractError("x is wrong", location=Location(row=3, column="size"), where="the rows")
    back = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert back.location == Location(row=3, column="size")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_error_round_trips_through_json(kind):
    error = kind("what\ud800", where="where", found="found\n\0", expected="expected", remedy="remedy")
    back = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert type(back) is kind
    assert vars(back) == vars(error)


def test_the_fields_that_a_remedy_names_round_trip_through_json():
    error = SpecError("what", remedy=Remedy("set {} or {}", "dataset.member", "dataset.sheet"))
    back = error_from_json(json.loads(json.dumps(error_to_json(error)))).remedy
    assert back == "set dataset.member or dataset.sheet"
    assert back.in_words_of(str.upper) == "set DATASET.MEMBER or DATASET.SHEET"


def test_defect_and_location_round_trip_through_json():
    error = MalformedDataError("what", defect="ragged_row", location=Location(row=3, column="ä", byte=2**40))
    back = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert vars(back) == vars(error)


def test_a_class_without_a_code_of_its_own_becomes_the_class_that_declares_the_code():
    class OwnError(EmptyDataError):
        pass

    assert type(error_from_json(error_to_json(OwnError("what")))) is EmptyDataError


@given(
    st.sampled_from(KINDS), LINES, st.fixed_dictionaries(dict.fromkeys(("where", "found", "expected", "remedy"), LINES))
)
def test_the_text_of_an_error_is_read_back(kind, what, details):
    error = kind(what, **details)
    assert SerialisedError.from_text(str(error)) == SerialisedError.of(error)
    assert SerialisedError.from_text(f"assay.errors.{kind.__name__}: {error}\n") == SerialisedError.of(error)


def test_a_quoted_error_leaves_the_details_alone():
    quoted = SourceNotFoundError("no such file", where="a.csv", expected="a file", remedy="check the path")
    error = PartitionsFailedError("1 of 2 failed", where="m/champion", found=f"2021-01: {quoted}", remedy="run 2021-01")
    assert SerialisedError.from_text(str(error)) == SerialisedError(
        "partitions_failed", "1 of 2 failed", "m/champion", f"2021-01: {quoted}", remedy="run 2021-01"
    )


@pytest.mark.parametrize("text", ["", "KeyError", "builtins.ValueError: could not convert 'Ann'\n", "x: [other] what"])
def test_other_texts_are_no_typed_error(text):
    assert SerialisedError.from_text(text) is None


def test_every_error_has_a_code_of_its_own():
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)


def test_the_nearest_name_is_offered_only_when_near():
    assert did_you_mean("n_trails", ["n_trials", "timeout"]) == "; did you mean 'n_trials'?"
    assert did_you_mean("zebra", ["n_trials", "timeout"]) == ""
    assert did_you_mean(" Weight ", ["WEIGHT", "height"]) == "; did you mean 'WEIGHT'?"
