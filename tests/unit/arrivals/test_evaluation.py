"""Evaluations of the sensor: retries, dead letters and orders beside new objects."""

from dataclasses import dataclass, field

import pytest
from arrivals_world import Source, Texts

from assay.arrivals.evaluation import evaluate
from assay.arrivals.failures import DeadLetter, DeadLetterNames, FailedRun, FailureKind
from assay.arrivals.names import parse_run_key
from assay.arrivals.scan import ScanOptions
from assay.arrivals.state import parse_state
from assay.errors import StoreUnavailableError
from assay.specs.dataset import DatasetSpec, PartitionsSpec

BY_OBJECT = DatasetSpec(source="in/*.csv", target="y", partitions=PartitionsSpec(by="object"))


@dataclass
class Kept(Texts):
    letters: dict = field(default_factory=dict)
    orders: set = field(default_factory=set)
    sweeps: int = 0

    def sweep(self, kept, *, older_than_seconds):
        self.sweeps += 1
        return 0

    def keep_dead_letter(self, letter: DeadLetter):
        key = parse_run_key(letter.run_key)
        self.letters.setdefault(f"{key.arrival}-{key.redrive}", letter)

    def dead_letters(self):
        return DeadLetterNames(tuple(self.letters), tuple(sorted(self.orders & set(self.letters))))

    def dead_letter(self, name):
        return self.letters[name]

    def remove_dead_letters(self, names):
        for name in names:
            self.letters.pop(name, None)
            self.orders.discard(name)


class Platform:
    """A sensor whose runs fail on demand."""

    def __init__(self, max_retries=2):
        self.source, self.kept, self.cursor, self.max_retries = Source({"in/a.csv": "1"}), Kept(), None, max_retries
        self.launched, self.failed, self.kind, self.now = [], [], FailureKind.TRANSIENT, 1000.0

    def evaluate(self, *, fail=True, stored=True):
        self.now += 30
        state = parse_state(self.cursor, "in/*.csv")
        rules = ScanOptions(BY_OBJECT)
        evaluation = evaluate(
            state, self.source, self.kept, self.failed, rules, max_retries=self.max_retries, now=self.now
        )
        if stored:
            self.cursor = evaluation.state.model_dump_json()
        for run in evaluation.runs:
            if run.run_key not in self.launched:
                self.launched.append(run.run_key)
                if fail:
                    self.failed.append(
                        FailedRun(
                            run.run_key, run.run_key, self.now + 1, run.uri, run.version, "a.csv", self.kind, "why"
                        )
                    )
        return evaluation


ATTEMPTS = ["in/a.csv@1", "in/a.csv@1#retry-1", "in/a.csv@1#retry-2"]


def test_a_failed_run_is_tried_again_then_given_up_and_shown():
    platform = Platform()
    evaluations = [platform.evaluate() for _ in range(15)]
    assert platform.launched == ATTEMPTS
    assert sum(len(evaluation.dead_letters) for evaluation in evaluations) == 1
    assert evaluations[-1].message.endswith("; 1 dead letter: see arrivals_redrive_job")


def test_killed_evaluations_change_nothing_of_it():
    platform = Platform()
    for number in range(45):
        platform.evaluate(stored=number % 3 == 2)
    assert platform.launched == ATTEMPTS
    assert len(platform.kept.letters) == 1


def test_no_retry_where_none_is_allowed():
    platform = Platform(max_retries=0)
    for _ in range(9):
        platform.evaluate()
    assert platform.launched == ATTEMPTS[:1]
    assert len(platform.kept.letters) == 1


def test_a_dead_letter_is_started_over_once_for_each_order():
    platform = Platform()
    for _ in range(15):
        platform.evaluate()
    platform.kept.orders |= set(platform.kept.letters)
    platform.evaluate(stored=False)
    for _ in range(20):
        platform.evaluate()
    second = [f"in/a.csv@1#redrive-1{attempt}" for attempt in ("", "#retry-1", "#retry-2")]
    assert platform.launched == [*ATTEMPTS, *second]
    platform.kept.orders |= set(platform.kept.letters)
    for _ in range(5):
        last = platform.evaluate(fail=False)
    assert platform.launched[6:] == ["in/a.csv@1#redrive-2"]
    assert not platform.kept.letters
    assert "dead" not in last.message


def test_a_dead_letter_of_a_rewritten_object_is_not_started_over():
    platform = Platform(max_retries=0)
    for _ in range(5):
        platform.evaluate()
    platform.source.objects["in/a.csv"] = "2"
    platform.evaluate(fail=False)
    platform.kept.orders |= set(platform.kept.letters)
    for _ in range(3):
        platform.evaluate()
    assert platform.launched == ["in/a.csv@1", "in/a.csv@2"]
    assert not platform.kept.letters


def test_runs_that_failed_before_the_first_evaluation_are_not_this_sensors():
    platform = Platform()
    platform.failed = [FailedRun("x", "in/z.csv@1", 1.0, "in/z.csv", "1", "z.csv", FailureKind.PERMANENT, "why")]
    platform.evaluate(fail=False)
    assert not platform.kept.letters


def test_leftovers_of_interrupted_scans_are_swept():
    platform = Platform()
    for _ in range(501):
        platform.evaluate(fail=False)
    assert platform.kept.sweeps == 2


def test_an_outage_while_a_dead_letter_is_read_does_not_settle_its_order(monkeypatch):
    def outage(name):
        raise StoreUnavailableError(name)

    platform = Platform(max_retries=0)
    while not platform.kept.letters:
        platform.evaluate()
    platform.kept.orders |= set(platform.kept.letters)
    with monkeypatch.context() as patch:
        patch.setattr(platform.kept, "dead_letter", outage)
        with pytest.raises(StoreUnavailableError):
            platform.evaluate()
    platform.evaluate()
    assert platform.launched[-1] == "in/a.csv@1#redrive-1"
