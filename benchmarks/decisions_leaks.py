"""Leaks found and clean tables blocked: the gate, then a boosted model and the check of its holdout."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
from decisions_table import Section, Table, share
from leak_tables import BINARY, BUILT_WITH, MULTICLASS, REGRESSION, Case, bundled
from leak_tables_fresh import FRESH
from leak_tables_last import LAST
from leak_tables_more import MORE
from leak_tables_newest import NEWEST
from leak_tables_unseen import UNSEEN
from sklearn import datasets

from assay.data.dataset import Dataset, warnings_of
from assay.data.fingerprint import fingerprint
from assay.data.schema import infer_schema
from assay.gate.gate import run_gate
from assay.learning.evaluation.evaluating import evaluate
from assay.learning.splitting import split_window
from assay.learning.training import train
from assay.learning.tuning.search import unsearched_hyperparameters
from assay.promotion.decision import decide
from assay.specs import PipelineSpec

LEAK_RULES = frozenset(
    {"no_target_leakage", "target_not_reconstructible", "no_suspected_leakage", "rows_not_repeated", "groups_not_split"}
)
"""The sentinel's rules about leaks; the others warn of constants and identifiers, for instance."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What happens to a table.

    Attributes:
        end: "blocked" by the gate, "held" until a person approves, "warned", or "silent".
        why: what the sentinel or the check of the holdout says.
        metric: the primary metric on the holdout; None where no model was fitted.
    """

    end: str
    why: str
    metric: float | None = None


def judged(case: Case) -> Finding:
    """Return how a table fares by default settings; blocked tables are not fitted."""
    rows, spec = case.build(), _spec(case)
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False)
    dataset = Dataset(table, infer_schema(table, spec.dataset), fingerprint(table))
    verdict = run_gate(dataset, spec, where="benchmark")
    sentinel = [rule for rule in verdict.report.rules if rule.name in LEAK_RULES and not rule.passed]
    said = "; ".join(f"{rule.name}: {rule.observed}" for rule in sentinel)
    if verdict.accepted is None:
        return Finding("blocked", said)
    window = {"": verdict.accepted}
    split = split_window(window, spec)
    best = unsearched_hyperparameters(spec)
    if best is None:
        raise SystemExit("the pipeline of the benchmark does not search")
    model = train(split, best, spec)
    report = evaluate(model, split, spec, warnings=warnings_of(window))
    decision = decide(model, None, split, report, spec)
    value = report.metrics[report.primary_metric]
    if decision.needs_approval:
        return Finding("held", "; ".join(report.doubts), value)
    return Finding("warned" if said else "silent", said, value)


_METRICS = {BINARY: "roc_auc", MULTICLASS: "roc_auc_ovr", REGRESSION: "r2"}


def _spec(case: Case) -> PipelineSpec:
    document = {
        "name": "table",
        "task": case.task,
        "dataset": {"source": "rows.csv", "target": case.target, "columns": case.columns},
        "split": {"by": "random", "test_size": 0.25},
        "model": {"candidates": ["hist_gradient_boosting"]},
        "tuning": {"enabled": False},
        "evaluation": {"primary_metric": _METRICS[case.task], "must_beat_baseline": False},
        "promotion": {"minimum_effect": 0},
        "training": {"threads": 1},
    }
    return PipelineSpec.model_validate_json(json.dumps(document))


def _drawn(maker: str, **options: Any) -> pd.DataFrame:
    features, target = getattr(datasets, f"make_{maker}")(random_state=5, **options)
    return pd.DataFrame(features).add_prefix("x").assign(y=target)


CLEAN: dict[str, Case] = {
    "iris": Case(MULTICLASS, lambda: bundled("iris")),
    "wine": Case(MULTICLASS, lambda: bundled("wine")),
    "breast cancer": Case(BINARY, lambda: bundled("breast_cancer")),
    "digits": Case(MULTICLASS, lambda: bundled("digits")),
    "diabetes": Case(REGRESSION, lambda: bundled("diabetes")),
    "alcohol": Case(REGRESSION, lambda: bundled("wine").drop(columns="y").rename(columns={"alcohol": "y"})),
    "texture": Case(REGRESSION, lambda: bundled("breast_cancer").rename(columns={"y": "k", "mean texture": "y"})),
    "petal": Case(REGRESSION, lambda: bundled("iris").rename(columns={"y": "kind", "petal width (cm)": "y"})),
    "classes": Case(BINARY, lambda: _drawn("classification", n_samples=3000, class_sep=1.5)),
    "rare class": Case(BINARY, lambda: _drawn("classification", n_samples=8000, weights=[0.95])),
    "four classes": Case(MULTICLASS, lambda: _drawn("classification", n_samples=3000, n_classes=4, n_informative=6)),
    "linear": Case(REGRESSION, lambda: _drawn("regression", n_samples=2000, n_features=30, noise=5)),
    "linear, exact": Case(REGRESSION, lambda: _drawn("regression", n_samples=1000)),
    "Friedman 1": Case(REGRESSION, lambda: _drawn("friedman1", n_samples=2000, noise=0.5)),
    "Friedman 2": Case(REGRESSION, lambda: _drawn("friedman2", n_samples=2000)),
    "Friedman 3": Case(REGRESSION, lambda: _drawn("friedman3", n_samples=2000)),
    "moons": Case(BINARY, lambda: _drawn("moons", n_samples=2000, noise=0.1)),
    "circles": Case(BINARY, lambda: _drawn("circles", n_samples=2000, noise=0.05, factor=0.5)),
    "blobs": Case(MULTICLASS, lambda: _drawn("blobs", n_samples=2000, centers=3, n_features=5)),
    "quantiles": Case(MULTICLASS, lambda: _drawn("gaussian_quantiles", n_samples=2000, n_features=4)),
    "Hastie": Case(BINARY, lambda: _drawn("hastie_10_2", n_samples=3000)),
    "Swiss roll": Case(REGRESSION, lambda: _drawn("swiss_roll", n_samples=1500)),
}
"""Tables without a leak."""


def leaks(scale: float) -> Table:  # noqa: ARG001 - nothing is repeated
    """Return how many leaks are found, and how many clean tables are blocked or held."""
    sets = {
        "known while built": BUILT_WITH | MORE,
        "written afterwards, known by now": UNSEEN | FRESH | LAST,
        "written after the last change": NEWEST,
        "clean": CLEAN,
    }
    rows = []
    for name, cases in sets.items():
        ends = Counter(judged(case).end for case in cases.values())
        counts = (ends["blocked"], ends["held"], ends["warned"], ends["silent"])
        rows.append((name, *(share(count, len(cases)) for count in counts)))
    return Table(("tables", "blocked by the gate", "held for a person", "warned only", "silent"), rows)


SECTIONS = (Section("leaks", "Leaks found, and clean tables stopped", leaks),)
