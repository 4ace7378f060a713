"""From what the columns of a feature set are computed, and so what reveals the target."""

import pytest
from features_world import spec_of

from assay.features.lineage import lineage_of
from assay.features.parsing import parsed_steps


@pytest.fixture
def lineage(connection):
    def of(*steps, target="y"):
        found = spec_of(*steps).steps
        return lineage_of(found, parsed_steps(connection, found), target, {})

    return of


def serving(lineage, names):
    return {name for name in names if lineage.serves_the_target(name)}


def test_the_only_source_of_the_target_reveals_it_and_so_does_what_is_computed_from_it(lineage):
    found = lineage({"derive": {"y": "delay > 15", "log_delay": "ln(delay + 99)", "speed": "distance / air"}})
    assert serving(found, ["y", "delay", "log_delay", "speed", "distance"]) == {"y", "delay", "log_delay"}


def test_of_two_sources_of_the_target_what_is_computed_from_one_is_left_to_the_gate(lineage):
    found = lineage({"derive": {"y": "date_diff('second', pickup, dropoff)", "hour": "hour(pickup)"}})
    assert serving(found, ["y", "pickup", "dropoff", "hour"]) == {"y", "pickup", "dropoff"}


def test_what_serves_the_target_is_followed_through_steps_and_names(lineage):
    found = lineage(
        {"rename": {"lpep_dropoff": "dropoff"}},
        {"derive": {"seconds": "date_diff('second', pickup, dropoff)"}},
        {"derive": {"y": "seconds / 60.0"}},
        {"clip": {"y": {"max": 60}}},
        {"derive": {"log_y": "ln(y)"}},
    )
    assert serving(found, ["dropoff", "seconds", "y", "log_y", "zone"]) == {"dropoff", "seconds", "y", "log_y"}
    assert found.named_for_the_target("lpep_dropoff")
    assert found.of_the_target(1, "seconds")


def test_a_column_of_the_source_is_known_under_another_name_and_type(lineage):
    found = lineage({"rename": {"a": "b"}}, {"convert": {"b": "text"}}, {"fill": {"b": "x"}}, {"derive": {"c": "b"}})
    assert found.source_of("B") == "a"
    assert found.source_of("c") is None
    assert found.source_of("other") == "other"


def test_the_columns_that_a_step_reads_are_those_of_the_source(lineage):
    found = lineage({"derive": {"b": "a + 1"}}, {"derive": {"c": "b + d"}}, {"filter": {"why": "c > 0", "more": "e"}})
    assert found.sources_of(1, "c") == {"a", "d"}
    assert found.sources_of(2, "") == {"a", "d", "e"}
