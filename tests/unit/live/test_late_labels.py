"""Labels that come late, twice, corrected, or for nothing that was predicted."""

import datetime as dt
import json

import pyarrow as pa
import pytest
from served_rows import START, served

from assay.errors import DataContractError, MissingColumnError
from assay.live.joining import join_labels
from assay.live.label_versions import empty_versions, with_reading
from assay.specs import PipelineSpec

DAY = dt.timedelta(days=1)


def pipeline(labels=None, task="binary_classification", **serving):
    labels = {"source": "labels.csv", "delay": "7d"} | (labels or {})
    facts = {
        "name": "loans",
        "task": task,
        "dataset": {"source": "data/loans.csv", "target": "late"},
        "serving": {"labels": labels} | serving,
    }
    return PipelineSpec.model_validate_json(json.dumps(facts))


SPEC = pipeline()


def read(versions, spec=SPEC, day=10, **columns):
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    return with_reading(versions, table, spec.serving.labels, spec, START + day * DAY)


def labelled(log, reading, spec=SPEC, day=20):
    return join_labels(log, reading.versions, spec.serving.labels, spec, START + day * DAY)


def first(spec=SPEC, **columns):
    return read(empty_versions(spec), spec, **columns)


def test_labels_find_their_request():
    found = labelled(served(["a", "b", "c"]), first(request_id=["b", "a", "x"], late=["yes", "no", "no"]))
    assert found.truth.tolist() == ["no", "yes"]
    assert found.counts.model_dump() == {
        "predictions": 3, "labelled": 2, "early": 0, "waiting": 0, "missing": 1, "late": 2, "orphans": 1,
    }  # fmt: skip
    assert found.counts.missing_share == pytest.approx(1 / 3)


def test_versions_hold_the_columns_of_their_key_as_texts():
    spec = pipeline({"key": ["customer", "visit"]}, columns=["customer", "visit"])
    reading = first(spec, customer=[7, 8], visit=["a", "b"], late=["yes", "no"])
    kept = reading.versions.select(["customer", "visit"]).to_pydict()
    assert kept == {"customer": ["7", "8"], "visit": ["a", "b"]}


def test_a_key_that_is_changed_keeps_the_versions_before():
    by_request = first(request_id=["a"], late=["yes"])
    spec = pipeline({"key": ["customer"]}, columns=["customer"])
    found = read(by_request.versions, spec, day=11, customer=[7], late=["no"]).versions
    assert found.column("label_key").to_pylist() == ["a", "7"]
    assert found.column("customer").to_pylist() == [None, "7"]


def test_a_key_may_not_have_the_name_of_a_versions_column():
    with pytest.raises(ValueError, match="other names than label_key"):
        pipeline({"key": ["label_key"]}, columns=["label_key"])


def test_a_row_waits_until_it_is_older_than_the_delay():
    reading = first(request_id=["a"], late=["yes"])
    log = served(["a", "b"], time=[START + 9 * DAY, START + 9 * DAY])
    young = labelled(log, reading, day=15)
    assert (young.counts.early, young.counts.waiting, young.counts.labelled) == (1, 1, 0)
    old = labelled(log, reading, day=16)
    assert (old.counts.missing, old.counts.labelled, old.counts.late) == (1, 1, 0)
    assert old.counted_at.tolist() == [(START + 16 * DAY).replace(tzinfo=None)]


def test_what_was_not_known_yet_does_not_count():
    reading = first(request_id=["a"], late=["yes"])
    assert labelled(served(["a"]), reading, day=9).counts.labelled == 0


def test_the_same_labels_again_change_nothing():
    once = first(request_id=["a", "b"], late=["yes", "no"])
    again = read(once.versions, day=11, request_id=["b", "a"], late=["no", "yes"])
    assert again.versions == once.versions
    assert (again.added, again.corrected) == (0, 0)


def test_the_newest_version_of_a_label_counts_and_the_row_keeps_its_place():
    once = first(request_id=["a", "b"], late=["yes", "no"])
    corrected = read(once.versions, day=12, request_id=["a"], late=["no"])
    assert (corrected.added, corrected.corrected) == (0, 1)
    before, after = labelled(served(["a"]), once), labelled(served(["a"]), corrected)
    assert (before.truth.tolist(), after.truth.tolist()) == (["yes"], ["no"])
    assert before.counted_at.tolist() == after.counted_at.tolist()


