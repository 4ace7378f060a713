"""What follows from a verdict on live predictions: a promotion, a roll-back, or a request for approval.

Each appends one entry to the journal, as promotions of `champion_model` and people's commands do, after the version's
files were verified and it has repeated its golden predictions.
"""

from typing import TYPE_CHECKING

from assay.errors import AssayError
from assay.live.comparison import LiveComparison
from assay.live.decision import problem_of
from assay.promotion.champion import ChampionChange, ChampionEntry
from assay.promotion.decision import PromotionDecision
from assay.promotion.people import with_people
from assay.specs import PipelineSpec
from resources.mlflow.people import Request, roll_back
from resources.mlflow.registry import MlflowModelRegistry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def follow_verdict(
    registry: MlflowModelRegistry,
    found: LiveComparison,
    decision: PromotionDecision,
    spec: PipelineSpec,
    request: Request,
) -> ChampionChange:
    """Do what `serving.on_verdict` says of a challenger that is better.

    Args:
        registry: of models.
        found: the comparison; its verdict is `challenger_better`.
        decision: what follows from it, before people and the version's files have a say.
        spec: the pipeline.
        request: who asks.

    Returns:
        What happened; `kept_champion` with the reason where the challenger may not replace the champion.

    Raises:
        ChampionChangedError: the champion changed meanwhile.
        StorageError: the artifact store, which holds the journal, failed.
        TrackingError: MLflow failed.
    """
    name = spec.registered_name
    champion, version = registry.champion(name), registry.versions(name).version(found.challenger_version)
    if champion is None or champion.version != found.champion_version:
        now = f"version {champion.version}" if champion else "no champion"
        return kept(found, name, f"the champion is {now} by now")
    if version is None:
        return kept(found, name, f"the registry has no version {found.challenger_version} any more")
    entry = _entry(registry, version, champion, request)
    if why := _problem(registry, version, entry, spec):
        decision = decision.kept(why)
    decision = with_people(decision, entry.digest, registry.history(name), spec)
    on_verdict = spec.serving.on_verdict if spec.serving is not None else "report"
    if on_verdict == "roll_back":
        return _rolled_back(registry, found, decision, entry, request)
    if on_verdict == "request_approval":
        decision = decision.held("serving.on_verdict is request_approval")
    return _applied(registry, entry, champion, decision)


def kept(found: LiveComparison, name: str, why: str) -> ChampionChange:
    """Return that the champion stays."""
    return ChampionChange(
        registered_name=name,
        outcome="kept_champion",
        version=found.champion_version,
        previous_version=None,
        reason=f"Not promoted: {why}. {found.reason}.",
    )


def _problem(registry: MlflowModelRegistry, version: "ModelVersion", entry: ChampionEntry, spec: PipelineSpec) -> str:
    """Return why a version may not become champion; empty where it may."""
    if not entry.digest:
        return "the version was not logged by Assay, so its files cannot be verified"
    try:
        return problem_of(registry.loaded(version, entry), spec, f"version {version.version}")
    except AssayError as error:
        return f"{error.what} ({error.code})"


def _entry(
    registry: MlflowModelRegistry, version: "ModelVersion", champion: ChampionEntry, request: Request
) -> ChampionEntry:
    """Return the entry of a promotion, by what journal and registry know of the version."""
    before = registry.history(version.name).entry_of(str(version.version))
    return registry.entry_of(version, "adopted").model_copy(
        update={
            **(before.model_dump(include={"digest", "files_digest", "value_at_promotion"}) if before else {}),
            "event": "promoted",
            "replaced": champion.version,
            "against": champion.number,
            "pipeline": request.pipeline,
            **request.facts,
        }
    )


def _applied(
    registry: MlflowModelRegistry, entry: ChampionEntry, champion: ChampionEntry, decision: PromotionDecision
) -> ChampionChange:
    """Append the entry of a promotion or of a request for approval; nothing where the champion stays."""
    journal = registry.journal(entry.registered_name)
    entry = entry.model_copy(update={"decision": decision, "reason": decision.reason})
    if decision.promotes:
        journal.append(entry, expected=champion)
        registry.versions(entry.registered_name).follow(journal)
    elif decision.needs_approval and _is_new(registry, entry):
        journal.append(entry.model_copy(update={"event": "awaiting_approval"}), expected=champion)
    return ChampionChange(
        registered_name=entry.registered_name,
        outcome=decision.verdict,
        version=entry.version if decision.promotes else champion.version,
        previous_version=champion.version if decision.promotes else None,
        proposed_version=entry.version if decision.needs_approval else None,
        reason=decision.reason,
    )


def _is_new(registry: MlflowModelRegistry, entry: ChampionEntry) -> bool:
    """Return whether the version does not wait for the same decision already."""
    waiting = registry.journal(entry.registered_name).history().waiting.get(entry.version)
    return waiting is None or waiting.against != entry.against


def _rolled_back(
    registry: MlflowModelRegistry,
    found: LiveComparison,
    decision: PromotionDecision,
    entry: ChampionEntry,
    request: Request,
) -> ChampionChange:
    """Roll back to the challenger, where it was champion before; a person may have to approve that, too."""
    name = entry.registered_name
    if not decision.promotes:
        return kept(found, name, decision.reason)
    if found.challenger_version not in registry.history(name).line:
        return kept(found, name, "the challenger was not champion before, so on_verdict: roll_back does not apply")
    roll_back(registry, name, found.challenger_version, request)
    return ChampionChange(
        registered_name=name,
        outcome="rolled_back",
        version=found.challenger_version,
        previous_version=found.champion_version,
        reason=decision.reason,
    )
