"""Steps of a pipeline file as a user meets them: refused when the file is loaded, or at the step with the row."""

import datetime as dt
import re

import pyarrow as pa
import pytest

from assay.credentials import without_masked
from assay.data.source_rows import source_rows
from assay.errors import AssayError, EmptyDataError, FeatureStepError, LaterRowsError, SchemaDriftError, SpecError
from assay.features.feature_set import feature_set_of
from assay.learning.known_names import name_check
from assay.specs.loading import parse_pipeline
from resources.data_sources import mask_variables

HEAD = """\
name: trips
task: regression
dataset:
  source: trips.csv
  target: minutes
  columns: {pickup: {role: datetime}, card: {pii: true}}
"""
STEPS = """\
features:
  steps:
    - derive:
        minutes: date_diff('second', pickup, dropoff) / 60.0
        hour: hour(pickup)
    - filter: {too short: minutes >= 1, too long: minutes <= 60}
"""
SCHEMA = """\
version: 1
columns:
- {name: pickup, dtype: "timestamp[us]", role: datetime}
- {name: dropoff, dtype: "timestamp[us]", role: datetime}
- {name: card, dtype: string, role: categorical}
- {name: seats, dtype: int64, role: numeric}
"""
MORNING = dt.datetime(2021, 1, 1, 9)  # noqa: DTZ001 - times without a zone


def spec_of(steps=STEPS, more="", schemas=None):
    return parse_pipeline(HEAD + steps + more, where="trips.yaml", names=name_check(schemas))


def refusal(text, schemas=None):
    with pytest.raises(AssayError) as caught:
        parse_pipeline(text, where="trips.yaml", names=name_check(schemas))
    return str(caught.value)


def trips(*minutes, seats=2, **more):
    rows = len(minutes)
    return pa.table(
        {
            "pickup": pa.array([MORNING] * rows, pa.timestamp("us")),
            "dropoff": pa.array([MORNING + dt.timedelta(minutes=each) for each in minutes], pa.timestamp("us")),
            "card": [f"4000-{n}" for n in range(rows)],
            "seats": pa.array([seats] * rows, pa.int64()),
            **more,
        }
    )


class Kept:
    """A schema version in memory."""

    def __init__(self):
        self.schema = None

    def frozen(self):
        return self.schema

    def freeze(self, first):
        self.schema = self.schema or first.without_classes()
        return self.schema


def features(spec, table, version=None, *, labelled=True):
    source = source_rows(table, spec.source_dataset, labelled=labelled).partition(None, where="trips/raw_dataset")
    return feature_set_of(source, spec, version, where="trips/feature_set", labelled=labelled)


def failed(spec, table, kind=FeatureStepError):
    with pytest.raises(kind) as caught:
        features(spec, table)
    return str(caught.value)


@pytest.fixture
def schemas(tmp_path):
    (tmp_path / "trips.v1.yaml").write_text(SCHEMA)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("derive:", "derived:", 9, "did you mean 'derive'"),
        ("hour(pickup)", "hour(pickup", 11, "not a SQL expression"),
        ("hour(pickup)", "random()", 11, "not a SQL expression"),
        ("hour(pickup)", "epoch(now())", 11, "not a SQL expression"),
        ("hour(pickup)", "(select max(pickup) from rows)", 11, "not a SQL expression"),
        ("    - filter:", "    - fill: {hour: 0}\n      filter:", 12, "exactly one of"),
        ("    - filter:", "    - max_dropped: 0.5\n      derive: {x: '1'}\n    - filter:", 12, "belongs to a filter"),
        ("    - filter:", "    - clip: {hour: {min: 3, max: 1}}\n    - filter:", 12, "above max"),
        ("    - filter:", "    - convert: {hour: float}\n    - filter:", 12, "integer"),
        ("features:\n  steps:", "features:\n  max_droped: 0.5\n  steps:", 8, "did you mean 'max_dropped'"),
    ],
)
def test_a_step_that_cannot_be_is_refused_with_its_line(old, new, line, text):
    found = refusal(HEAD + STEPS.replace(old, new))
    assert text in found
    assert f"trips.yaml:{line} " in found, found


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("hour(pickup)", "hour(pikup)", 11, "did you mean 'pickup'"),
        ("hour(pickup)", "hour(seats)", 11, "does not fit"),
        ("too long: minutes", "too long: minute", 12, "did you mean 'minutes'"),
        ("        minutes:", "        minuts:", 12, "did you mean"),
    ],
)
def test_columns_and_types_are_compared_with_the_frozen_schema_at_load(schemas, old, new, line, text):
    spec_of(schemas=schemas)
    found = refusal(HEAD + STEPS.replace(old, new), schemas)
    assert text in found
    assert f"trips.yaml:{line} " in found, found


