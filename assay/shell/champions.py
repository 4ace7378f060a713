"""`assay champion`, `rollback`, `approve` and `reject`: who is champion of a deployment's pipeline, and people's part.

The deployment's stores are reached through the port `Champions`, which the platform offers under the entry points
`assay.champions`.
"""

import datetime as dt
import logging
import sys
from typing import Protocol

from assay.errors import SpecError, TrackingError
from assay.promotion.champion import ChampionEntry
from assay.promotion.history import ChampionHistory
from assay.promotion.people import commands_for
from assay.shell.flags import Flags
from assay.shell.storage import adapter

_LOG = logging.getLogger("assay.shell")
GROUP = "assay.champions"


class Champions(Protocol):
    """The champions of a deployment."""

    def history(self, pipeline: str) -> ChampionHistory:
        """Return the champion journal of a pipeline, or of a registered model.

        Raises:
            SpecError: there is no such pipeline.
            StorageError: the store does not answer.
        """

    def roll_back(self, pipeline: str, version: str | None, reason: str) -> ChampionEntry:
        """Make an earlier version champion, or else the champion before the current one; return the journal's entry.

        Raises:
            TrackingError: there is nothing to roll back to, or the champion changed meanwhile.
        """

    def approve(self, pipeline: str, version: str, reason: str) -> ChampionEntry:
        """Make a version that waits champion; return the journal's entry.

        Raises:
            TrackingError: it does not wait, or was compared with an earlier champion.
        """

    def reject(self, pipeline: str, version: str, reason: str) -> ChampionEntry:
        """Keep the champion, and propose the version's model no more; return the journal's entry.

        Raises:
            TrackingError: it does not wait.
        """


def show(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Print the journal to standard error, and return the address of the champion, of now or of a time."""
    moment = _moment(flags.at) if flags.at else None
    history = _champions().history(flags.name)
    if moment is not None:
        history = ChampionHistory.of(entry for entry in history.entries if entry.created_at <= moment)
    for entry in history.entries:
        sys.stderr.write(f"{line_of(entry)}\n")
    if history.champion is None:
        _LOG.info("%s has no champion%s", flags.name, f" at {moment:%Y-%m-%d %H:%M} UTC" if moment else "")
    if moment is None:
        for version in history.waiting:
            _LOG.info("version %s waits: %s", version, commands_for(flags.name, version))
    return True, _address(history.champion)


def rollback(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Roll back, and return the address of the champion."""
    entry = _champions().roll_back(flags.name, flags.to, flags.reason or "")
    _LOG.info("%s", line_of(entry))
    return True, _address(entry)


def approve(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Approve a version, and return the address of the champion."""
    entry = _champions().approve(flags.name, flags.version, flags.reason or "")
    _LOG.info("%s", line_of(entry))
    return True, _address(entry)


def reject(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Reject a version, and return the address of the champion that stays; empty without one."""
    champions = _champions()
    entry = champions.reject(flags.name, flags.version, flags.reason or "")
    _LOG.info("%s", line_of(entry))
    return True, _address(champions.history(flags.name).champion)


def line_of(entry: ChampionEntry) -> str:
    """Return one line about an entry of the journal: number, time, what happened to which version, who, why."""
    before = f" after version {entry.replaced}" if entry.replaced not in {None, entry.version} else ""
    who = entry.by or (f"run {entry.run_id[:8]}" if entry.run_id else "")
    words = f"{entry.number:4d}  {entry.created_at:%Y-%m-%d %H:%M}  {entry.event.replace('_', ' '):17}"
    words += f"  version {entry.version}{before}"
    # people and other programs wrote these texts: they must not forge lines
    return "  ".join(filter(None, (words, _plain(who), _plain(entry.reason))))


def _plain(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _address(entry: ChampionEntry | None) -> str:
    return f"models:/{entry.registered_name}/{entry.version}" if entry else ""


def _champions() -> Champions:
    what, where = "the champions of a deployment cannot be reached here", "the deployment's settings"
    make = adapter(GROUP, "deployment", error=TrackingError, what=what, where=where)
    made: Champions = make()
    return made


def _moment(text: str) -> dt.datetime:
    """Return a time, of a day its end; UTC unless it says otherwise."""
    try:
        moment = dt.datetime.fromisoformat(text)
        if len(text) <= len("2024-01-31"):
            moment += dt.timedelta(days=1, microseconds=-1)
    except (ValueError, OverflowError) as error:
        raise SpecError(
            "this is no date", where="--at", found=repr(text), expected="such as 2024-01-31, or 2024-01-31T12:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
