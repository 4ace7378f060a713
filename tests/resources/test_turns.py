"""One holder at a time, on every store, also when holders die, clients repeat themselves or answers are lost."""

import threading
import time
from contextlib import ExitStack

import pytest

from assay.errors import CommitConflictError, StorageError, StoreUnavailableError
from resources.store import lease as turns
from resources.store.lease import turn

PREFIX = "@champions/demo/"


def one(store):
    return turn(store, PREFIX, what="the champion of demo")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.5)


@pytest.fixture
def dead_holder(store):
    """A turn that was taken and will never be ended."""
    store.put_if_absent(f"{PREFIX}00000001.taken", b"dead")


def test_there_is_never_more_than_one_holder(store, in_threads):
    inside, seen = [], []

    def enter(number):
        with one(store):
            inside.append(number)
            seen.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)
        return "done"

    assert in_threads(6, enter) == ["done"] * 6
    assert seen == [1] * 6


def test_what_lies_in_the_store_does_not_grow(store):
    for _ in range(5):
        with one(store):
            pass
    assert sorted(item.key for item in store.list_objects(PREFIX)) == [
        f"{PREFIX}00000005.ended",
        f"{PREFIX}00000005.taken",
    ]


@pytest.mark.usefixtures("dead_holder")
def test_a_turn_that_is_not_ended_is_waited_for(store, monkeypatch):
    waits = []

    def ended_meanwhile(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            store.put_if_absent(f"{PREFIX}00000001.ended", b"alive after all")

    monkeypatch.setattr(turns.time, "sleep", ended_meanwhile)
    with one(store):
        assert len(waits) == 3


@pytest.mark.usefixtures("dead_holder", "impatient")
def test_a_dead_holders_turn_passes_after_a_while(store):
    with one(store):
        assert store.get_bytes(f"{PREFIX}00000002.taken")


@pytest.mark.usefixtures("impatient")
def test_a_turn_is_ended_when_its_work_fails(store):
    with pytest.raises(ValueError, match="broken"), one(store):
        raise ValueError("broken")
    with one(store) as own:
        own.require_time_left()
    assert store.stat(f"{PREFIX}00000002.ended")


def test_a_holder_whose_time_is_up_may_do_no_more(store, monkeypatch):
    with one(store) as own:
        own.require_time_left()
        later = time.monotonic() + 61
        monkeypatch.setattr(turns.time, "monotonic", lambda: later)
        with pytest.raises(CommitConflictError, match="took too long") as refused:
            own.require_time_left()
    assert refused.value.transient


def test_a_number_that_was_taken_and_cleared_away_long_ago_gives_no_turn(store, wrapped, monkeypatch):
    class Slow(wrapped):
        """Listed before all the others; what it saw then is what it goes by first."""

        stale = True

        def list_objects(self, prefix):
            if not self.stale:
                return super().list_objects(prefix)
            self.stale = False
            return iter(())

    slow, entered = Slow(store), threading.Event()
    with ExitStack() as others:
        for _ in range(2):
            with one(store):
                pass
        others.enter_context(one(store))
        monkeypatch.setattr(turns, "_LOOK_SECONDS", 0.01)

        def enter():
            with one(slow):
                entered.set()

        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.5)
    thread.join()
    assert entered.is_set()
    assert not store.stat(f"{PREFIX}00000001.taken")


def test_a_repeated_request_finds_its_own_turn(store, wrapped):
    class Repeating(wrapped):
        def put_if_absent(self, key, data):
            self.inner.put_if_absent(key, data)
            return self.inner.put_if_absent(key, data)

    with one(Repeating(store)):
        assert store.stat(f"{PREFIX}00000001.taken")


def test_a_turn_that_cannot_be_ended_does_not_fail_what_was_done(store, wrapped, caplog):
    class Failing(wrapped):
        def put_if_absent(self, key, data):
            if key.endswith(".ended"):
                raise StoreUnavailableError("no answer")
            return super().put_if_absent(key, data)

    with one(Failing(store)):
        pass
    assert "was not ended" in caplog.text


def test_a_store_that_fails_gives_no_turn(store, wrapped):
    class Failing(wrapped):
        def put_if_absent(self, key, data):
            raise StorageError("no answer")

    with pytest.raises(StorageError), one(Failing(store)):
        pytest.fail("it had a turn")
