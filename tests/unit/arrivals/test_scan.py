"""Scans of a source: each version is requested once, whenever the sensor is killed, at a cost that does not grow."""

import contextlib
import json
from copy import deepcopy
from itertools import count
from types import SimpleNamespace

import pytest
from arrivals_world import KilledError, Source, Texts
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from assay.arrivals.scan import ScanLimits, ScanOptions, scan_source
from assay.arrivals.state import SensorState, parse_state
from assay.errors import SourceError, StoreUnavailableError
from assay.specs.dataset import DatasetSpec, PartitionsSpec

WHOLE = DatasetSpec(source="in/*.csv", target="y")
BY_OBJECT = DatasetSpec(source="in/*.csv", target="y", partitions=PartitionsSpec(by="object"))
SMALL = ScanLimits(requests=4, page=3, ledger_page=2, small=2, first_scan=2)


class Platform:
    """A sensor whose state Dagster stores, and the runs that it was asked for."""

    def __init__(self, rules=ScanOptions(BY_OBJECT)):  # noqa: B008 - frozen
        self.rules, self.source, self.texts, self.cursor, self.launched = rules, Source(), Texts(), None, []

    def scan(self, *, stored=True, launched=True):
        """Scan once; Dagster may store the state without the runs, or be killed before either."""
        state = parse_state(self.cursor, "in/*.csv")
        self.texts.remove(state.replaced)
        seen = scan_source(state, self.source, self.texts, self.rules)
        if launched:
            known = set(self.launched)
            self.launched += [a.run_key for a in seen.arrivals if a.run_key not in known]
        if stored:
            self.cursor = seen.state.model_dump_json()
        return seen

    def settle(self):
        """Scan until the whole source was gone through without a request."""
        quiet = 0
        while quiet < 3 + len(self.source.objects) + len(self.source.noise):
            quiet = 0 if self.scan().arrivals else quiet + 1


def put(platform, count, version="1", start=0):
    platform.source.objects |= {f"in/{number:06d}.csv": version for number in range(start, start + count)}


def keys(objects):
    return sorted(f"{uri}@{version}" for uri, version in objects.items())


keys_of_objects = st.sampled_from([f"in/{letter}{digit}.csv" for letter in "abc" for digit in range(6)])
versions = st.sampled_from(["1", "2", "3"])


class Killed(RuleBasedStateMachine):
    """Arrivals, overwrites, deletions and kills, in any order."""

    @initialize(noise=st.frozensets(st.sampled_from([f"in/{letter}{n}.tmp" for letter in "abc" for n in range(6)])))
    def begin(self, noise):
        self.platform = Platform(ScanOptions(BY_OBJECT, limits=SMALL))
        self.platform.source.noise = noise
        self.unseen_and_gone = set()

    @rule(uri=keys_of_objects, version=versions)
    def arrives(self, uri, version):
        self.replaced(uri)
        self.platform.source.objects[uri] = version
        self.unseen_and_gone.discard(f"{uri}@{version}")

    @rule(uri=keys_of_objects)
    def is_deleted(self, uri):
        self.replaced(uri)
        self.platform.source.objects.pop(uri, None)

    def replaced(self, uri):
        version = self.platform.source.objects.get(uri)
        if version and f"{uri}@{version}" not in self.platform.launched:
            self.unseen_and_gone.add(f"{uri}@{version}")

    @rule()
    def scan(self):
        self.platform.scan()

    @rule(fuse=st.integers(0, 8))
    def killed_at_work(self, fuse):
        self.platform.texts.fuse = fuse
        with contextlib.suppress(KilledError):
            self.platform.scan(stored=False, launched=False)
        self.platform.texts.fuse = None

    @rule(launched=st.booleans())
    def killed_before_the_state_is_stored(self, launched):
        self.platform.scan(stored=False, launched=launched)

    @rule()
    def rests(self):
        self.platform.settle()
        assert not set(keys(self.platform.source.objects)) - set(self.platform.launched)
        assert len(self.platform.scan().message)

    @invariant()
    def nothing_gone_is_requested(self):
        assert not self.unseen_and_gone & set(self.platform.launched)

    @invariant()
    def what_the_state_names_is_there(self):
        if self.platform.cursor:
            before = dict(self.platform.texts.kept)
            scan_source(
                parse_state(self.platform.cursor, "in/*.csv"),
                self.platform.source,
                self.platform.texts,
                self.platform.rules,
            )
            self.platform.texts.kept = before


