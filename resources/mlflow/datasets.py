"""The rows of a training as MLflow's datasets: their digests are Assay's, their addresses hold no credentials.

MLflow's own digests are made of some rows alone, and do not identify them; it takes at most 36 characters of ours. The
profile has the whole digests.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.results.evaluation_report import EvaluationReport
from assay.results.trained_model import ModelManifest
from assay.specs.base import digest_of
from resources.mlflow.flavour import signature_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput

_LONGEST_DIGEST = 36
_LONGEST_NAME = 500
_CONTEXT = "mlflow.data.context"
_KINDS = {"s3": "s3", "http": "http", "https": "http"}


@dataclass(frozen=True, slots=True)
class TrackedRows:
    """Rows that a run used.

    Attributes:
        name: for people.
        digest: the first 36 characters of Assay's.
        context: what they were used for.
        source: their address; empty where it is not recorded.
        schema: MLflow's, as JSON.
        profile: number of rows and whole digests, as JSON.
    """

    name: str
    digest: str
    context: str
    source: str
    schema: str
    profile: str

    def entity(self) -> "DatasetInput":
        """Return what MLflow stores."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        scheme, separator, _ = self.source.partition("://")
        kind = _KINDS.get(scheme, scheme) if separator else "local"
        dataset = Dataset(
            self.name, self.digest, kind, json.dumps({"uri": self.source}), schema=self.schema, profile=self.profile
        )
        return DatasetInput(dataset, tags=[InputTag(_CONTEXT, self.context)])


def training_rows(manifest: ModelManifest) -> TrackedRows:
    """Return the window that a model was trained and evaluated on."""
    keys = sorted(filter(None, manifest.data_digests))
    window = f" {keys[0]}" if len(keys) == 1 else f" {keys[0]} to {keys[-1]}" if keys else ""
    counts = {"num_rows": manifest.train_rows + manifest.holdout_rows, "digests": manifest.data_digests}
    whole = digest_of(manifest.data_digests)
    return _rows(manifest, f"{manifest.pipeline}{window}", whole, "training", counts)


def holdout_rows(manifest: ModelManifest, report: EvaluationReport) -> TrackedRows:
    """Return the rows that a model was evaluated on.

    All holdouts of a pipeline have one name, as MLflow's charts compare models by the name of the dataset; the digest
    tells them apart, and the profile has the partition.
    """
    counts = {"num_rows": report.holdout_rows, "digest": report.holdout_digest}
    counts |= {"partition": report.partition} if report.partition else {}
    return _rows(manifest, f"{manifest.pipeline} holdout", report.holdout_digest, "evaluation", counts)


def source_of(manifest: ModelManifest) -> str:
    """Return the address of the rows without credentials; empty in manifests of earlier versions."""
    dataset = manifest.provenance.spec.get("dataset") if manifest.provenance is not None else None
    return str(dataset.get("source") or "") if isinstance(dataset, dict) else ""


def _rows(manifest: ModelManifest, name: str, digest: str, context: str, profile: dict[str, Any]) -> TrackedRows:
    schema = {"mlflow_colspec": signature_of(manifest).inputs.to_dict()}
    return TrackedRows(
        name=name[:_LONGEST_NAME],
        digest=digest[:_LONGEST_DIGEST],
        context=context,
        source=source_of(manifest),
        schema=json.dumps(schema),
        profile=json.dumps(profile),
    )
