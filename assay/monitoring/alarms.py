"""When an alarm begins, when a training answers it, and when it begins again.

A training that answers an alarm must have the rows of the window in which the alarm began among its training rows.
Split by time, a window's training is evaluated on the window itself, so the answer belongs to a later window. An answer
that brings no new champion leaves the alarm standing; after `monitoring.repeat_after` windows it begins again, with a
training of its own, until the alarm ends or the champion is replaced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from assay.specs.pipeline import PipelineSpec


class MonitoringReport(Protocol):
    """What the reports of drift and performance have in common."""

    @property
    def alarm(self) -> bool:
        """Whether there is an alarm in this window."""
        ...

    @property
    def alarm_start(self) -> bool:
        """Whether an alarm begins, or begins again, in this window."""
        ...

    @property
    def training_due(self) -> bool:
        """Whether the training of this window answers an alarm."""
        ...


Report = TypeVar("Report", bound=MonitoringReport)


@dataclass(frozen=True, slots=True)
class AlarmState:
    """What an alarm does in one window.

    Attributes:
        start: it begins, or begins again: the event that notifies.
        training_due: a training of this window answers it: the event that retrains.
    """

    start: bool
    training_due: bool


def alarm_state(alarm: bool, earlier: Sequence[Report], spec: PipelineSpec) -> AlarmState:  # noqa: FBT001 - the state
    """Return what an alarm does in a window.

    Args:
        alarm: whether there is an alarm in the window.
        earlier: reports of the windows before it that were judged against the same champion, oldest first.
        spec: the pipeline.
    """
    rule, delay = spec.monitoring, windows_until_trained_on(spec)
    started = _windows_since(earlier, lambda report: report.alarm_start)
    answered = _windows_since(earlier, lambda report: report.training_due)
    unanswered = started is not None and (answered is None or answered > started)
    stands = alarm and bool(earlier) and earlier[-1].alarm
    repeat_after = rule.repeat_after if rule else 1
    repeated = stands and not unanswered and answered is not None and answered >= repeat_after
    begins = alarm and not stands
    due = unanswered and started is not None and started >= delay
    return AlarmState(start=begins or repeated, training_due=due or repeated or (begins and delay == 0))


def windows_until_trained_on(spec: PipelineSpec) -> int:
    """Return how many windows after a window its rows are among the training rows of a model."""
    delay = spec.monitoring.label_delay if spec.monitoring else 0
    return delay + 1 if spec.split.by == "time" else delay


def windows_needed(spec: PipelineSpec, counted: int) -> int:
    """Return how many earlier reports decide on an alarm that counts so many windows.

    Windows that the champion was trained on do not count, and may stand between those that do.
    """
    repeat_after = spec.monitoring.repeat_after if spec.monitoring else 1
    return 2 * max(counted, repeat_after + windows_until_trained_on(spec))


def _windows_since(earlier: Sequence[Report], holds: Callable[[Report], bool]) -> int | None:
    """Return how many windows ago something held last; None where it never did."""
    return next((ago for ago, report in enumerate(reversed(earlier), start=1) if holds(report)), None)