TestKilled = Killed.TestCase
TestKilled.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_two_scans_from_one_state_ask_for_the_same_run_keys():
    platform = Platform()
    put(platform, 120)
    first, again = platform.scan(stored=False), platform.scan(stored=False)
    assert [a.run_key for a in first.arrivals] == [a.run_key for a in again.arrivals]
    assert len(first.arrivals) == 50


def test_arrivals_of_one_second_before_and_after_the_last_key_and_overwrites_are_each_requested_once():
    platform = Platform()
    put(platform, 3, start=5)
    platform.settle()
    put(platform, 12)
    platform.source.objects["in/000006.csv"] = "2"
    platform.settle()
    expected = {*keys(platform.source.objects), "in/000006.csv@1"}
    assert sorted(platform.launched) == sorted(expected)


@pytest.mark.parametrize("limits", [SMALL, ScanLimits()])
def test_without_a_kill_nothing_is_requested_twice(limits):
    platform = Platform(ScanOptions(BY_OBJECT, limits=limits))
    asked = []
    for start in (50, 0, 25, 75):
        put(platform, 25, start=start)
        asked += [arrival.run_key for _ in range(60) for arrival in platform.scan().arrivals]
    assert sorted(asked) == keys(platform.source.objects)


def test_keys_that_do_not_match_hide_none_that_do():
    platform = Platform()
    platform.source.noise = frozenset(f"in/{number:06d}.tmp" for number in range(9000))
    platform.source.objects = {"in/zz.csv": "1"}
    for _ in range(4):
        platform.scan()
    assert platform.launched == ["in/zz.csv@1"]


def test_objects_of_the_first_scan_can_be_skipped():
    platform = Platform(ScanOptions(BY_OBJECT, skip_existing=True))
    put(platform, 12_000)
    first = platform.scan()
    assert first.message == "first scan: 10,000 objects so far, 0 runs requested"
    platform.scan()
    put(platform, 1, start=99_000)
    platform.scan()
    assert platform.launched == ["in/099000.csv@1"]


def test_without_partitions_all_new_objects_make_one_run():
    platform = Platform(ScanOptions(WHOLE))
    put(platform, 25_000)
    seen = [platform.scan() for _ in range(3)]
    assert [len(each.arrivals) for each in seen] == [0, 0, 1]
    assert (seen[2].arrivals[0].partition_key, seen[2].arrivals[0].uri) == (None, None)
    assert not platform.scan().arrivals
    put(platform, 2, start=30_000)
    assert len(platform.scan().arrivals) == 1


def test_an_object_waits_until_its_partition_exists():
    months = set()
    spec = DatasetSpec(source="in/{partition}.csv", target="y", partitions=PartitionsSpec(by="month", start="2021-01"))
    platform = Platform(ScanOptions(spec, has_partition=months.__contains__))
    platform.source.objects = {"in/2021-01.csv": "1"}
    seen = platform.scan()
    assert not seen.arrivals
    assert seen.message.endswith("1 waits for its partition, e.g. in/2021-01.csv")
    months.add("2021-01")
    assert [arrival.partition_key for arrival in platform.scan().arrivals] == ["2021-01"]


def test_an_object_that_may_still_be_written_is_read_again_in_the_next_scan():
    platform = Platform(ScanOptions(BY_OBJECT, unchanged_scans=1, limits=SMALL))
    put(platform, 30)
    platform.settle()
    platform.source.objects["in/000004.csv"] = "2"
    assert any(platform.scan().unsettled for _ in range(20)), "a pass over the source has not found the object"
    assert [arrival.uri for arrival in platform.scan().arrivals] == ["in/000004.csv"]


