"""What people do to the champion of a registered model: roll back, withdraw, approve, reject.

Each appends one entry to the journal, after the files of the version were verified, and lets the aliases follow.
"""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from assay.errors import ChampionChangedError, DigestMismatchError, TrackingError
from assay.promotion.champion import ChampionEntry
from assay.promotion.history import ChampionHistory
from assay.promotion.people import rollback_command
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.versions import CHAMPION

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, and why.

    Attributes:
        by: the person; empty where a run asks.
        reason: one sentence.
        run_id: of Dagster; empty for a command of the shell.
        pipeline: whose champion it is about.
    """

    by: str = ""
    reason: str = ""
    run_id: str = ""
    pipeline: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """What an entry records of it."""
        return {"by": self.by, "reason": self.reason, "run_id": self.run_id, "created_at": dt.datetime.now(dt.UTC)}


def roll_back(registry: MlflowModelRegistry, name: str, version: str | None, request: Request) -> ChampionEntry:
    """Make an earlier version champion again, or else the champion before the current one.

    The models of the versions after it are not promoted again unless a person asks.

    Returns:
        The journal's new entry; a version that was taken back can be brought back in the same way.

    Raises:
        TrackingError: there is no earlier champion, no such version, or it is the champion already.
        ChampionChangedError: the champion changed meanwhile.
        DigestMismatchError: the version's files are not those that were registered.
    """
    history, journal = registry.history(name), registry.journal(name)
    champion, change = history.champion, journal.change()
    wanted = version or history.former
    found = registry.versions(name).version(wanted) if wanted else None
    if not history.entries or found is None or (champion and champion.version == str(found.version)):
        raise _nothing_to_go_back_to(name, champion, wanted)
    earlier, entry = history.entry_of(str(found.version)), registry.entry_of(found, "rolled_back")
    entry = entry.model_copy(
        update={
            **(earlier.model_dump(include={"digest", "files_digest", "value_at_promotion"}) if earlier else {}),
            "replaced": change.version if change else None,
            "against": champion.number if champion else 0,
            "taken_back": history.later_than(entry.version),
            "pipeline": request.pipeline or (change.pipeline if change else ""),
            **request.facts,
        }
    )
    registry.loaded(found, entry)
    entry = journal.append(entry, expected=champion)
    registry.versions(name).follow(journal)
    return entry


def withdraw(registry: MlflowModelRegistry, name: str, request: Request) -> ChampionEntry:
    """Go on without a champion: the next model is promoted without a comparison.

    It works where the champion's version or files are gone or are not Assay's. Where they can be read, its model is not
    promoted again unless a person asks.

    Raises:
        TrackingError: there is no champion, or MLflow failed.
        ChampionChangedError: the champion changed meanwhile.
    """
    journal, versions = registry.journal(name), registry.versions(name)
    former = journal.change()
    alias = versions.by_alias(CHAMPION) if journal.is_empty else None
    version = former.version if former else str(alias.version) if alias else None
    if version is None or (former and not former.names_champion):
        raise TrackingError(
            "there is no champion to withdraw",
            where=f"registered model {name}",
            remedy="materialise champion_model, which promotes the next model",
        )
    entry = ChampionEntry(
        number=1,
        event="withdrawn",
        registered_name=name,
        version=version,
        digest=former.digest if former else "",
        files_digest=former.files_digest if former else "",
        replaced=version,
        against=former.number if former else 0,
        taken_back=(version,) if former and _can_be_loaded(registry, versions.version(version), former) else (),
        pipeline=request.pipeline,
        **request.facts,
    )
    entry = journal.append(entry, expected=former)
    versions.follow(journal)
    return entry


def approve(registry: MlflowModelRegistry, name: str, version: str, request: Request) -> ChampionEntry:
    """Make a version that waits for approval champion, after its files were verified.

    Raises:
        TrackingError: the version does not wait.
        ChampionChangedError: it was compared with a champion that is not the current one any more.
        DigestMismatchError: its files are not those that were registered.
    """
    journal, versions = registry.journal(name), registry.versions(name)
    while True:
        history = journal.history()
        waiting = _waiting(history, name, version, request.pipeline or name)
        champion = history.champion
        if waiting.against != (champion.number if champion else 0):
            raise ChampionChangedError(
                "the champion has changed since this version was compared",
                where=f"registered model {name}, version {version}",
                found=f"version {champion.version}" if champion else "no champion",
                expected=f"version {waiting.replaced}" if waiting.replaced else "no champion",
                remedy="materialise champion_model again, which compares with the current champion; or "
                f"{rollback_command(request.pipeline or name, version)}, which compares nothing",
            )
        found = versions.version(version)
        if found is None:
            _deleted(name, version)
        registry.loaded(found, waiting)
        if entry := journal.append_to(history, _decided(waiting, "approved", request)):
            break
    versions.follow(journal)
    if entry.value_at_promotion is not None:
        versions.describe(version, entry.value_at_promotion)
    return entry


def reject(registry: MlflowModelRegistry, name: str, version: str, request: Request) -> ChampionEntry:
    """Keep the champion; the model of a version that waits for approval is not proposed again.

    Raises:
        TrackingError: the version does not wait.
    """
    journal = registry.journal(name)
    while True:
        history = journal.history()
        waiting = _waiting(history, name, version, request.pipeline or name)
        if entry := journal.append_to(history, _decided(waiting, "rejected", request)):
            return entry


def _decided(waiting: ChampionEntry, event: str, request: Request) -> ChampionEntry:
    taken_back = (waiting.version,) if event == "rejected" else ()
    return waiting.model_copy(update={"event": event, "taken_back": taken_back, **request.facts})


def _waiting(history: ChampionHistory, name: str, version: str, pipeline: str) -> ChampionEntry:
    waiting = history.waiting.get(version)
    if waiting is not None:
        return waiting
    about = history.entry_of(version)
    raise TrackingError(
        "this version does not wait for approval",
        where=f"registered model {name}, version {version}",
        found=f"{about.event.replace('_', ' ')} by entry {about.number} of the journal" if about else "never proposed",
        expected=f"one of {', '.join(history.waiting)}" if history.waiting else "no version waits",
        remedy=f"{rollback_command(pipeline, version)} makes it champion without a comparison",
    )


def _can_be_loaded(registry: MlflowModelRegistry, found: "ModelVersion | None", entry: ChampionEntry) -> bool:
    if found is None:
        return False
    try:
        registry.loaded(found, entry)
    except (TrackingError, DigestMismatchError):
        return False  # that is why it is withdrawn
    return True


def _nothing_to_go_back_to(name: str, champion: ChampionEntry | None, wanted: str | None) -> TrackingError:
    return TrackingError(
        "there is nothing to roll back to",
        where=f"registered model {name}",
        found=f"champion: version {champion.version}" if champion else "no champion",
        expected=f"version {wanted}" if wanted else "an earlier champion in the journal",
        remedy="name a version of the registry that is not the champion; or start champion_rollback_job with "
        "withdraw: true, to go on without a champion",
    )


def _deleted(name: str, version: str) -> NoReturn:
    raise TrackingError(
        "the version that waits is not in the registry any more",
        where=f"registered model {name}",
        found=f"no version {version}",
        remedy="restore it in MLflow, or materialise champion_model again",
    )
