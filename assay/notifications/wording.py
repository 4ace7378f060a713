"""The texts of each kind of notification.

Texts hold column names, rule names and counts. Values of the data, also those in errors, are left out: they may be
personal, and a notification leaves the platform.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.counting import counted
from assay.errors import SerialisedError
from assay.notifications.notification import Notification, NotificationKind

_MAX_RULES = 10


@dataclass(frozen=True, slots=True)
class EndedRun:
    """The run of an event.

    Attributes:
        pipeline: whose assets it made; the job's name if it made none.
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
        """Pipeline and partition."""
        return f"{self.pipeline} {self.partition}".strip()


@dataclass(frozen=True, slots=True)
class FailedRule:
    """A blocking rule of the gate that failed.

    Attributes:
        rows: failing rows; None for a rule on the whole table.
    """

    name: str
    rows: int | None = None


def gate_refused(run: EndedRun, rules: Sequence[FailedRule], report: str, page: str) -> Notification:
    """Report that the gate refused data; `report` is the address of its JSON, empty if unknown."""
    failed = [f"{rule.name}: {_rows(rule.rows)}" for rule in rules]
    addresses = [f"report: {report}"] if report else []
    more = [f"and {counted(left, 'more rule')}"] if (left := len(failed) - _MAX_RULES) > 0 else []
    lines = (*failed[:_MAX_RULES], *more, *addresses, "nothing was published, and nothing learns from this data")
    return _notification(NotificationKind.GATE_REFUSED, run, f"The gate refused the data of {run.subject}", lines, page)


def run_failed(run: EndedRun, step: str, error: SerialisedError | None, *, again: bool = False) -> Notification:
    """Report a failed run: code, sentence, location and remedy of the error, no trace.

    The error is the root cause; None where the run left none, for example because its process was killed. The step is
    empty if none failed.
    """
    lines: list[str] = []
    if error is not None:
        lines = [f"[{error.label}] {error.what or 'see the run for its text and trace'}"]
        lines += [f"{name}: {text}" for name, text in (("where", error.where), ("remedy", error.remedy)) if text]
    lines.append(f"step: {step}" if step else "no step failed: the process may have been killed")
    lines += ["it will be retried"] * again
    return _notification(NotificationKind.RUN_FAILED, run, f"A run of {run.subject} failed", tuple(lines), run.page)


def promoted(run: EndedRun, version: str, previous: str, reason: str, page: str) -> Notification:
    """Report a new champion; versions are those of the registry."""
    title = f"{run.subject}: version {version} is the champion now"
    return _notification(NotificationKind.PROMOTION, run, title, (reason, f"champion before: {previous}"), page)


def rolled_back(run: EndedRun, version: str, previous: str, reason: str, page: str) -> Notification:
    """Report that an earlier champion is the current one again."""
    lines = (f"it replaced version {previous}", f"reason: {reason}" if reason else "")
    title = f"{run.subject}: rolled back to version {version}"
    return _notification(NotificationKind.ROLLBACK, run, title, lines, page)


def withdrawn(run: EndedRun, version: str, previous: str, reason: str, page: str) -> Notification:  # noqa: ARG001 - as `rolled_back`
    """Report that there is no champion any more."""
    lines = (f"champion before: {previous}", f"reason: {reason}" if reason else "")
    return _notification(NotificationKind.ROLLBACK, run, f"{run.subject}: the champion was withdrawn", lines, page)


def approved(run: EndedRun, version: str, previous: str, reason: str, page: str) -> Notification:
    """Report that a person made a version champion that had waited for it."""
    lines = (f"champion before: {previous}", f"reason: {reason}" if reason else "")
    title = f"{run.subject}: version {version} was approved and is the champion now"
    return _notification(NotificationKind.PROMOTION, run, title, lines, page)


def approval_asked(run: EndedRun, version: str, proposed: str, reason: str, page: str) -> Notification:
    """Report that a version waits for a person, with the commands that decide."""
    title = f"{run.subject}: version {proposed} waits for approval"
    commands = (f"assay approve {run.pipeline} {proposed}", f"assay reject {run.pipeline} {proposed}")
    lines = (reason, f"champion: {version}", *commands, "or champion_approval_job in the user interface")
    return _notification(NotificationKind.APPROVAL, run, title, lines, page)


def rollback_proposed(run: EndedRun, version: str, former: str, reason: str, page: str) -> Notification:
    """Report that the champion is worse than the one before it, with the command that rolls back."""
    title = f"{run.subject}: version {version} is worse than version {former} before it"
    lines = (reason, f"assay rollback {run.pipeline} --to {former}", "or champion_rollback_job in the user interface")
    return _notification(NotificationKind.APPROVAL, run, title, lines, page)


_ALARMS = {
    NotificationKind.DRIFT: "rows or predictions have drifted",
    NotificationKind.PERFORMANCE: "the champion is degraded",
    NotificationKind.BELOW_MINIMUM: "the model misses a minimum, also after a longer search",
}


def alarmed(run: EndedRun, kind: NotificationKind, finding: str, page: str) -> Notification:
    """Report the start of a monitoring alarm; `finding` is the check's sentence."""
    return _notification(kind, run, f"{run.subject}: {_ALARMS[kind]}", (finding,), page)


def channel_test(page: str, moment: str) -> Notification:
    """Return a notification that tests the settings; by their `moment` two tests are two events."""
    title, lines = "Notifications of Assay arrive here", ("a test of the notification settings; nothing happened",)
    return Notification(NotificationKind.TEST, f"test:{moment}", "", "", title, lines, page)


def _notification(kind: NotificationKind, run: EndedRun, title: str, lines: tuple[str, ...], link: str) -> Notification:
    event = f"{kind}:{run.run_id}:{run.subject}"
    return Notification(kind, event, run.pipeline, run.partition, title, lines, link)


def _rows(rows: int | None) -> str:
    if not rows:
        return "the whole table"
    return counted(rows, "row")
