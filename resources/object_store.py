"""The deployment's object store and its S3 client, as Dagster resources that the other resources depend on.

A run's results live in its space (`assay.specs.space`): below `@spaces/<space>/`, over what the spaces below it hold.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

from assay.specs.overrides import space_of_run
from assay.specs.space import PRODUCTION, Space
from resources.s3 import MAX_ATTEMPTS, shared_client
from resources.store.interface import ObjectStore, decoded, encoded
from resources.store.overlay import OverlayStore
from resources.store.s3 import open_store

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


_SPACES = "@spaces"


def uri_of_space(uri: str, name: str) -> str:
    """Return the URI of what one space wrote in the store at a URI; of production for the empty name."""
    return f"{uri.rstrip('/')}/{_SPACES}/{encoded(name)}" if name else uri


def parameters_of(run_config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the run parameters of a run config."""
    parameters: Mapping[str, Any] = ((run_config.get("resources") or {}).get("run_parameters") or {}).get(
        "config"
    ) or {}
    return parameters


class SpacedResource(dg.ConfigurableResource[None]):
    """A resource whose effects stay in the run's space; outside of a run, in the deployment's.

    Attributes:
        branch: of a deployment that is not production, as `Settings.space` has it.
    """

    branch: str = ""
    _space: Space | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Find the run's space."""
        if context.run is not None:
            self._space = space_of_run(Space(self.branch), parameters_of(context.run.run_config))

    @property
    def space(self) -> Space:
        """Where results live."""
        return self._space or Space(self.branch)


class BoundedS3Resource(dg.ConfigurableResource[None]):
    """Makes one shared S3 client with bounded waiting; credentials come from boto3's chain.

    Not dagster-aws's `S3Resource`: its import takes a quarter of a code location's loading time, and its client
    has no timeout for a connection attempt: a host that drops packets keeps each attempt waiting for botocore's 60 s.
    """

    region_name: str | None = Field(default=None, description="Region of the bucket.")
    endpoint_url: str | None = Field(default=None, description="Endpoint of an S3-compatible store.")
    profile_name: str | None = Field(default=None, description="Profile of the AWS configuration files.")
    max_attempts: int = Field(default=MAX_ATTEMPTS, description="Attempts of one request, the first included.")

    def get_client(self) -> "S3Client":
        """Return this process's client with the resource's settings; no request is sent yet.

        Raises:
            MissingCredentialsError: the profile does not exist.
            StorageError: the endpoint is not a URL.
        """
        return shared_client(
            endpoint_url=self.endpoint_url,
            region_name=self.region_name,
            profile_name=self.profile_name,
            max_attempts=self.max_attempts,
        )


class ObjectStoreResource(SpacedResource):
    """Opens object stores.

    Attributes:
        uri: of the artifact store: a folder or `s3://bucket/prefix`.
    """

    uri: str
    s3: dg.ResourceDependency[BoundedS3Resource]

    def open(self, uri: str | None = None) -> ObjectStore:
        """Return the store of the run's space, or the one at a URI; no request is sent yet.

        Raises:
            StorageError: the URI names no store.
        """
        return self.over(self.space) if uri is None else open_store(uri, self.s3.get_client)

    def production(self) -> ObjectStore:
        """Return the store of production, which runs of other spaces only read."""
        return self.over(PRODUCTION)

    def space_names(self) -> list[str]:
        """Return the names of all spaces beside production that hold anything."""
        keys = (item.key for item in self.production().list_objects(f"{_SPACES}/"))
        return sorted({decoded(key.split("/")[1]) for key in keys})

    def of_space(self, name: str) -> ObjectStore:
        """Return the store that holds what one space wrote, and nothing below it; production's for the empty name."""
        return open_store(uri_of_space(self.uri, name), self.s3.get_client)

    def maintained(self) -> dict[str, ObjectStore]:
        """Return by name the spaces that this deployment maintains: production all, itself first; a branch its own."""
        names = [self.branch] if self.branch else ["", *self.space_names()]
        return {name: self.of_space(name) for name in names}

    def over(self, space: Space) -> ObjectStore:
        """Return the store of a space, over those below it."""
        if space.is_production:
            return self.of_space("")
        below = space.of_deployment if space.experiment else PRODUCTION
        return OverlayStore(self.of_space(space.name), self.over(below))
