"""The one error tree, and its serialised form.

Every failure a user can cause or meet derives from `AssayError`. Outside its process an error is a `SerialisedError`:
text in an orchestrator's log, JSON between processes and in the quarantine. Programs decide by its code.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from assay.credentials import without_masked


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a file a defect is; unknown parts are left out.

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


UNKNOWN_LOCATION = Location()


class Remedy(str):  # noqa: SLOT000 - mypy reads slots of a str as no attributes
    """What to do, as a text that names fields of the pipeline file.

    `Remedy("set {} to one of them", "dataset.member")` reads "set dataset.member to one of them"; a program whose user
    sets fields in another way renders it by `in_words_of`.
    """

    template: str
    fields: tuple[str, ...]

    def __new__(cls, template: str, *fields: str) -> Self:
        """Fill the template."""
        made = super().__new__(cls, template.format(*fields))
        made.template, made.fields = template, fields
        return made

    def in_words_of(self, name_of: Callable[[str], str]) -> str:
        """Return the text with other names of the fields."""
        return self.template.format(*map(name_of, self.fields))


_DETAILS = ("where", "found", "expected", "remedy")
_HELP = "help"
_KINDS: dict[str, type["AssayError"]] = {}


class AssayError(Exception):
    """A failure with all that its reader needs to correct it.

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

    def __init_subclass__(cls, *, code: str = "", transient: bool = False) -> None:
        """Declare a kind of failure; without a code it is of its parent's kind."""
        if code:
            cls.code, cls.transient = code, transient
            _KINDS[code] = cls

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
        return str(SerialisedError.of(self))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep every field when the error crosses processes."""
        return (_rebuilt, (type(self), error_to_json(self)))


_KINDS[AssayError.code] = AssayError


@dataclass(frozen=True, slots=True)
class SerialisedError:
    """An error as it is kept outside its process.

    Attributes:
        code: of a typed error; the class's name of any other error.
        what: one sentence; empty for an untyped error, whose text may hold values of the data.
        where: file, asset, column.
        found: the offending value; may be personal.
        expected: what would have been accepted.
        remedy: the next thing to do.
        defect: of malformed data, the stable name of what is wrong with the bytes.
        site: address of the documentation's site, to whose explanation each typed error then links; "" for no link.
    """

    site: ClassVar[str] = ""
    code: str
    what: str = ""
    where: str = ""
    found: str = ""
    expected: str = ""
    remedy: str = ""
    defect: str = ""

    @classmethod
    def of(cls, error: AssayError) -> Self:
        """Return the serialised form of a typed error."""
        details = {name: without_masked(getattr(error, name)) for name in _DETAILS}
        return cls(error.code, without_masked(error.what), **details, defect=getattr(error, "defect", ""))

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Return the error whose text this is, with or without the class's name before it; None for any other text."""
        parts = _PART.split(text.rstrip("\n"))
        head = _HEAD.fullmatch(parts[0])
        if head is None or error_class(head["code"]) is None:
            return None
        details = {
            name: detail.replace(_CONTINUED, "\n") for name, detail in zip(parts[1::2], parts[2::2], strict=True)
        }
        details.pop(_HELP, None)  # follows from the code
        return cls(head["code"], head["what"].replace(_CONTINUED, "\n"), **details, defect=head["defect"] or "")

    @property
    def is_typed(self) -> bool:
        """Whether it was an `AssayError`."""
        return error_class(self.code) is not None

    @property
    def label(self) -> str:
        """The code, and the defect of malformed data."""
        return f"{self.code}: {self.defect}" if self.defect else self.code

    @property
    def headline(self) -> str:
        """Label and sentence; of an untyped error the class's name."""
        return f"[{self.label}] {self.what}" if self.is_typed else self.code

    @property
    def help(self) -> str:
        """Address of the explanation of the code; empty without a site, and for an untyped error."""
        return f"{self.site.rstrip('/')}/reference/errors/#{self.code}" if self.site and self.is_typed else ""

    def __str__(self) -> str:
        details = ((name, getattr(self, name)) for name in (*_DETAILS, _HELP))
        lines = [f"[{self.label}] {self.what}", *(f"  {name}: {text}" for name, text in details if text)]
        return "\n".join(line.replace("\n", _CONTINUED) for line in lines)


