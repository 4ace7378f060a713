"""The sensors' ledger and dead letters, on every store."""

import pytest

from assay.arrivals.failures import DeadLetter
from assay.errors import StorageError
from resources.arrivals_store import ArrivalsFolder, name_of


@pytest.fixture
def kept(store):
    return ArrivalsFolder(store, "bank/@arrivals")


def letter(uri="in/a.csv", redrive=""):
    return DeadLetter(
        run_key=f"{uri}@1{redrive}",
        run_id="r",
        uri=uri,
        version="1",
        partition_key="a.csv",
        reason="why",
        attempts=3,
        failed_at=1.0,
    )


def test_a_text_is_read_as_it_was_written_until_it_is_removed(kept):
    name = kept.write('{"in/ä.csv": "1"}')
    assert kept.read(name) == '{"in/ä.csv": "1"}'
    assert kept.write('{"in/ä.csv": "1"}') != name
    kept.remove([name])
    kept.remove([name])
    with pytest.raises(StorageError, match="is missing") as caught:
        kept.read(name)
    assert "reset the sensor's cursor" in caught.value.remedy


def test_a_name_is_never_written_twice(store):
    kept = ArrivalsFolder(store, "bank/@arrivals", lambda: "same")
    kept.write("1")
    with pytest.raises(StorageError, match="exists already"):
        kept.write("2")
    assert kept.read("same") == "1"


def test_a_sweep_removes_old_texts_that_no_state_names(kept):
    names = [kept.write(str(number)) for number in range(3)]
    kept.keep_dead_letter(letter())
    assert kept.sweep({names[0]}, older_than_seconds=3600) == 0
    assert kept.sweep({names[0]}, older_than_seconds=-2) == 2
    assert kept.read(names[0]) == "0"
    assert len(kept.dead_letters().names) == 1


def test_a_dead_letter_is_stored_ordered_and_removed(kept):
    first, second = letter(), letter("in/b.csv")
    for each in (first, first, second):
        kept.keep_dead_letter(each)
    assert sorted(kept.dead_letters().names) == sorted([name_of(first), name_of(second)])
    assert kept.dead_letter(name_of(first)) == first
    kept.order_redrive(name_of(first))
    kept.order_redrive(name_of(first))
    assert kept.dead_letters().ordered == (name_of(first),)
    kept.remove_dead_letters([name_of(first)])
    assert (kept.dead_letters().names, kept.dead_letters().ordered) == ((name_of(second),), ())


def test_a_redrive_that_fails_is_another_dead_letter():
    assert name_of(letter()) != name_of(letter(redrive="#redrive-1"))
    assert name_of(letter()) == name_of(letter(redrive="#retry-2"))