def test_columns_that_other_parts_name_are_those_of_the_feature_set(schemas):
    spec_of(more="evaluation: {slices: [hour]}\nvalidation: {ranges: {minutes: {min: 1}}}\n", schemas=schemas)
    found = refusal(HEAD + STEPS + "evaluation: {slices: [hours]}\n", schemas)
    assert "did you mean 'hour'" in found
    found = refusal(HEAD + STEPS + "evaluation: {slices: [dropoff]}\n", schemas)
    assert "is no feature" in found
    found = refusal(HEAD.replace("card: {pii", "cart: {pii") + STEPS, schemas)
    assert "did you mean 'card'" in found


def test_the_column_of_times_is_one_of_the_source(schemas):
    spec_of(STEPS + "  time: pickup\n", schemas=schemas)
    assert "did you mean 'pickup'" in refusal(HEAD + STEPS + "  time: pikup\n", schemas)


@pytest.mark.parametrize(
    ("step", "line", "text"),
    [
        ("aggregate: {by: [card], columns: {n: sum(seat)}}", 13, "did you mean 'seats'"),
        ("aggregate: {by: [card], columns: {n: seats}}", 13, "not one aggregate"),
        ("aggregate: {by: [card], over: 3 days, columns: {n: count(*)}}", 13, "need time"),
        ("aggregate: {by: [card], time: pickup, over: a month, columns: {n: count(*)}}", 13, "30 days"),
        ("sql: select seet from rows", 13, "did you mean 'seats'"),
        ("sql: select * from trips", 13, "the table trips"),
        ("python: my_steps", 13, "python"),
    ],
)
def test_steps_over_other_rows_are_refused_with_their_line(schemas, step, line, text):
    found = refusal(HEAD + STEPS + f"    - {step}\n", schemas)
    assert text in found
    assert f"trips.yaml:{line} " in found, found


def test_the_source_of_a_join_may_name_variables_which_are_masked(monkeypatch):
    join = "    - join: {table: weather, source: '${WEATHER_OF_TEST}/w.csv', on: [card]}\n"
    spec = spec_of(STEPS + join)
    assert "allowed only in" in refusal(HEAD + STEPS + join.replace("on: [card]", "on: ['${X}']"))
    monkeypatch.setenv("WEATHER_OF_TEST", "/data/secret-of-the-test")
    mask_variables([spec])
    assert without_masked("/data/secret-of-the-test") == "${WEATHER_OF_TEST}"


@pytest.mark.full
@pytest.mark.confined
def test_a_step_that_sees_later_rows_is_refused_in_the_confined_process_as_well():
    steps = STEPS + "    - sql: select *, avg(seats) over () as mean from rows\n  time: pickup\n"
    table = trips(5, 6, 7, 8)
    table = table.set_column(0, "pickup", pa.array([MORNING - dt.timedelta(minutes=n) for n in range(4)]))
    table = table.set_column(3, "seats", pa.array([1, 2, 3, 4]))
    assert "column 'mean' of row 4 is *** among all rows" in failed(spec_of(steps), table, LaterRowsError)


def test_derive_of_the_dataset_and_steps_exclude_each_other():
    text = HEAD.replace("  columns:", "  derive: {late: {column: x, at_least: 1}}\n  columns:") + STEPS
    assert "a step `derive` of features" in refusal(text)


def test_rows_in_and_what_each_condition_dropped_are_counted():
    made = features(spec_of(), trips(0.5, 5, 70, 90, 30))
    assert made.rows.table.column("minutes").to_pylist() == [5.0, 30.0]
    assert [(each.reason, each.rows_in, each.dropped) for each in made.counts] == [
        ("too short", 5, 1),
        ("too long", 4, 2),
    ]
    assert made.rows.notes["dropped by filter (step 2)"] == "1 of 5 (too short), 2 of 4 (too long)"


def test_a_step_or_all_steps_that_drop_too_much_are_refused():
    spec = spec_of(STEPS + "      max_dropped: 0.5\n")
    assert "3 of 5 rows: 1 by too short; 2 by too long" in failed(spec, trips(0.5, 5, 70, 90, 30))
    features(spec, trips(0.5, 5, 70, 30))
    spec = spec_of(STEPS.replace("  steps:", "  max_dropped: 0.2\n  steps:"))
    assert "features.max_dropped" in failed(spec, trips(0.5, 5, 30, 30))
    assert "the steps drop every row" in failed(spec_of(), trips(0.5), EmptyDataError)


def test_a_row_that_cannot_be_computed_is_named_with_what_was_read_but_for_personal_values():
    steps = STEPS + '    - derive: {each: minutes / seats, digits: "cast(card as bigint)"}\n'
    found = failed(spec_of(steps.replace(', digits: "cast(card as bigint)"', "")), trips(0.5, 5, 30, seats=0))
    assert re.search(r"row 2 of the source's rows; .*seats = 0", found), found
    assert "derive (step 3), column 'each'" in found
    found = failed(spec_of(steps), trips(5, 30))
    assert "card = ***" in found
    assert "4000" not in found


