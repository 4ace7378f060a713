"""The one error tree: every failure a user can cause or meet derives from `AssayError`.

A place in a file.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file the defect is; what is not known is not told.

    Attributes:
        row: 1-based line of a text file, or row of another format, the header counted.
        column: the column's name, or its 1-based number where it has none.
        byte: 0-based offset into the unpacked file.
    """

    row: int | None = None
    column: str = ""
    byte: int | None = None

    def __str__(self) -> str:
        parts = [
            f"row {self.row}" if self.row is not None else "",
            f"column '{self.column}'" if self.column else "",
            f"byte {self.byte}" if self.byte is not None else "",
        ]
        return ", ".join(part for part in parts if part)


NOWHERE = Place()


class AssayError(Exception):
    """A failure told so that the reader can mend it.

    Attributes:
        code: stable identifier of the kind of failure, for programs.
        transient: whether the same attempt may succeed a little later, so that it is worth repeating.
        what: one sentence that says what went wrong.
        where: file and line, URI, asset and partition, or column.
        found: the offending value.
        expected: what would have been accepted.
        remedy: the next thing to do.
    """

    code: ClassVar[str] = "assay_error"
    transient: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        found: str = "",
        expected: str = "",
        remedy: str = "",
    ) -> None:
        self.what = what
        self.where = where
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        parts = [("where", self.where), ("found", self.found), ("expected", self.expected), ("remedy", self.remedy)]
        return "\n".join([f"[{self.code}] {self.what}", *(f"  {name}: {text}" for name, text in parts if text)])

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a child process with every field."""
        return (_rebuild, (type(self), self.what, self._told()))

    def _told(self) -> dict[str, str]:
        return {"where": self.where, "found": self.found, "expected": self.expected, "remedy": self.remedy}


def _rebuild(kind: type[AssayError], what: str, told: dict[str, str]) -> AssayError:
    return kind(what, **told)


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest option, or an empty string."""
    nearest = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""


class SpecError(AssayError):
    """A pipeline's YAML, or an override of it, is not acceptable."""

    code = "spec_invalid"


class SourceError(AssayError):
    """A data source cannot be read."""

    code = "source_error"


class SourceNotFoundError(SourceError):
    """The source names nothing that exists."""

    code = "source_not_found"


class SourceUnreachableError(SourceError):
    """The source's host does not answer, or refuses."""

    code = "source_unreachable"
    transient = True


class MissingCredentialsError(SourceError):
    """The source needs credentials that were not found."""

    code = "credentials_missing"


class MalformedDataError(SourceError):
    """The bytes are not what the format says.

    Attributes:
        defect: stable name of what is wrong with the bytes, one of `assay.reading.defects.Defect`.
        place: where in the file.
    """

    code = "data_malformed"

    def __init__(
        self,
        what: str,
        *,
        defect: str = "unreadable",
        place: Place = NOWHERE,
        where: str = "",
        found: str = "",
        expected: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(what, where=where, found=found, expected=expected, remedy=remedy)
        self.defect = str(defect)
        self.place = place

    def __str__(self) -> str:
        return super().__str__().replace(f"[{self.code}]", f"[{self.code}: {self.defect}]", 1)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_malformed, (self.defect, self.place, self.what, self._told()))


def _rebuild_malformed(defect: str, place: Place, what: str, told: dict[str, str]) -> MalformedDataError:
    return MalformedDataError(what, defect=defect, place=place, **told)


class UnsupportedFormatError(SourceError):
    """No reader is known for the format."""

    code = "format_unsupported"


class DataContractError(AssayError):
    """A table does not have what the spec needs: a column, a type, rows."""

    code = "data_contract_broken"


class EmptyDataError(DataContractError):
    """There is no row to work on."""

    code = "data_empty"


class MissingColumnError(DataContractError):
    """A column that the spec names is not in the table."""

    code = "column_missing"


class SingleClassError(DataContractError):
    """A classification target has fewer than two classes, or a class too small to learn from."""

    code = "target_single_class"


class SchemaDriftError(DataContractError):
    """A table's columns differ from the schema frozen for its version."""

    code = "schema_drift"


class GateError(AssayError):
    """Data did not pass, or cannot be shown to have passed, the data-quality gate."""

    code = "gate_error"


class GateRejectedError(GateError):
    """The newest data of a partition was rejected by the gate."""

    code = "gate_rejected"


class ReceiptMismatchError(GateError):
    """Data and the gate receipt that should vouch for it do not belong together."""

    code = "receipt_mismatch"


class LearningError(AssayError):
    """Tuning, training or evaluation cannot go on."""

    code = "learning_error"


class UnknownModelError(LearningError):
    """No model family of that name, or the import path cannot be used."""

    code = "model_unknown"


class UnknownHyperparameterError(LearningError):
    """No candidate model takes a hyperparameter of that name."""

    code = "hyperparameter_unknown"


class UnknownMetricError(LearningError):
    """No metric of that name for the task."""

    code = "metric_unknown"


class MetricUnavailableError(LearningError):
    """The primary metric cannot be computed, so the model cannot be judged."""

    code = "primary_metric_unavailable"


class UntrustedModelError(AssayError):
    """A stored model holds a type that is not on the allow-list."""

    code = "model_untrusted"


class StorageError(AssayError):
    """The artifact store cannot do what was asked."""

    code = "storage_error"


class ArtifactNotFoundError(StorageError):
    """Nothing is published for that asset and partition."""

    code = "artifact_not_found"


class DigestMismatchError(StorageError):
    """Stored bytes or rows are not those that were published."""

    code = "digest_mismatch"


class CommitConflictError(StorageError):
    """Another writer published first."""

    code = "commit_conflict"
    transient = True


class StoreUnavailableError(StorageError):
    """The store does not answer, or refuses."""

    code = "store_unavailable"
    transient = True


class TrackingError(AssayError):
    """The experiment tracker or model registry cannot do what was asked."""

    code = "tracking_error"


class TrackerUnavailableError(TrackingError):
    """The tracking server does not answer within its deadline."""

    code = "tracker_unavailable"
    transient = True


class ChampionChangedError(TrackingError):
    """The champion of a decision is not the current one any more."""

    code = "champion_changed"
    transient = True


class PartitionsFailedError(AssayError):
    """Partitions of a range could not be made; the others were."""

    code = "partitions_failed"


class StepTimeoutError(AssayError):
    """A step took longer than the pipeline allows."""

    code = "step_timeout"


class RunAbandonedError(AssayError):
    """A step wants to publish for a run that was ended, or declared dead, in the meantime."""

    code = "run_abandoned"