def test_the_source_may_say_when_a_label_was_known_in_any_order():
    spec = pipeline({"as_of": "known"})
    early, late = dt.date(2026, 3, 8), dt.date(2026, 3, 11)
    newest = first(spec, request_id=["a"], late=["no"], known=[late])
    then_older = read(newest.versions, spec, day=11, request_id=["a"], late=["yes"], known=[early])
    assert labelled(served(["a"]), then_older, spec).truth.tolist() == ["no"]
    again = read(then_older.versions, spec, day=12, request_id=["a", "a"], late=["yes", "no"], known=[early, late])
    assert again.versions == then_older.versions


def test_two_labels_of_one_time_are_no_label():
    found = first(request_id=["a", "a", "b", "b"], late=["yes", "no", "no", "no"])
    assert (found.conflicts, found.added, found.unusable) == (1, 1, 0)
    assert labelled(served(["a", "b"]), found).truth.tolist() == ["no"]


def test_rows_without_key_or_label_are_counted():
    found = first(request_id=["a", None, ""], late=[None, "yes", "no"])
    assert (found.unusable, found.added, found.rows) == (3, 0, 3)


def test_rows_of_a_request_have_numbers():
    log = served([("a", 1), ("a", 2), ("b", 1)])
    numbered = first(request_id=["a", "a", "b"], row=[2, 1, 1], late=["two", "one", "b"])
    assert labelled(log, numbered).truth.tolist() == ["one", "two", "b"]
    without = labelled(log, first(request_id=["a", "b"], late=["which?", "b"]))
    assert without.truth.tolist() == ["b"]
    assert without.counts.orphans == 1


@pytest.mark.parametrize(
    ("logged", "named", "same"),
    [
        ([7], [7], True),
        (["7"], [7], True),
        ([7], [7.0], True),
        (["07"], [7], False),
        ([9007199254740993], [9007199254740993], True),
        ([9007199254740993], [9007199254740992], False),
        ([dt.date(2026, 3, 1)], [dt.date(2026, 3, 1)], True),
        (["x\x1fy"], ["x"], False),
    ],
)
def test_keys_are_compared_exactly(logged, named, same):
    spec = pipeline({"key": ["order"]}, columns=["order"])
    found = labelled(served(["a"], columns={"order": logged}), first(spec, order=named, late=["yes"]), spec)
    assert found.counts.labelled == same


def test_several_columns_are_one_key():
    spec = pipeline({"key": ["shop", "order"]}, columns=["shop", "order"])
    log = served(["a", "b"], columns={"shop": ["x", "x\x1f1"], "order": ["1\x1f2", "2"]})
    found = labelled(log, first(spec, shop=["x"], order=["1\x1f2"], late=["yes"]), spec)
    assert found.log.column("log_request_id").to_pylist() == ["a"]


def test_the_key_of_the_arms_is_logged_anyway():
    spec = pipeline({"key": ["customer"]}, challenger={"by": "customer"})
    found = labelled(served(["a"], key="42"), first(spec, customer=[42], late=["yes"]), spec)
    assert found.counts.labelled == 1


def test_keys_that_are_not_exact_are_refused():
    spec = pipeline({"key": ["order"]}, columns=["order"])
    for inexact in (1.5, 2.0**60):
        with pytest.raises(DataContractError, match="wrong type"):
            first(spec, order=[inexact], late=["yes"])


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(MissingColumnError, match="late"):
        first(request_id=["a"])
    spec = pipeline({"key": ["order"]}, log={"features": "values"})
    with pytest.raises(MissingColumnError, match="order"):
        labelled(served(["a"]), first(spec, order=["a"], late=["yes"]), spec)


def test_numbers_are_labels_of_a_regression():
    spec = pipeline(task="regression")
    found = first(spec, request_id=["a", "b", "c"], late=[1, None, float("inf")])
    assert found.unusable == 2
    assert labelled(served(["a"]), found, spec).truth.tolist() == [1.0]
    with pytest.raises(DataContractError, match="wrong type"):
        first(spec, request_id=["a"], late=["much"])


def test_the_shadow_is_labelled_and_not_counted_again():
    both = pa.concat_tables([served(["a"]), served(["a"], arm="challenger", version="7", shadow=True)])
    found = labelled(both, first(request_id=["a"], late=["yes"]))
    assert (found.counts.predictions, found.counts.labelled, len(found.truth)) == (1, 1, 2)


def test_nothing_is_a_log_and_a_reading():
    found = labelled(
        served([]), read(empty_versions(SPEC), request_id=pa.array([], pa.string()), late=pa.array([], pa.string()))
    )
    assert found.counts.predictions == found.counts.labelled == 0
