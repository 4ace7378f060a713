"""Code versions: what, beside its inputs, decides an asset's value.

Belongs here: the slice of the spec that each asset reads.
Does not belong here: data versions; those are content digests that the artifacts carry.
"""

from functools import cache
from pathlib import Path

from assay import __version__
from assay.specs import PipelineSpec
from assay.specs.base import digest_of

_SLICES: dict[str, tuple[str, ...]] = {
    "raw_dataset": ("dataset",),
    "validated_dataset": ("task", "dataset", "validation"),
    "best_hyperparameters": (
        "task", "dataset", "split", "preprocessing", "model", "tuning", "training", "evaluation",
    ),
    "trained_model": ("task", "dataset", "split", "preprocessing", "model", "training"),
    "evaluation_report": ("task", "dataset", "split", "evaluation"),
    "backtest_report": ("task", "dataset", "split", "evaluation", "promotion"),
    "champion_model": ("task", "dataset", "split", "model", "evaluation", "promotion"),
    "batch_predictions": ("task", "dataset", "model", "scoring"),
    "drift_report": ("task", "dataset", "model", "monitoring"),
    "performance_report": ("task", "dataset", "model", "evaluation", "monitoring"),
}  # fmt: skip
_LOCK = Path(__file__).resolve().parent.parent / "uv.lock"


def code_version(spec: PipelineSpec, asset: str) -> str:
    """Return the version of the code and settings behind one asset.

    Args:
        spec: the pipeline.
        asset: last component of the asset key.

    Returns:
        16 hex digits over the spec's slice, the package version and the lock file.
    """
    document = spec.model_dump(mode="json")
    return digest_of({part: document[part] for part in _SLICES[asset]}, __version__, _lock_digest())[:16]


@cache
def _lock_digest() -> str:
    return digest_of(_LOCK.read_text(encoding="utf-8")) if _LOCK.exists() else "unlocked"