def test_an_outage_of_the_store_ends_the_scan_and_loses_nothing(monkeypatch):
    def outage(name):
        raise StoreUnavailableError(name)

    platform = Platform(ScanOptions(BY_OBJECT, unchanged_scans=1))
    put(platform, 2)
    for _ in ("the unsettled objects are read", "the ledger is read"):
        platform.scan()
        with monkeypatch.context() as patch:
            patch.setattr(platform.texts, "read", outage)
            with pytest.raises(StoreUnavailableError):
                platform.scan()
    assert sorted(platform.launched) == keys(platform.source.objects)


def test_digests_that_take_long_leave_the_rest_to_the_next_scan(monkeypatch):
    clock = SimpleNamespace(monotonic=map(float, count(step=15)).__next__)
    monkeypatch.setattr("assay.arrivals.scan.time", clock)
    platform = Platform()
    put(platform, 5)
    assert [len(platform.scan().arrivals) for _ in range(4)] == [2, 2, 1, 0]


def test_an_object_that_is_deleted_is_forgotten():
    platform = Platform()
    put(platform, 5)
    platform.settle()
    platform.source.objects.clear()
    assert platform.scan().objects == 0
    assert platform.scan().state.index is None


def test_a_source_without_versions_is_refused():
    platform = Platform()
    platform.source.objects = {"in/a.csv": ""}
    with pytest.raises(SourceError, match="reports no versions"):
        platform.scan()


def test_another_source_is_scanned_from_the_beginning():
    platform = Platform()
    put(platform, 5)
    platform.settle()
    assert parse_state(platform.cursor, "elsewhere/*.csv") == SensorState(
        source="elsewhere/*.csv", scans=parse_state(platform.cursor, "in/*.csv").scans
    )


def test_a_cursor_of_another_layout_starts_over():
    assert parse_state('{"in/a.csv": "1"}', "in/*.csv") == SensorState(source="in/*.csv")


@pytest.fixture(scope="module")
def scanned_once():
    platform = Platform(ScanOptions(BY_OBJECT, skip_existing=True))
    put(platform, 100_000)
    while not platform.scan().state.scanned:
        pass
    return platform


@pytest.fixture
def large(scanned_once):
    """A platform that has seen 100,000 objects."""
    return deepcopy(scanned_once)


def test_a_steady_scan_of_100_000_keys_costs_the_same_as_at_few(large):
    for _ in range(3):
        source, texts = large.source, large.texts
        source.pages = source.described = texts.reads = texts.writes = texts.bytes_read = 0
        assert not large.scan().arrivals
        assert (source.pages, source.described, texts.reads, texts.writes) == (2, 1000, 1, 0)
        assert len(large.cursor) < 1000
        assert texts.bytes_read < 30_000


def test_an_overwrite_among_100_000_keys_is_seen_within_a_round(large):
    large.source.objects["in/050000.csv"] = "2"
    large.source.objects["in/0.csv"] = "1"
    arrivals = [arrival.run_key for _ in range(101) for arrival in large.scan().arrivals]
    assert sorted(arrivals) == ["in/0.csv@1", "in/050000.csv@2"]


def test_what_sorts_last_is_seen_at_once(large):
    put(large, 60, start=200_000)
    assert len(large.scan().arrivals) == 50
    assert len(large.scan().arrivals) == 10


def test_field_names_of_a_stored_cursor_stay_readable():
    stored = {
        "layout": 1,
        "source": "in/*.csv",
        "looks": 7,
        "index": "text-1",
        "replaced": ["text-0"],
        "position": "in/b.csv",
        "scanned": True,
        "gathered": "",
        "failures": {
            "until": 3.5,
            "handled": {"run-1": 3.5},
            "waiting": [
                {"run_key": "in/a.csv@1#retry-1", "uri": "in/a.csv", "version": "1", "partition_key": "a.csv", "due": 9}
            ],
        },
        "settled": ["name"],
    }
    state = parse_state(json.dumps(stored), "in/*.csv")
    assert (state.scans, state.failures.waiting[0].due) == (7, 9)
    assert json.loads(state.model_dump_json()) == stored