@pytest.mark.confined
def test_what_takes_more_memory_than_it_may_ends_alone():
    head = HEAD.replace("  target:", "  limits: {memory_mb: 256}\n  target:")
    text = head + STEPS + "    - derive: {long: \"repeat('x', 500000000)\"}\n"
    assert "memory" in failed(parse_pipeline(text, where="x"), trips(5))


def test_rows_to_predict_may_lack_what_the_target_is_made_of_and_lose_none():
    spec, version = spec_of(), Kept()
    features(spec, trips(0.5, 5, 30), version)
    made = features(spec, trips(0.5, 5, 90).drop_columns(["dropoff"]), version, labelled=False)
    assert made.rows.table.column_names == ["pickup", "card", "seats", "hour"]
    assert made.rows.table.num_rows == 3
    assert made.counts == ()
    complete = features(spec, trips(0.5, 5, 90), version, labelled=False)
    assert "minutes" not in complete.rows.table.column_names
    with pytest.raises(AssayError, match="no column 'pickup'"):
        features(spec, trips(5).drop_columns(["pickup"]), version, labelled=False)


def test_a_filter_of_all_rows_also_drops_rows_to_predict():
    spec = spec_of(STEPS + "    - {filter: seats < 9, applies_to: all}\n")
    with pytest.raises(EmptyDataError):
        features(spec, trips(5, 5, seats=9).drop_columns(["dropoff"]), labelled=False)


def test_columns_that_serve_the_target_are_ignored_unless_their_role_is_declared():
    version = Kept()
    made = features(spec_of(), trips(5, 30), version)
    assert str(made.rows.schema["dropoff"].role) == "ignored"
    assert str(made.rows.schema["pickup"].role) == "datetime"
    assert version.schema.row_identity == ("pickup", "card", "seats")


def test_a_later_partition_of_another_type_is_refused():
    spec, version = spec_of(), Kept()
    features(spec, trips(5, 30), version)
    table = trips(5, 30)
    table = table.set_column(3, "seats", pa.array(["two", "three"]))
    with pytest.raises(SchemaDriftError, match="column 'seats' changed its dtype"):
        features(spec, table, version)


def test_times_keep_their_unit_and_zone():
    table = trips(5).append_column("zoned", pa.array([MORNING], pa.timestamp("ms", "Europe/Berlin")))
    assert features(spec_of(), table).rows.table.schema.field("zoned").type == pa.timestamp("ms", "Europe/Berlin")


def test_steps_change_the_rules_digest_and_none_leaves_it_as_it_was():
    text = HEAD.replace("target: minutes", "target: seats")
    plain = parse_pipeline(text, where="x")
    assert "features" not in plain.model_dump(mode="json")
    with_steps = parse_pipeline(text + STEPS, where="x")
    other = parse_pipeline(text + STEPS.replace("<= 60", "<= 59"), where="x")
    named = parse_pipeline(text + STEPS + "      name: plausible\n", where="x")
    assert len({plain.rules_digest, with_steps.rules_digest, other.rules_digest}) == 3
    assert named.rules_digest == with_steps.rules_digest


def test_a_step_of_no_kind_is_refused():
    with pytest.raises(SpecError, match="exactly one of derive, filter"):
        spec_of("features: {steps: [{name: nothing}]}\n")


def test_the_notes_say_how_many_rows_look_back_beyond_the_partition():
    over = "features: {steps: [{name: past, aggregate: {time: pickup, over: 1 hour, columns: {n: count(*)}}}]}\n"
    head = HEAD.replace("target: minutes", "target: minutes\n  partitions: {by: month, column: pickup, start: 2021-01}")
    table = trips(1.0, 2.0, 3.0, minutes=[1.0, 2.0, 3.0])
    later = [MORNING + dt.timedelta(minutes=each) for each in (0, 59, 60)]
    table = table.set_column(0, "pickup", pa.array(later, pa.timestamp("us")))
    spec = parse_pipeline(head + over, where="trips.yaml", names=name_check(None))
    source = source_rows(table, spec.source_dataset).partition("2021-01", where="trips/raw_dataset")
    notes = feature_set_of(source, spec, None, where="trips/feature_set").rows.notes
    expected = "it sees the rows of this partition alone: 2 of 3 rows are less than 1 hour after its first"
    assert notes["window of past"] == expected
    spec = parse_pipeline(HEAD + over, where="trips.yaml", names=name_check(None))
    assert "window of past" not in features(spec, table).rows.notes
