"""The verdict on two versions that were served side by side, which may be asked for every day."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.live.joining import LabelledLog
from assay.live.logged import logged_predictions, typed_truth, units_of_log
from assay.live.losses import LossName, is_mean, loss_for, losses
from assay.live.sequences import FEWEST_UNITS, of_pairs, of_two_arms, sums_of_units
from assay.live.sequences import Sequence as ConfidenceSequence
from assay.serving.arms import Arm
from assay.serving.prediction_log import ARM, EXPERIMENT, REQUEST_ID, ROW, SHADOW, TIME, VERSION
from assay.serving.sample_ratio import mismatches, sample_ratios
from assay.specs.base import Spec
from assay.specs.labels import LabelsSpec
from assay.specs.pipeline import PipelineSpec

LiveVerdict: TypeAlias = Literal["challenger_better", "challenger_worse", "undecided", "too_few"]
"""`too_few`: there are not enough labelled units for an interval yet."""


class Look(Spec):
    """What was known at the end of one day."""

    day: str
    """In UTC: on this day the last of the rows began to count."""
    champion_rows: int
    challenger_rows: int
    gain: float
    """Mean loss of the champion less that of the challenger, in the loss's unit; positive: the challenger is better."""
    lower: float | None = None
    """Ends of the confidence sequence; missing while there are too few units."""
    upper: float | None = None


class LiveComparison(Spec):
    """Champion and challenger of one experiment, by the labels of what both predicted."""

    experiment: str
    champion_version: str
    challenger_version: str
    design: Literal["arms", "shadow"]
    """`arms`: each key has one of the versions; `shadow`: both predicted each row, which is compared in pairs."""
    unit: Literal["key", "request"]
    """What is independent: rows of one key, or of one request, are not."""
    loss: LossName
    metric: str
    """The primary metric that the loss stands for."""
    metric_is_mean: bool
    """Whether the metric is the mean of this very loss."""
    confidence: float
    champion_units: int
    challenger_units: int
    missing_share: float = 0.0
    """Share of the experiment's answers older than the delay that lack a label; those that come may be others."""
    unfair: str = ""
    """Why the arms cannot be compared: they did not get the shares of the keys that were declared. Empty otherwise."""
    looks: tuple[Look, ...] = ()
    verdict: LiveVerdict
    decided_on: str = ""
    """The first day of those up to the newest on which the verdict was the same; empty while there is no verdict."""
    reason: str
    """One sentence for people."""

    @property
    def is_decided(self) -> bool:
        """Whether one of the versions is better."""
        return self.verdict in {"challenger_better", "challenger_worse"}


class _Side(NamedTuple):
    loss: np.ndarray
    unit: np.ndarray
    look: np.ndarray


def current_experiment(log: pa.Table) -> str:
    """Return the experiment of the newest row that belongs to one; empty without one."""
    rows = log.filter(pc.not_equal(log.column(EXPERIMENT), ""))
    if not rows.num_rows:
        return ""
    newest = int(np.argmax(rows.column(TIME).to_numpy()))
    return str(rows.column(EXPERIMENT)[newest].as_py())


def compare_live(
    labelled: LabelledLog, experiment: str, classes: Sequence[Any], labels: LabelsSpec, spec: PipelineSpec, primary: str
) -> LiveComparison:
    """Compare the two versions of an experiment by the mean loss of their labelled rows, at the end of each day.

    The confidence sequence covers the true difference at all days at once, so that the verdict may be followed on the
    first day on which it is given. See `assay.live.sequences` for the method and its sources.

    Args:
        labelled: rows that count.
        experiment: whose rows are compared.
        classes: of the models; empty for a regression.
        labels: confidence and loss.
        spec: the pipeline.
        primary: name of the primary metric.
    """
    rows = labelled.where(labelled.log.column(EXPERIMENT).to_numpy(zero_copy_only=False) == experiment)
    predictions = logged_predictions(rows.log, classes, spec)
    loss_name = loss_for(labels, spec.task, primary, probabilities=predictions.probabilities is not None)
    loss = losses(loss_name, typed_truth(rows.truth, classes, spec), predictions)
    days, look = np.unique(rows.counted_at.astype("datetime64[D]"), return_inverse=True)
    all_rows = _Side(loss - (loss.mean() if len(loss) else 0.0), units_of_log(rows.log), look)
    challenger = rows.log.column(ARM).to_numpy(zero_copy_only=False) == Arm.CHALLENGER.value
    shadow = bool((rows.log.column(SHADOW).to_numpy(zero_copy_only=False) & challenger).any())
    versions = _versions(rows.log, experiment)
    champion_side, challenger_side = (
        _paired(rows.log, all_rows, challenger) if shadow else (_of(all_rows, ~challenger), _of(all_rows, challenger))
    )
    sequence = _sequence(champion_side, challenger_side, len(days), labels.confidence, shadow=shadow)
    looks = _looks(sequence, (champion_side, challenger_side), [str(day) for day in days])
    verdict, decided_on = _verdict(looks)
    made = LiveComparison(
        experiment=experiment,
        champion_version=versions[0],
        challenger_version=versions[1],
        design="shadow" if shadow else "arms",
        unit="key" if spec.serving is not None and spec.serving.key else "request",
        loss=loss_name,
        metric=primary,
        metric_is_mean=is_mean(primary),
        confidence=labels.confidence,
        champion_units=len(np.unique(champion_side.unit)),
        challenger_units=len(np.unique(challenger_side.unit)),
        missing_share=_missing_share(rows, labelled.missing.get(experiment, 0)),
        looks=looks,
        verdict=verdict,
        decided_on=decided_on,
        reason="",
    )
    return made.model_copy(update={"reason": _in_words(made)})


