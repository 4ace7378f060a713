"""Typed errors: wording and transport."""

import pickle

from assay.errors import AssayError, SpecError, did_you_mean


def test_an_error_reads_as_what_where_found_expected_remedy():
    error = SpecError("x is wrong", where="a.yaml:3", found="1", expected="2", remedy="write 2")
    assert str(error).splitlines() == [
        "[spec_invalid] x is wrong",
        "  where: a.yaml:3",
        "  found: 1",
        "  expected: 2",
        "  remedy: write 2",
    ]


def test_an_error_survives_the_way_between_processes():
    error = SpecError("x is wrong", where="a.yaml:3", remedy="write 2")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is SpecError
    assert str(back) == str(error)


def test_every_error_has_a_code_of_its_own():
    kinds = [AssayError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    codes = [kind.code for kind in set(kinds) if kind.__module__ == "assay.errors"]
    assert len(set(codes)) == len(codes)


def test_the_nearest_name_is_offered_only_when_near():
    assert did_you_mean("n_trails", ["n_trials", "timeout"]) == "; did you mean 'n_trials'?"
    assert did_you_mean("zebra", ["n_trials", "timeout"]) == ""