# a quoted error is indented, so that its details are not those of the error that quotes it
_CONTINUED = "\n    "
_PART = re.compile(rf"\n  ({'|'.join((*_DETAILS, _HELP))}): ")
_HEAD = re.compile(r"(?:[\w.]+: )?\[(?P<code>[a-z_]+)(?:: (?P<defect>\w+))?\] (?P<what>.*)", re.DOTALL)


def error_class(code: str) -> type[AssayError] | None:
    """Return the class that declares a code; None where the code is no typed error's."""
    return _KINDS.get(code)


def error_to_json(error: AssayError) -> dict[str, Any]:
    """Return a typed error as JSON-able values."""
    fields = {name: getattr(error, name) for name in ("code", "what", *_DETAILS)}
    if isinstance(error.remedy, Remedy):
        fields["remedy_template"], fields["remedy_fields"] = error.remedy.template, list(error.remedy.fields)
    if isinstance(error, MalformedDataError):
        fields["defect"] = error.defect
    if isinstance(error, MalformedDataError | DataContractError):
        fields["place"] = asdict(error.location)
    return fields


def error_from_json(fields: Mapping[str, Any]) -> AssayError:
    """Return the typed error of `error_to_json`.

    Raises:
        KeyError, TypeError: the fields are not those of a typed error.
    """
    return _rebuilt(_KINDS[fields["code"]], fields)


def _rebuilt(kind: type[AssayError], fields: Mapping[str, Any]) -> AssayError:
    details: dict[str, Any] = {name: fields[name] for name in _DETAILS}
    if "remedy_template" in fields:
        details["remedy"] = Remedy(fields["remedy_template"], *fields["remedy_fields"])
    if issubclass(kind, MalformedDataError):
        details["defect"] = fields["defect"]
    if "place" in fields:
        details["location"] = Location(**fields["place"])
    return kind(fields["what"], **details)


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest option, or an empty string."""
    plain = {option.strip().casefold(): option for option in options}
    nearest = difflib.get_close_matches(name.strip().casefold(), plain, n=1, cutoff=0.6)
    return f"; did you mean '{plain[nearest[0]]}'?" if nearest else ""


class SpecError(AssayError, code="spec_invalid"):
    """A pipeline's YAML, or an override of it, is not acceptable."""


class SettingError(AssayError, code="setting_invalid"):
    """A setting of the deployment is not acceptable."""


class SourceError(AssayError, code="source_error"):
    """A data source cannot be read."""


class SourceNotFoundError(SourceError, code="source_not_found"):
    """The source names nothing that exists."""


class SourceChangedError(SourceError, code="source_changed", transient=True):
    """A file changed while it was read."""


class SourceUnreachableError(SourceError, code="source_unreachable", transient=True):
    """The source's host does not answer, or refuses."""


class MissingCredentialsError(SourceError, code="credentials_missing"):
    """The source needs credentials that were not found."""


