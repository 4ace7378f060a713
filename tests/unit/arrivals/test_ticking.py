"""Evaluations of the sensor: retries, dead letters and orders beside what is new."""

from dataclasses import dataclass, field

from arrivals_world import Source, Texts

from assay.arrivals.evaluation import evaluate
from assay.arrivals.failures import DeadLetter, FailedRun, FailureKind
from assay.arrivals.names import parse_run_key
from assay.arrivals.scan import Circumstances
from assay.arrivals.state import parse_state
from assay.specs.dataset import DatasetSpec, PartitionsSpec

BY_OBJECT = DatasetSpec(source="in/*.csv", target="y", partitions=PartitionsSpec(by="object"))


@dataclass
class Dead:
    names: list
    ordered: list


@dataclass
class Kept(Texts):
    letters: dict = field(default_factory=dict)
    orders: set = field(default_factory=set)
    sweeps: int = 0

    def sweep(self, kept, *, older_than_seconds):
        self.sweeps += 1
        return 0

    def bury(self, letter: DeadLetter):
        key = parse_run_key(letter.run_key)
        self.letters.setdefault(f"{key.arrival}-{key.redrive}", letter)

    def dead(self):
        return Dead(list(self.letters), sorted(self.orders & set(self.letters)))

    def letter(self, name):
        return self.letters[name]

    def settle(self, names):
        for name in names:
            self.letters.pop(name, None)
            self.orders.discard(name)


class Platform:
    """A sensor whose runs fail until they are told not to."""

    def __init__(self, max_retries=2):
        self.source, self.kept, self.cursor, self.max_retries = Source({"in/a.csv": "1"}), Kept(), None, max_retries
        self.launched, self.failed, self.kind, self.now = [], [], FailureKind.PASSING, 1000.0

    def tick(self, *, fail=True, stored=True):
        self.now += 30
        state = parse_state(self.cursor, "in/*.csv")
        rules = Circumstances(BY_OBJECT)
        tick = evaluate(state, self.source, self.kept, self.failed, rules, max_retries=self.max_retries, now=self.now)
        if stored:
            self.cursor = tick.state.model_dump_json()
        for run in tick.runs:
            if run.run_key not in self.launched:
                self.launched.append(run.run_key)
                if fail:
                    self.failed.append(
                        FailedRun(
                            run.run_key, run.run_key, self.now + 1, run.uri, run.version, "a.csv", self.kind, "why"
                        )
                    )
        return tick


ATTEMPTS = ["in/a.csv@1", "in/a.csv@1#retry-1", "in/a.csv@1#retry-2"]


def test_a_failed_run_is_tried_again_then_given_up_and_shown():
    platform = Platform()
    ticks = [platform.tick() for _ in range(15)]
    assert platform.launched == ATTEMPTS
    assert sum(len(tick.letters) for tick in ticks) == 1
    assert ticks[-1].message.endswith("; 1 dead letter: see arrivals_redrive_job")


def test_killed_evaluations_change_nothing_of_it():
    platform = Platform()
    for number in range(45):
        platform.tick(stored=number % 3 == 2)
    assert platform.launched == ATTEMPTS
    assert len(platform.kept.letters) == 1


def test_no_retry_where_none_is_wanted():
    platform = Platform(max_retries=0)
    for _ in range(9):
        platform.tick()
    assert platform.launched == ATTEMPTS[:1]
    assert len(platform.kept.letters) == 1


def test_a_dead_letter_is_started_over_once_for_each_order():
    platform = Platform()
    for _ in range(15):
        platform.tick()
    platform.kept.orders |= set(platform.kept.letters)
    platform.tick(stored=False)
    for _ in range(20):
        platform.tick()
    second = [f"in/a.csv@1#redrive-1{attempt}" for attempt in ("", "#retry-1", "#retry-2")]
    assert platform.launched == [*ATTEMPTS, *second]
    platform.kept.orders |= set(platform.kept.letters)
    for _ in range(5):
        last = platform.tick(fail=False)
    assert platform.launched[6:] == ["in/a.csv@1#redrive-2"]
    assert not platform.kept.letters
    assert "dead" not in last.message


def test_a_dead_letter_of_a_rewritten_object_is_not_started_over():
    platform = Platform(max_retries=0)
    for _ in range(5):
        platform.tick()
    platform.source.objects["in/a.csv"] = "2"
    platform.tick(fail=False)
    platform.kept.orders |= set(platform.kept.letters)
    for _ in range(3):
        platform.tick()
    assert platform.launched == ["in/a.csv@1", "in/a.csv@2"]
    assert not platform.kept.letters


def test_what_failed_before_the_first_look_is_not_this_sensors():
    platform = Platform()
    platform.failed = [FailedRun("x", "in/z.csv@1", 1.0, "in/z.csv", "1", "z.csv", FailureKind.LASTING, "why")]
    platform.tick(fail=False)
    assert not platform.kept.letters


def test_leftovers_of_broken_off_looks_are_swept_now_and_then():
    platform = Platform()
    for _ in range(501):
        platform.tick(fail=False)
    assert platform.kept.sweeps == 2
