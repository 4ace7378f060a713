"""The writer of the prediction log: nothing acknowledged is lost or doubled, and no request waits for the store."""

import datetime as dt
import os
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pytest
from log_rows import NOON, log_of, logged_rows, row

from assay.errors import StoreUnavailableError
from assay.serving.prediction_log import joined
from assay.specs.serving import PredictionLogSpec
from resources.prediction_log import keys_of_day, write_object
from resources.store.local import LocalStore
from serving.log_writer import LogWriter

DAY = NOON.date()


@dataclass
class Rows:
    """Rows that a request leaves."""

    request: str
    count: int = 1
    time: dt.datetime = NOON
    nbytes: int = 100

    def rows(self):
        minutes = (self.time - NOON).total_seconds() / 60
        return log_of(*(row(self.request, number + 1, minutes=minutes) for number in range(self.count)))


def made_of(several):
    return joined([each.rows() for each in several])


class Counts:
    def __init__(self):
        self.of, self.rows = Counter(), 0

    def logged(self, outcome, rows):
        self.of[outcome] += rows

    def waiting(self, rows):
        self.rows = rows


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class World:
    """A store that can be taken down, and writers on one machine."""

    def __init__(self, folder):
        self.store, self.spool, self.down, self.counts = LocalStore(folder / "store"), folder / "spool", False, Counts()
        self.after = lambda: None

    def put(self, made, rows):
        if self.down:
            raise StoreUnavailableError("the store does not answer")
        stored = write_object(self.store, "loans", made, rows)
        self.after()
        return stored

    def writer(self, **limits):
        made = LogWriter(
            made_of, self.put, PredictionLogSpec(**{"flush_seconds": 0.05, **limits}), self.spool / "loans", self.counts
        )
        made.start()
        return made

    def requests(self):
        return sorted(logged_rows(self.store, "loans", DAY).column("log_request_id").to_pylist())

    def until(self, state, seconds=10):
        end = time.monotonic() + seconds
        while not state():
            assert time.monotonic() < end, (self.counts.of, self.requests())
            time.sleep(0.01)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("serving.log_writer._FIRST_WAIT", 0.02)
    monkeypatch.setattr("serving.log_writer._RECOVERY_SECONDS", 0.02)
    monkeypatch.setattr("serving.log_writer._TOGETHER_SECONDS", 0.01)


@pytest.mark.parametrize("mode", ["buffered", "durable"])
def test_what_was_offered_is_stored_by_its_hour(world, mode):
    writer = world.writer(mode=mode)
    offered = [writer.offer(Rows(str(n), 2, NOON + dt.timedelta(minutes=50 * n))) for n in range(3)]
    assert [each.result(10) for each in offered] == [mode == "durable"] * 3
    writer.close()
    assert world.requests() == ["0", "0", "1", "1", "2", "2"]
    hours = [key.split("/")[3] for key in keys_of_day(world.store, "loans", DAY)]
    assert sorted(set(hours)) == ["hour=12", "hour=13"]
    assert (world.counts.of, world.counts.rows) == ({"stored": 6}, 0)
    assert not list(world.spool.rglob("*.rows"))


def test_a_store_that_is_down_costs_no_request_and_bounded_memory(world, caplog):
    caplog.set_level("WARNING", "assay.serving")
    world.down = True
    writer = world.writer(buffer_rows=5)
    began = time.monotonic()
    taken = [writer.offer(Rows(str(n))) is not None for n in range(9)]
    assert time.monotonic() - began < 0.5
    assert taken == [True] * 5 + [False] * 4
    assert world.counts.of == {"dropped": 4}
    world.until(lambda: "cannot be stored" in caplog.text)
    world.down = False
    world.until(lambda: world.counts.of["stored"] == 5)
    assert world.requests() == ["0", "1", "2", "3", "4"]
    assert caplog.text.count("are dropped and counted") == 1
    writer.close()


def test_a_put_whose_answer_was_lost_doubles_nothing(world):
    def lost():
        world.after = lambda: None
        raise StoreUnavailableError("the answer was lost")

    world.after = lost
    writer = world.writer()
    writer.offer(Rows("a"))
    world.until(lambda: world.counts.of["stored"] == 1)
    assert world.requests() == ["a"]
    writer.close()


def crash(writer):
    """End a writer as kill -9 does: its threads do nothing more, and the kernel gives its locks up."""
    writer._put = lambda *_: (_ for _ in ()).throw(StoreUnavailableError("dead"))
    writer._recover = lambda: None
    for segment in [*writer._sealed, *([writer._segment] if writer._segment else [])]:
        os.close(segment.file._handle)


def test_what_was_acknowledged_outlives_its_process(world):
    world.down = True
    first = world.writer(mode="durable", flush_seconds=3600)
    assert all(first.offer(Rows(str(n))).result(10) for n in range(3))
    crash(first)
    (file,) = world.spool.rglob("*.rows")
    with file.open("ab") as torn:
        torn.write(b"\x10\x00\x00\x00 half a frame")
    world.down = False
    second = world.writer(mode="durable")
    world.until(lambda: world.requests() == ["0", "1", "2"])
    second.close()
    assert not list(world.spool.rglob("*.rows"))


def test_a_process_killed_between_storing_and_removing_doubles_nothing(world):
    first = world.writer(mode="durable", flush_seconds=3600)
    assert first.offer(Rows("a")).result(10)
    write_object(world.store, "loans", first._segment.made, first._segment.table())
    crash(first)
    second = world.writer()
    world.until(lambda: not list(world.spool.rglob("*.rows")))
    second.close()
    assert world.requests() == ["a"]


def test_the_files_of_a_living_process_are_its_own(world):
    first = world.writer(mode="durable", flush_seconds=3600)
    assert first.offer(Rows("a")).result(10)
    second = world.writer(mode="durable")
    time.sleep(0.1)
    second.close()
    assert len(list(world.spool.rglob("*.rows"))) == 1
    first.close()
    assert world.requests() == ["a"]


def test_a_full_disk_is_no_acknowledgement_and_no_loss(world, monkeypatch):
    monkeypatch.setattr("serving.spool.os.write", partial(_fails, OSError(28, "no space left")))
    writer = world.writer(mode="durable")
    assert writer.offer(Rows("a")).result(10) is False
    writer.close()
    assert world.requests() == ["a"]


def _fails(error, *_):
    raise error


def test_rows_that_cannot_be_made_cost_no_others(world, monkeypatch):
    writer = world.writer(mode="durable")
    broken = Rows("b")
    broken.rows = partial(_fails, ValueError("a defect"))
    results = [writer.offer(each) for each in (Rows("a"), broken, Rows("c"))]
    assert [each.result(10) for each in results] == [True, False, True]
    writer.close()
    assert world.requests() == ["a", "c"]
    assert world.counts.of == {"stored": 2, "failed": 1}


def test_an_object_with_a_defect_does_not_hold_up_others(world):
    writer = world.writer(mode="durable", flush_rows=1)
    real = world.put
    broken = []

    def put(made, rows):
        if not broken:
            broken.append(made)
            raise pa.ArrowInvalid("a defect")
        return real(made, rows)

    writer._put = put
    assert writer.offer(Rows("a")).result(10)
    world.until(lambda: world.counts.of["failed"] == 1)
    assert writer.offer(Rows("b")).result(10)
    world.until(lambda: world.counts.of["stored"] == 1)
    writer.close()
    assert len(list(world.spool.rglob("*.damaged"))) == 1


def test_a_writer_that_stops_takes_no_more(world):
    writer = world.writer()
    writer.close()
    assert writer.offer(Rows("a")) is None