def unfairness_of(log: pa.Table, experiment: str) -> str:
    """Return why the arms of an experiment cannot be compared, by the keys of all its answers; empty where they can."""
    wrong = mismatches(sample_ratios(log.filter(pc.equal(log.column(EXPERIMENT), experiment))))
    return "; ".join(
        f"the challenger got {each.found:.4g} of {each.keys:,} keys, {each.share:g} declared "
        f"(p = {each.probability:.2g})"
        for each in wrong
    )


def _missing_share(rows: LabelledLog, missing: int) -> float:
    answered = int((~rows.log.column(SHADOW).to_numpy(zero_copy_only=False)).sum())
    return missing / (missing + answered) if missing else 0.0


def _versions(log: pa.Table, experiment: str) -> tuple[str, str]:
    """Return the versions of the two arms; by the experiment's name where an arm has no labelled row."""
    named = [*experiment.split(":"), "", ""]
    found = {
        row[ARM]: row[VERSION] for row in log.select([ARM, VERSION]).group_by([ARM, VERSION]).aggregate([]).to_pylist()
    }
    return found.get(Arm.CHAMPION, named[0]), found.get(Arm.CHALLENGER, named[1])


def _of(side: _Side, mask: np.ndarray) -> _Side:
    return _Side(side.loss[mask], side.unit[mask], side.look[mask])


def _paired(log: pa.Table, rows: _Side, challenger: np.ndarray) -> tuple[_Side, _Side]:
    """Return the rows that both versions predicted, in one order."""
    import pandas as pd

    names = pd.MultiIndex.from_arrays([log.column(REQUEST_ID).to_pandas(), log.column(ROW).to_pandas()])
    of_champion, of_challenger = np.flatnonzero(~challenger), np.flatnonzero(challenger)
    place = names[of_champion].get_indexer(names[of_challenger])
    both = place >= 0
    first, second = of_champion[place[both]], of_challenger[both]
    counted = np.maximum(rows.look[first], rows.look[second])
    return (
        _Side(rows.loss[first], rows.unit[first], counted),
        _Side(rows.loss[second], rows.unit[first], counted),
    )


def _sequence(champion: _Side, challenger: _Side, looks: int, confidence: float, *, shadow: bool) -> ConfidenceSequence:
    if shadow:
        gains = sums_of_units(champion.loss - challenger.loss, champion.unit, champion.look, looks)
        return of_pairs(gains, confidence)
    one, other = (sums_of_units(*side, looks) for side in (champion, challenger))
    return of_two_arms(one, other, confidence)


def _looks(found: ConfidenceSequence, sides: tuple[_Side, _Side], days: Sequence[str]) -> tuple[Look, ...]:
    rows = [np.cumsum(np.bincount(side.look, minlength=len(days))) for side in sides]
    return tuple(
        Look(
            day=day,
            champion_rows=int(rows[0][at]),
            challenger_rows=int(rows[1][at]),
            gain=float(found.estimate[at]),
            lower=float(found.estimate[at] - found.radius[at]) if np.isfinite(found.radius[at]) else None,
            upper=float(found.estimate[at] + found.radius[at]) if np.isfinite(found.radius[at]) else None,
        )
        for at, day in enumerate(days)
        if rows[0][at] and rows[1][at]
    )


def verdict_at(look: Look) -> LiveVerdict:
    """Return the verdict at one look."""
    if look.lower is None or look.upper is None:
        return "too_few"
    return "challenger_better" if look.lower > 0 else "challenger_worse" if look.upper < 0 else "undecided"


def _verdict(looks: Sequence[Look]) -> tuple[LiveVerdict, str]:
    """Return the verdict of the newest look, and since when it has been the same."""
    verdict: LiveVerdict = verdict_at(looks[-1]) if looks else "too_few"
    if verdict not in {"challenger_better", "challenger_worse"}:
        return verdict, ""
    since = ""
    for look in reversed(looks):
        if verdict_at(look) != verdict:
            break
        since = look.day
    return verdict, since


def _in_words(made: LiveComparison) -> str:
    who = f"version {made.challenger_version} against {made.champion_version}"
    if made.verdict == "too_few" or not made.looks:
        units = f"{made.champion_units:,} and {made.challenger_units:,} {made.unit}s"
        return f"{who}: too few labels yet ({units}; at least {FEWEST_UNITS} of each, more where losses are skewed)"
    last = made.looks[-1]
    interval = f"{last.lower:+.4g} to {last.upper:+.4g}"
    found = {
        "challenger_better": "the challenger is better",
        "challenger_worse": "the challenger is worse",
        "undecided": "no difference is shown yet",
    }[made.verdict]
    since = f" since {made.decided_on}" if made.decided_on else ""
    lower = "lower" if last.gain >= 0 else "higher"
    return (
        f"{who}: {found}{since}; its mean {made.loss} loss is {lower} by {abs(last.gain):.4g} (gain {interval} at "
        f"{made.confidence:.0%}, whichever day it is), by {last.champion_rows:,} and {last.challenger_rows:,} rows"
    )
