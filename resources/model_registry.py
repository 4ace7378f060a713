"""The model registry: versions, the champion's alias, and the way back to a loaded model.

Does not belong here: the decision to promote (`assay.promotion`).
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assay.champion import ChampionRecord
from assay.errors import DigestMismatchError, TrackingError
from assay.promotion import PromotionDecision
from assay.specs import PipelineSpec
from assay.training.trained_model import TrainedModel
from resources.file_digests import bundle_digest
from resources.mlflow_connection import as_tracking_error, connect
from resources.mlflow_models import BUNDLE, DIGEST_TAG, logged_model_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
PREVIOUS = "previous_champion"
_VALUE_TAG = "assay.holdout_value"


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version in the registry.

    Attributes:
        name: of the registered model.
        version: its number.
        digest: of its files.
        holdout_value: the primary metric with which it was promoted; None where that was not recorded.
    """

    name: str
    version: str
    digest: str
    holdout_value: float | None = None


class MlflowModelRegistry(dg.ConfigurableResource[None]):
    """MLflow's registry; the alias `champion` says which version is in force."""

    tracking_uri: str

    def apply(self, decision: PromotionDecision, model: TrainedModel, card: str, spec: PipelineSpec) -> ChampionRecord:
        """Carry out a decision: register and promote the model, or leave the champion as it is.

        Args:
            decision: the verdict.
            model: the candidate; its MLflow run holds it already.
            card: markdown, the version's description.
            spec: the pipeline.

        Returns:
            Which version is champion now.

        Raises:
            TrackingError: the candidate was never logged, or MLflow refused.
        """
        name = spec.registered_name
        before = self.champion(name)
        after = before
        if decision.verdict == "promoted":
            after = self.register(name, model, card)
            self._record_value(after, decision)
            self.promote(after)
        changed = before is not None and after is not None and before.version != after.version
        return ChampionRecord(
            pipeline=spec.name,
            registered_name=name,
            decision=decision,
            version=after.version if after else None,
            previous_version=before.version if before and changed else None,
        )

    def register(self, name: str, model: TrainedModel, card: str) -> RegisteredVersion:
        """Make a logged model a version; the same content gets no second one.

        Raises:
            TrackingError: the model's run holds no model.
        """
        client = connect(self.tracking_uri)
        run_id = model.manifest.annotations["mlflow_run_id"]
        with as_tracking_error(self.tracking_uri, f"the model cannot be registered as {name}"):
            experiment_id = client.get_run(run_id).info.experiment_id
            model_id = logged_model_id(client, experiment_id, run_id, digest=None)
            if model_id is None:
                raise TrackingError(
                    "the MLflow run of this model holds no model",
                    where=f"run {run_id}",
                    remedy="materialise trained_model again: its logging did not finish",
                )
            digest = client.get_logged_model(model_id).tags[DIGEST_TAG]
            _create_name(client, name)
            known = _of_content(client, name, digest)
            version = known[0] if known else self._created(client, name, model_id, run_id, digest)
            client.update_model_version(name, version.version, description=card)
        return RegisteredVersion(name=name, version=str(version.version), digest=digest)

    def promote(self, version: RegisteredVersion) -> None:
        """Give a version the champion's alias; the former champion keeps `previous_champion`."""
        client = connect(self.tracking_uri)
        former = self.champion(version.name)
        with as_tracking_error(self.tracking_uri, f"version {version.version} of {version.name} cannot be promoted"):
            if former is not None and former.version != version.version:
                client.set_registered_model_alias(version.name, PREVIOUS, former.version)
            client.set_registered_model_alias(version.name, CHAMPION, version.version)

    def roll_back(self, name: str, version: str | None = None) -> tuple[RegisteredVersion, RegisteredVersion]:
        """Put an earlier version in force again, once its files are known to be whole.

        Args:
            name: of the registered model.
            version: which; the champion before the present one unless given.

        Returns:
            The version in force now, and the one that it replaced; that one can be brought back in the same way.

        Raises:
            TrackingError: there is no champion, no such version, or it is in force already.
            DigestMismatchError: the version's files are not those that were registered.
        """
        client = connect(self.tracking_uri)
        former = self.champion(name)
        found = self._found(client, name, version)
        if former is None or found is None or str(found.version) == former.version:
            raise TrackingError(
                "there is nothing to roll back to",
                where=f"registered model {name}",
                found=f"champion: version {former.version}" if former else "no champion",
                expected=f"version {version}" if version else f"an earlier version with the alias {PREVIOUS}",
                remedy="name a version of the registry that is not the champion",
            )
        self._loaded(found)
        with as_tracking_error(self.tracking_uri, f"version {found.version} of {name} cannot be put in force"):
            client.set_registered_model_alias(name, CHAMPION, str(found.version))
            client.set_registered_model_alias(name, PREVIOUS, former.version)
        return RegisteredVersion(name, str(found.version), found.tags.get(DIGEST_TAG, "")), former

    def champion(self, name: str) -> RegisteredVersion | None:
        """Return the version in force; None while there is none."""
        found = self._champion_version(connect(self.tracking_uri), name)
        if found is None:
            return None
        value = found.tags.get(_VALUE_TAG)
        return RegisteredVersion(
            name, str(found.version), found.tags.get(DIGEST_TAG, ""), float(value) if value else None
        )

    def champion_model(self, name: str) -> TrainedModel | None:
        """Load the champion; None while there is none.

        Raises:
            DigestMismatchError: its files are not those that were registered.
        """
        found = self._champion_version(connect(self.tracking_uri), name)
        return None if found is None else self._loaded(found)

    def _record_value(self, version: RegisteredVersion, decision: PromotionDecision) -> None:
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"version {version.version} of {version.name} cannot be described"):
            client.set_model_version_tag(version.name, version.version, _VALUE_TAG, repr(decision.candidate_value))

    def _loaded(self, version: "ModelVersion") -> TrainedModel:
        from assay.persistence import load_model

        with tempfile.TemporaryDirectory(prefix="assay-champion-") as folder:
            with as_tracking_error(self.tracking_uri, f"version {version.version} of {version.name} cannot be fetched"):
                bundle = Path(_download(self.tracking_uri, version, folder))
            digest = bundle_digest(bundle)
            if digest != version.tags.get(DIGEST_TAG):
                raise DigestMismatchError(
                    "the registered model's files are not those that were registered",
                    where=f"{version.name} version {version.version}",
                    found=f"digest {digest[:16]}",
                    expected=f"digest {version.tags.get(DIGEST_TAG, 'none')[:16]}",
                    remedy="restore the registry's artifacts, or promote another version",
                )
            return load_model(bundle)

    def _created(self, client: "MlflowClient", name: str, model_id: str, run_id: str, digest: str) -> "ModelVersion":
        source = client.get_logged_model(model_id).artifact_location
        client.create_model_version(name, source=source, run_id=run_id, tags={DIGEST_TAG: digest}, model_id=model_id)
        first, *twins = _of_content(client, name, digest)
        # a request whose answer was lost is sent again by MLflow, and makes a second version of the same content
        for twin in twins:
            client.delete_model_version(name, twin.version)
        return first

    def _champion_version(self, client: "MlflowClient", name: str) -> "ModelVersion | None":
        return self._found(client, name, alias=CHAMPION)

    def _found(
        self, client: "MlflowClient", name: str, version: str | None = None, alias: str = PREVIOUS
    ) -> "ModelVersion | None":
        """Return a version by its number, or by an alias; None while there is none."""
        from mlflow.exceptions import MlflowException

        with as_tracking_error(self.tracking_uri, f"version {version or alias} of {name} cannot be asked for"):
            try:
                if version is not None:
                    return client.get_model_version(name, version)
                return client.get_model_version_by_alias(name, alias)
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None  # neither the model nor such a version exists yet
                raise


def _of_content(client: "MlflowClient", name: str, digest: str) -> "list[ModelVersion]":
    """Return the versions of that content, the oldest first."""
    versions = client.search_model_versions(f"name = '{name}' and tags.`{DIGEST_TAG}` = '{digest}'")
    return sorted(versions, key=lambda version: int(version.version))


def _create_name(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _download(tracking_uri: str, version: "ModelVersion", folder: str) -> str:
    """Fetch the bundle from where the version's files are; an address of the registry would use MLflow's global one."""
    from mlflow.artifacts import download_artifacts

    source = f"{str(version.source).rstrip('/')}/{BUNDLE}"
    path: str = download_artifacts(artifact_uri=source, dst_path=folder, tracking_uri=tracking_uri)
    return path
