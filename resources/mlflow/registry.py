"""The model registry: versions, the champion's alias, and the way back to a loaded model."""

import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assay.errors import ChampionChangedError, DigestMismatchError, TrackingError
from assay.promotion.champion import ChampionRecord
from assay.promotion.decision import PromotionDecision
from assay.results.trained_model import TrainedModel
from assay.specs import PipelineSpec
from resources.mlflow.connection import as_tracking_error, connect
from resources.mlflow.models import BUNDLE, DIGEST_TAG, VALUE_TAG, RegisteredVersion, registered, version_of
from resources.object_store import ObjectStoreResource
from resources.store.interface import encoded
from resources.store.lease import Turn, turn
from resources.store.local import bundle_digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
PREVIOUS = "previous_champion"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A version in the registry, and its model: loaded and verified."""

    version: RegisteredVersion
    model: TrainedModel


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of challenger and champion, with its decision.

    Attributes:
        challenger: the new model; its MLflow run holds it already.
        champion: the version that the decision was made against; None where there was none.
        decision: the verdict.
        card: markdown, the version's description.
    """

    challenger: TrainedModel
    champion: RegisteredVersion | None
    decision: PromotionDecision
    card: str


class MlflowModelRegistry(dg.ConfigurableResource[None]):
    """MLflow's registry; the alias `champion` says which version is in force.

    MLflow sets an alias whatever it was before. Who changes the champion therefore takes a turn in the artifact store,
    and looks within it whether the champion is the one that was decided on. People who set the alias in MLflow itself,
    and deployments with another artifact store, take no turns: their change is seen up to the moment of that look.
    """

    tracking_uri: str
    object_store: dg.ResourceDependency[ObjectStoreResource]

    def apply(self, comparison: Comparison, spec: PipelineSpec) -> ChampionRecord:
        """Carry out a decision: register and promote the challenger, or keep the champion.

        Args:
            comparison: challenger, champion and the decision.
            spec: the pipeline.

        Returns:
            The current champion's version after the decision.

        Raises:
            ChampionChangedError: the champion of the comparison is not the current one any more.
            TrackingError: the challenger was never logged, or MLflow refused.
            StoreUnavailableError: the artifact store, which grants the lease, does not answer.
        """
        before = comparison.champion
        after = self._promoted(comparison, spec.registered_name) if comparison.decision.promotes else before
        changed = before is not None and after is not None and before.version != after.version
        return ChampionRecord(
            pipeline=spec.name,
            registered_name=spec.registered_name,
            decision=comparison.decision,
            version=after.version if after else None,
            previous_version=before.version if before and changed else None,
        )

    def register(self, name: str, model: TrainedModel, card: str) -> RegisteredVersion:
        """Make a logged model a version; the same content gets no second one.

        Raises:
            TrackingError: the model's run holds no model.
        """
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"the model cannot be registered as {name}"):
            return registered(client, name, model.manifest.annotations["mlflow_run_id"], card)

    def roll_back(self, name: str, version: str | None = None) -> tuple[RegisteredVersion, RegisteredVersion]:
        """Put an earlier version in force again, once its files are known to be whole.

        Args:
            name: of the registered model.
            version: which; the champion before the present one unless given.

        Returns:
            The version in force now, and the one that it replaced; that one can be brought back in the same way.

        Raises:
            TrackingError: there is no champion, no such version, or it is in force already.
            ChampionChangedError: another champion came into force meanwhile.
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
        back = version_of(found)
        with self._turn(name) as own:
            self._require_current(name, former)
            self._set_current(back, former, own)
        return back, former

    def champion(self, name: str) -> RegisteredVersion | None:
        """Return the version in force; None while there is none."""
        found = self._found(connect(self.tracking_uri), name, alias=CHAMPION)
        return None if found is None else version_of(found)

    def current_champion(self, name: str) -> RegisteredModel | None:
        """Load the champion; None while there is none.

        Raises:
            DigestMismatchError: its files are not those that were registered.
        """
        found = self._found(connect(self.tracking_uri), name, alias=CHAMPION)
        return None if found is None else RegisteredModel(version_of(found), self._loaded(found))

    def _promoted(self, comparison: Comparison, name: str) -> RegisteredVersion:
        """Register the challenger and give it the alias; nothing is registered when the champion has changed."""
        with self._turn(name) as own:
            self._require_current(name, comparison.champion)
            version = self.register(name, comparison.challenger, comparison.card)
            self._record_value(version, comparison.decision)
            self._set_current(version, comparison.champion, own)
        return version

    def _turn(self, name: str) -> AbstractContextManager[Turn]:
        return turn(self.object_store.open(), f"@champions/{encoded(name)}/", what=f"the champion of {name}")

    def _require_current(self, name: str, expected: RegisteredVersion | None) -> None:
        now = self.champion(name)
        if (now.version if now else None) != (expected.version if expected else None):
            raise ChampionChangedError(
                "the champion has changed since the decision was made",
                where=f"registered model {name}",
                found=f"version {now.version}" if now else "no champion",
                expected=f"version {expected.version}" if expected else "no champion yet",
                remedy="run again, so that the model is compared with the current champion",
            )

    def _set_current(self, version: RegisteredVersion, former: RegisteredVersion | None, own: Turn) -> None:
        """Set the aliases within one's turn; the former champion keeps `previous_champion`."""
        client, name = connect(self.tracking_uri), version.name
        own.require_time_left()
        with as_tracking_error(self.tracking_uri, f"version {version.version} of {name} cannot be put in force"):
            if former is not None and former.version != version.version:
                client.set_registered_model_alias(name, PREVIOUS, former.version)
            client.set_registered_model_alias(name, CHAMPION, version.version)

    def _record_value(self, version: RegisteredVersion, decision: PromotionDecision) -> None:
        client = connect(self.tracking_uri)
        with as_tracking_error(self.tracking_uri, f"version {version.version} of {version.name} cannot be described"):
            client.set_model_version_tag(version.name, version.version, VALUE_TAG, repr(decision.challenger_value))

    def _loaded(self, version: "ModelVersion") -> TrainedModel:
        from assay.learning.persistence import load_model

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


def _download(tracking_uri: str, version: "ModelVersion", folder: str) -> str:
    """Fetch the bundle from where the version's files are; an address of the registry would use MLflow's global one."""
    from mlflow.artifacts import download_artifacts

    source = f"{str(version.source).rstrip('/')}/{BUNDLE}"
    path: str = download_artifacts(artifact_uri=source, dst_path=folder, tracking_uri=tracking_uri)
    return path
