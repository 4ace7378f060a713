"""The sentences by which each kind of event is told.

Texts hold column names, rule names and counts. Values of the data, also those in errors, are left out: they may be
personal, and a notification leaves the platform.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.errors import SerialisedError
from assay.notifications.notification import Notification, NotificationKind

_MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class EndedRun:
    """The run that an event happened in.

    Attributes:
        run_id: identity.
        job: name of its job.
        pipeline: whose assets it made; the job's name where it made none.
        partition: key or keys; empty without partitions.
        page: address of its page in the user interface.
    """

    run_id: str
    job: str
    pipeline: str
    partition: str
    page: str

    @property
    def subject(self) -> str:
        """Pipeline and partition as people read them."""
        return f"{self.pipeline} {self.partition}".strip()


@dataclass(frozen=True, slots=True)
class FailedRule:
    """A blocking rule of the gate that data did not pass.

    Attributes:
        name: of the rule.
        rows: how many rows fail; none for a rule on the table as a whole.
    """

    name: str
    rows: int | None = None


def gate_refused(run: EndedRun, rules: Sequence[FailedRule], report: str, page: str) -> Notification:
    """Tell that the gate refused data, and by which rules.

    Args:
        run: whose data it was.
        rules: that failed and block.
        report: address of the report's JSON; empty if it is not known.
        page: address of a failed check's page.
    """
    told = [f"{rule.name}: {_rows(rule.rows)}" for rule in rules]
    addresses = [f"report: {report}"] if report else []
    lines = (*told[:_MAX_NAMED], *addresses, "nothing was published, and nothing learns from this data")
    return _notification(NotificationKind.GATE_REFUSED, run, f"The gate refused the data of {run.subject}", lines, page)


def run_failed(run: EndedRun, step: str, error: SerialisedError | None, *, again: bool = False) -> Notification:
    """Tell that a run failed: code, sentence, location and remedy of the error, no trace.

    Args:
        run: the run.
        step: which step failed; empty when none did.
        error: its root; none where the run ended without one, as when its process was killed.
        again: whether it is started again by itself.
    """
    at = f"step: {step}" if step else "no step failed: its process may have been ended"
    next_run = "it is started again by itself" if again else ""
    told: list[str] = []
    if error is not None:
        told = [f"[{error.label}] {error.what or 'the run has its text and trace'}"]
        told += [f"{name}: {text}" for name, text in (("where", error.where), ("remedy", error.remedy)) if text]
    return _notification(
        NotificationKind.RUN_FAILED, run, f"A run of {run.subject} failed", (*told, at, next_run), run.page
    )


def promoted(run: EndedRun, version: str, previous: str, reason: str, page: str) -> Notification:
    """Tell that a model took the champion's place.

    Args:
        run: that trained it.
        version: in the registry.
        previous: version of the champion before.
        reason: of the decision.
        page: address of the asset's page.
    """
    lines = (reason, f"champion before: {previous}")
    return _notification(
        NotificationKind.PROMOTION, run, f"{run.subject}: version {version} is the champion now", lines, page
    )


def rolled_back(run: EndedRun, version: str, previous: str, reason: str, page: str) -> Notification:
    """Tell that a former champion is in force again.

    Args:
        run: that brought it back.
        version: in the registry.
        previous: version that it replaced.
        reason: as the person gave it.
        page: address of the asset's page.
    """
    lines = (f"it replaced version {previous}", f"reason: {reason}" if reason else "")
    return _notification(
        NotificationKind.ROLLBACK, run, f"{run.subject}: rolled back to version {version}", lines, page
    )


def alarmed(run: EndedRun, kind: NotificationKind, finding: str, page: str) -> Notification:
    """Tell that monitoring found drift or a loss of performance.

    Args:
        run: that looked.
        kind: `drift` or `performance`.
        finding: the check's sentence.
        page: address of the asset's page.
    """
    what = "features have drifted" if kind is NotificationKind.DRIFT else "the champion has lost performance"
    return _notification(kind, run, f"{run.subject}: {what}", (finding,), page)


def trial(page: str, moment: str) -> Notification:
    """Return the notification by which a person sees whether the settings work.

    Args:
        page: the user interface.
        moment: when it was asked for, so that two trials are two events.
    """
    lines = ("a trial of the notification settings; nothing happened",)
    return Notification(
        NotificationKind.TEST, f"test:{moment}", "", "", "Notifications of Assay arrive here", lines, page
    )


def _notification(kind: NotificationKind, run: EndedRun, title: str, lines: tuple[str, ...], link: str) -> Notification:
    event = f"{kind}:{run.run_id}:{run.subject}"
    return Notification(kind, event, run.pipeline, run.partition, title, lines, link)


def _rows(rows: int | None) -> str:
    if not rows:
        return "the table as a whole"
    return "1 row" if rows == 1 else f"{rows:,} rows"
