"""Objects of the prediction log, on disk and on S3."""

from log_rows import NOON, log_of, logged_rows, row

from assay.serving.prediction_log import REQUEST_ID
from resources.artifacts.logged_predictions import LogSearch
from resources.artifacts.row_search import RowSearch
from resources.artifacts.store import ArtifactStore
from resources.prediction_log import LogObject, all_keys, keys_of_day, logged_pipelines, write_object

FIRST, SECOND = (LogObject(NOON, "a" * 32, number) for number in range(2))


def requests(store):
    return logged_rows(store, "loans", NOON.date()).column(REQUEST_ID).to_pylist()


def test_an_object_is_stored_once_and_found_by_its_day(store):
    assert write_object(store, "loans", FIRST, log_of(row("a"), row("b")))
    assert not write_object(store, "loans", FIRST, log_of(row("again")))
    assert write_object(store, "loans", SECOND, log_of(row("c")))
    assert write_object(store, "rents", FIRST, log_of(row("other")))
    assert requests(store) == ["a", "b", "c"]
    assert keys_of_day(store, "loans", NOON.date()) == [*all_keys(store, "loans")]
    assert logged_pipelines(store) == ["loans", "rents"]
    assert LogObject.named(NOON, FIRST.name) == FIRST


def test_rows_are_forgotten_in_place_and_no_retry_brings_them_back(store):
    write_object(store, "loans", FIRST, log_of(row("a"), row("b")))
    write_object(store, "loans", SECOND, log_of(row("b")))
    search = LogSearch(store, RowSearch(ArtifactStore(store), f"{REQUEST_ID} = 'b'"))
    held, _ = search.held()
    for each in held:
        search.remove(each)
    assert [each.rows for each in held] == [1, 1]
    assert not write_object(store, "loans", SECOND, log_of(row("b")))
    assert requests(store) == ["a"]
    assert search.held() == ([], True)
