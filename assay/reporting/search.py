"""What a search tried: the leaderboard of families, its history, and which parameters mattered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.counting import counted
from assay.learning.tuning.samplers import quiet_optuna
from assay.reporting.model_report import LeaderboardRow, ParameterImportance, SearchHistory, TrialPoint
from assay.reporting.rivals import Rival, best_trials
from assay.results.search_result import BestHyperparameters, TrialRecord

_FEWEST_TRIALS = 8
_MOST_TRIALS = 500
"""Of one family, for the importance of its parameters; the first ones of more."""
_SHOWN = 6
_LONGEST_NOTE = 200
_WITHOUT_SCORE = {"failed": "failed", "stopped": "stopped", "too_slow": "too slow"}


def leaderboard(
    best: BestHyperparameters, candidates: Sequence[str], chosen: LeaderboardRow, rivals: Mapping[str, Rival]
) -> list[LeaderboardRow]:
    """Return the families, best validation score first; those without a score last, with the reason.

    Args:
        best: the search.
        candidates: of the pipeline.
        chosen: the model of the report, with what was measured of it.
        rivals: what was measured of other families, by name.
    """
    members, firsts = {row["family"] for row in best.members()}, best_trials(best)
    families = dict.fromkeys([*candidates, *(trial.family for trial in best.trials)])
    rows = [
        _row(name, best, firsts.get(name), rivals.get(name, Rival()), part_of=chosen.family if name in members else "")
        for name in families
    ]
    rows = [_with_measured(row, chosen) if row.family == chosen.family else row for row in rows]
    if chosen.family not in families:  # an average of families
        rows.append(chosen.model_copy(update={"validation": best.value}))
    sign = -1 if best.direction == "maximize" else 1
    return sorted(rows, key=lambda row: (row.validation is None, sign * (row.validation or 0.0)))


def _row(
    name: str, best: BestHyperparameters, first: TrialRecord | None, rival: Rival, *, part_of: str
) -> LeaderboardRow:
    trials = [trial for trial in best.trials if trial.family == name]
    of_search = first.latency_ms if first else None  # milliseconds of 1,000 rows
    return LeaderboardRow(
        family=name,
        chosen=bool(part_of),
        validation=first.value if first else None,
        holdout=rival.holdout,
        trials=len(trials),
        trial_seconds=first.seconds if first else None,
        seconds=rival.seconds,
        microseconds=of_search if rival.microseconds is None else rival.microseconds,
        megabytes=rival.megabytes,
        note="; ".join(filter(None, (_note(trials, best, part_of), rival.reason))),
    )


def _with_measured(row: LeaderboardRow, chosen: LeaderboardRow) -> LeaderboardRow:
    measured = {"is_model", "chosen", "holdout", "seconds", "microseconds", "megabytes"}
    return row.model_copy(update=chosen.model_dump(include=measured))


def _note(trials: Sequence[TrialRecord], best: BestHyperparameters, part_of: str) -> str:
    words = [f"part of the {part_of}"] if part_of else []
    if best.tie is not None and trials and trials[0].family == best.tie.family:
        words.append(best.tie_text)
    if not trials:
        words.append("not tried" if best.searched else "not searched")
    for state, said in _WITHOUT_SCORE.items():
        if of_state := [trial for trial in trials if trial.state == state]:
            reason = f": {of_state[-1].reason[:_LONGEST_NOTE]}" if of_state[-1].reason else ""
            words.append(f"{len(of_state)} of {counted(len(trials), 'trial')} {said}{reason}")
    return "; ".join(words)


def history_of(best: BestHyperparameters, candidates: Sequence[str], seed: int) -> SearchHistory:
    """Return the trials in order, and the importance of the parameters of each family."""
    points = tuple(
        TrialPoint(number=trial.number, family=trial.family, state=trial.state, value=trial.value)
        for trial in best.trials
    )
    return SearchHistory(
        metric=best.metric,
        greater_is_better=best.direction == "maximize",
        best=best.value,
        stopped_by=best.stopped_by,
        caution=best.caution(candidates),
        trials=points,
        parameters=tuple(_importances(best, seed)),
    )


def _importances(best: BestHyperparameters, seed: int) -> Iterator[ParameterImportance]:
    for family in dict.fromkeys(trial.family for trial in best.trials):
        trials = [each for each in best.trials if each.family == family and each.state == "complete"]
        valued = [(each.parameters, each.value) for each in trials if each.value is not None][:_MOST_TRIALS]
        if len(valued) < _FEWEST_TRIALS or len({value for _, value in valued}) == 1:
            continue
        if shares := _shares(valued, seed):
            yield ParameterImportance(family=family, trials=len(valued), shares=shares)


def _shares(valued: Sequence[tuple[dict[str, Any], float]], seed: int) -> dict[str, float]:
    """Return the largest shares by Optuna's fANOVA (Hutter, Hoos and Leyton-Brown 2014), of parameters that varied."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.study import create_study
    from optuna.trial import create_trial

    names = set.intersection(*(set(parameters) for parameters, _ in valued))
    distributions = {
        name: found
        for name in sorted(names)
        if (found := _distribution([parameters[name] for parameters, _ in valued])) is not None
    }
    if not distributions:
        return {}
    with quiet_optuna():
        study = create_study()
        for parameters, value in valued:
            given = {name: _hashable(parameters[name]) for name in distributions}
            study.add_trial(create_trial(params=given, distributions=distributions, value=value))
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
    return {name: float(share) for name, share in list(found.items())[:_SHOWN]}


def _distribution(values: Sequence[Any]) -> Any:
    """Return a distribution that holds the values; None where there is one value."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    written = [_hashable(value) for value in values]
    if len(set(map(repr, written))) == 1:
        return None
    if all(type(value) is int for value in written):
        return IntDistribution(min(written), max(written))
    if all(type(value) in {int, float} for value in written):
        return FloatDistribution(float(min(written)), float(max(written)))
    return CategoricalDistribution(list(dict.fromkeys(written)))


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)