class MalformedDataError(SourceError, code="data_malformed"):
    """The bytes are not what the format says.

    Attributes:
        defect: stable name of what is wrong with the bytes, one of `assay.reading.defects.Defect`.
        location: where in the file.
    """

    def __init__(
        self,
        what: str,
        *,
        defect: str = "unreadable",
        location: Location = UNKNOWN_LOCATION,
        where: str = "",
        found: str = "",
        expected: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(what, where=where, found=found, expected=expected, remedy=remedy)
        self.defect = str(defect)
        self.location = location


class UnsupportedFormatError(SourceError, code="format_unsupported"):
    """No reader is known for the format."""


class DataContractError(AssayError, code="data_contract_broken"):
    """A table does not have what the spec needs: a column, a type, rows.

    Attributes:
        location: the column and the 1-based row of the table, as far as one is at fault.
    """

    def __init__(self, what: str, *, location: Location = UNKNOWN_LOCATION, **details: str) -> None:
        super().__init__(what, **details)
        self.location = location


class EmptyDataError(DataContractError, code="data_empty"):
    """There is no row to work on."""


class MissingColumnError(DataContractError, code="column_missing"):
    """A column that the spec names is not in the table."""


class FeatureStepError(DataContractError, code="feature_step_failed"):
    """A step of `features` cannot be computed for the rows, or drops more of them than it may."""


class LaterRowsError(FeatureStepError, code="features_see_later_rows"):
    """A step of `features` sees rows that were not known yet, or makes a row depend on unrelated ones."""


class SingleClassError(DataContractError, code="target_single_class"):
    """A classification target has fewer than two classes, or a class too small to learn from."""


class SchemaDriftError(DataContractError, code="schema_drift"):
    """A table's columns differ from the schema frozen for its version."""


class GateError(AssayError, code="gate_error"):
    """Data did not pass, or cannot be shown to have passed, the data-quality gate."""


class GateRejectedError(GateError, code="gate_rejected"):
    """The newest data of a partition was rejected by the gate."""


class PredictionsRefusedError(AssayError, code="predictions_refused"):
    """Predictions are not like those of the model's holdout, or no predictions at all."""


class ReceiptMismatchError(GateError, code="receipt_mismatch"):
    """Data and its gate receipt do not match."""


class LearningError(AssayError, code="learning_error"):
    """Tuning, training or evaluation cannot continue."""


class UnknownModelError(LearningError, code="model_unknown"):
    """No model family of that name, or the import path cannot be used."""


class UnknownHyperparameterError(LearningError, code="hyperparameter_unknown"):
    """No candidate model takes a hyperparameter of that name."""


class UnknownMetricError(LearningError, code="metric_unknown"):
    """No metric of that name for the task."""


class MetricUnavailableError(LearningError, code="primary_metric_unavailable"):
    """The primary metric cannot be computed, so the model cannot be judged."""


class UntrustedModelError(AssayError, code="model_untrusted"):
    """A stored model holds a type that is not on the allow-list."""


class GoldenReplayError(AssayError, code="golden_replay_failed"):
    """A model does not repeat the predictions that it gave when it was trained, or records none."""


class StorageError(AssayError, code="storage_error"):
    """The artifact store cannot do what was asked."""


class TargetExistsError(StorageError, code="target_exists"):
    """A version is there already, and versions are immutable."""

    @classmethod
    def at(cls, uri: str) -> Self:
        """Return the error for an address."""
        remedy = (
            "give another model version; or replace the model: --overwrite in the shell, ASSAY_TARGET_OVERWRITE=on for "
            "exports of Dagster's runs"
        )
        return cls("there is a model at this address already, and versions are immutable", where=uri, remedy=remedy)


class ArtifactNotFoundError(StorageError, code="artifact_not_found"):
    """Nothing is published for that asset and partition."""


class ArtifactExpiredError(StorageError, code="artifact_expired"):
    """The files of this version were removed by the retention policy, or held rows to be forgotten."""


class DigestMismatchError(StorageError, code="digest_mismatch"):
    """Stored bytes or rows differ from what was published."""


class CommitConflictError(StorageError, code="commit_conflict", transient=True):
    """Another writer published first."""


class StoreUnavailableError(StorageError, code="store_unavailable", transient=True):
    """The store does not answer, or refuses."""


class TrackingError(AssayError, code="tracking_error"):
    """The experiment tracker or model registry cannot do what was asked."""


class TrackerUnavailableError(TrackingError, code="tracker_unavailable", transient=True):
    """The tracking server does not answer within its deadline."""


class ChampionChangedError(TrackingError, code="champion_changed", transient=True):
    """The champion of a decision is not the current one any more."""


class ChecksFailedError(AssayError, code="checks_failed"):
    """Blocking checks failed in a run that reports no checks of its own."""


class PartitionsFailedError(AssayError, code="partitions_failed"):
    """Some partitions of a range failed; the others were made."""


class RunFailedError(AssayError, code="run_failed"):
    """A run that a command started failed."""


class EmptySelectionError(AssayError, code="selection_empty"):
    """The assets that a command selects do not exist."""


class StepTimeoutError(AssayError, code="step_timeout"):
    """A step took longer than the pipeline allows."""


class RunAbandonedError(AssayError, code="run_abandoned"):
    """A step tries to publish for a run that was ended, or declared dead, in the meantime."""


class DeliveryError(AssayError, code="notice_undelivered"):
    """A channel did not accept a notification, and may accept it later."""


class DeliveryRefusedError(DeliveryError, code="notice_refused"):
    """A channel rejects the notification for good: an address or a credential is wrong."""
