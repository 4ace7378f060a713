"""Dagster's way to the artifact store: outputs become commits, inputs are read verified.

Does not belong here: storage itself (`resources.artifact_store`).
"""

from typing import Any, get_args, get_origin

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import PrivateAttr

from assay.errors import StorageError
from resources.artifact_store import ArtifactStore, Attempt
from resources.commits.record import Commit
from resources.object_store.opening import open_store
from resources.s3_client import client_of


class ArtifactIOManager(dg.ConfigurableIOManager):
    """One code path for disk and S3; the client of S3 is dagster-aws's."""

    storage_uri: str
    s3: dg.ResourceDependency[S3Resource]
    _artifacts: ArtifactStore | None = PrivateAttr(default=None)
    _read: dict[tuple[str, str], dict[str, str]] = PrivateAttr(default_factory=dict)

    def artifacts(self) -> ArtifactStore:
        """Return the store, for assets that publish more than their output."""
        if self._artifacts is None:
            self._artifacts = ArtifactStore(open_store(self.storage_uri, lambda: client_of(self.s3)))
        return self._artifacts

    def inputs_of(self, run_id: str, step_key: str) -> dict[str, str]:
        """Return the versions that a step has read, by `asset[@partition]`."""
        return dict(self._read.get((run_id, step_key), {}))

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Publish an asset's value and tell the UI where and what it is."""
        attempt = Attempt(
            run_id=context.run_id,
            attempt_id=_attempt_id(context),
            code_version=_code_version(context),
            inputs=self.inputs_of(context.run_id, context.step_key),  # every output of a step has them all
        )
        commit = self.artifacts().publish(tuple(context.asset_key.path), _partition_of(context), obj, attempt)
        context.add_output_metadata(self._metadata(commit, obj))

    def load_input(self, context: dg.InputContext) -> Any:
        """Read the newest version of every upstream partition that the input maps to.

        An input annotated `dict[str, X]` gets one value for each partition key, and `{"": value}` without
        partitions; any other annotation gets the one value. Metadata `columns` of the input projects tables.

        Raises:
            ArtifactNotFoundError: partitions were never published; names them all.
            GateRejectedError: the newest of a partition is a refusal.
            DigestMismatchError: what is stored is not what was published.
        """
        kind, many = _kind_asked_for(context)
        asset = tuple(context.asset_key.path)
        keys: list[str | None] = [*context.asset_partition_keys] if context.has_asset_partitions else [None]
        if not many and len(keys) != 1:
            raise StorageError(
                "an input reads several partitions into one value",
                where="/".join(asset),
                found=f"{len(keys)} partitions",
                expected=f"an annotation dict[str, {getattr(kind, '__name__', kind)}]",
            )
        commits = self.artifacts().newest_of(asset, keys)
        values = {key or "": self._load(context, commit, kind) for key, commit in commits.items()}
        return values if many else values[keys[0] or ""]

    def _load(self, context: dg.InputContext, commit: Commit, kind: type[Any]) -> Any:
        columns = (context.definition_metadata or {}).get("columns")
        value = self.artifacts().read(commit, kind, columns)
        name = "/".join(commit.asset) + (f"@{commit.partition}" if commit.partition is not None else "")
        read = self._read.setdefault((_run_id(context), context.step_context.step.key), {})
        read[name] = f"{commit.number}:{commit.data_version}"
        return value

    def _metadata(self, commit: Commit, obj: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "stored at": self.artifacts().uri(commit),
            "version": commit.number,
            "data version": commit.data_version,
            "bytes": sum(item.size for item in commit.objects),
        }
        if commit.fingerprint is not None:
            shown["dagster/row_count"] = commit.fingerprint.rows
            columns = [
                dg.TableColumn(column.name, column.dtype, description=str(column.role)) for column in obj.schema.columns
            ]
            shown["dagster/column_schema"] = dg.TableSchema(columns=columns)
        return shown


def _kind_asked_for(context: dg.InputContext) -> tuple[type[Any], bool]:
    """Return the annotated kind of value, and whether one for each partition is wanted."""
    kind = context.dagster_type.typing_type
    if kind is Any:
        raise StorageError(
            "an input has no type, so that nothing is known to read it as",
            where=f"input {context.name} of the step {context.step_context.step.key}",
            expected="an annotated parameter, such as Dataset or dict[str, ValidatedDataset]",
            remedy="annotate the parameter with the type that the upstream asset returns",
        )
    many = get_origin(kind) is dict
    return (get_args(kind)[1] if many else kind), many


def _partition_of(context: dg.OutputContext) -> str | None:
    return context.asset_partition_key if context.has_asset_partitions else None


def _attempt_id(context: dg.OutputContext) -> str:
    return f"{context.run_id}-{context.step_key}-{context.step_context.previous_attempt_count}"


def _code_version(context: dg.OutputContext) -> str | None:
    spec = context.asset_spec if context.has_asset_key else None
    return spec.code_version if spec else None


def _run_id(context: dg.InputContext) -> str:
    return context.step_context.run_id
