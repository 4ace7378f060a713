"""One pipeline file as a whole, and what must hold between its parts."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from assay.specs.base import Location, Spec, columns_of, digest_of, invalid
from assay.specs.dataset import NO_TARGET, ColumnRole, DatasetSpec, PartitionsSpec
from assay.specs.features import FeaturesSpec
from assay.specs.labels import loss_problem
from assay.specs.learning import EvaluationSpec, ModelSpec, SplitSpec, TrainingSpec
from assay.specs.operations import (
    AutomationSpec,
    ExecutionSpec,
    MonitoringSpec,
    PromotionSpec,
    ScoringSpec,
    TrackingSpec,
)
from assay.specs.other_sources import OtherSource
from assay.specs.preprocessing import PreprocessingSpec
from assay.specs.serving import ServingSpec
from assay.specs.space import PRODUCTION, Space
from assay.specs.tuning import TuningSpec
from assay.specs.validation import SentinelSpec, ValidationSpec

_OWNER = re.compile(r"team:.+|\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}\b")
"""What Dagster accepts as an owner."""
_MAY_BE_OF_THE_SOURCE = frozenset({("dataset", "columns"), ("dataset", "partitions"), ("dataset", "segment")})
"""Locations of columns that the feature set need not have."""

_RAW = ("validation", "raw")
_BY = ("challenger", "by")


class Task(StrEnum):
    """What is predicted."""

    BINARY = "binary_classification"
    MULTICLASS = "multiclass_classification"
    REGRESSION = "regression"

    @property
    def is_classification(self) -> bool:
        """Whether the target is a class."""
        return self is not Task.REGRESSION


class ModelCardSpec(Spec):
    """What people say of the model in its report and card; nothing is computed of it."""

    intended_use: str = Field(default="", max_length=2_000)
    """What the model is for, and who uses it; the description of the pipeline unless set."""
    limits: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = Field(default=(), max_length=30)
    """What it is not good for, each in one sentence; before the limits that the evaluation shows."""


class PipelineSpec(Spec):
    """One model's pipeline, as its YAML file says it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """Prefix of the assets; lower case, digits and underscores."""
    task: Task
    """What is predicted."""
    description: str = ""
    """Shown in the UI."""
    owners: tuple[str, ...] = ()
    """E-mail addresses, or `team:name`."""
    model_card: ModelCardSpec = Field(default=ModelCardSpec(), exclude_if=lambda card: card == ModelCardSpec())
    """Intended use and limits, for the report and the card of each version."""
    dataset: DatasetSpec
    features: FeaturesSpec | None = Field(default=None, exclude_if=lambda features: features is None)
    """The steps from the source's rows to the feature set, which the gate judges; without them it judges the rows
    themselves."""
    validation: ValidationSpec = ValidationSpec()
    split: SplitSpec = SplitSpec()
    preprocessing: Literal["auto"] | PreprocessingSpec = "auto"
    """`auto` prepares every column by its role; steps take some columns out of its hands."""
    model: ModelSpec = ModelSpec()
    tuning: TuningSpec = TuningSpec()
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    promotion: PromotionSpec = PromotionSpec()
    tracking: TrackingSpec = TrackingSpec()
    automation: AutomationSpec = AutomationSpec()
    execution: ExecutionSpec = ExecutionSpec()
    scoring: ScoringSpec | None = None
    """Without it there are no `batch_predictions`."""
    monitoring: MonitoringSpec | None = None
    """Without it there is no `drift_report`."""
    serving: ServingSpec | None = Field(default=None, exclude_if=lambda serving: serving is None)
    """Without it the champion alone answers and nothing is logged."""
    _space: Space = PrivateAttr(default=PRODUCTION)  # no part of the file: digests and code versions leave it out

    @model_validator(mode="after")
    def _predictions_have_partitions_of_data(self) -> Self:
        if self.scoring is None or not self.scoring.partitioned:
            return self
        by, where = self.dataset.partitions.by, ("scoring", "partitioned")
        if by == "none":
            raise invalid("false, as the data have no partitions", *where, value=True)
        if by == "object" and self.scoring.source is not None:
            raise invalid("false: partitions that are objects of one source are none of another", *where, value=True)
        return self

    @field_validator("owners")
    @classmethod
    def _owners_can_be_shown(cls, owners: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [owner for owner in owners if not _OWNER.fullmatch(owner)]
        if wrong:
            msg = f"an owner is an e-mail address or team:name, not {', '.join(map(repr, wrong))}"
            raise ValueError(msg)
        return owners

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.split.by == "time" and not self.dataset.partitions.is_time:
            msg = "split by time needs dataset.partitions by hour, day, week or month"
            raise ValueError(msg)
        if self.split.by == "stratified" and not self.task.is_classification:
            msg = "split by stratified needs a classification task"
            raise ValueError(msg)
        if self.dataset.target in self.split.key:
            msg = f"split.key cannot hold the target '{self.dataset.target}': a corrected label would be another row"
            raise ValueError(msg)
        if self.features is not None and self.dataset.derive:
            names = ", ".join(self.dataset.derive)
            raise invalid("a step `derive` of features, which computes the same", "dataset", "derive", value=names)
        if self.features is None and self.validation.raw is not None:
            what = "features: without steps the other rules of validation judge the source's rows"
            raise invalid(what, *_RAW, value="raw")
        target = self.dataset.columns.get(self.dataset.target)
        if target is not None and target.role in {ColumnRole.IGNORED, ColumnRole.IDENTIFIER}:
            msg = f"the target '{self.dataset.target}' cannot have the role {target.role}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _search_splits_as_the_pipeline(self) -> Self:
        asked = self.tuning.split
        if asked is None:
            return self
        allowed = {"time": ("time_series", "holdout"), "group": ("group", "holdout")}
        kinds = allowed.get(self.split.by, ("k_fold", "stratified", "holdout"))
        problem = ""
        if asked.by not in kinds:
            problem = f"a pipeline with split by {self.split.by} is searched by {' or '.join(kinds)}, not {asked.by}"
        elif asked.by == "stratified" and not self.task.is_classification:
            problem = "stratified needs a classification task"
        elif asked.by == "holdout" and asked.size is not None and self.split.by == "time":
            problem = "split by time holds out the newest training partition, and takes no `size`"
        elif asked.by == "time_series" and (self.split.train_partitions or 0) < (least := 2 + (asked.gap or 0)):
            problem = f"with this gap time_series needs split.train_partitions of at least {least}"
        if problem:
            raise invalid(problem, "tuning", "split", value=asked.by)
        return self

    @model_validator(mode="after")
    def _monitoring_fits(self) -> Self:
        monitoring = self.monitoring
        alarms = [name for name in self.automation.retrain_on if name not in {"new_data", "joined_data"}]
        missing = [name for name in alarms if not self._watches(name)]
        if self.automation.watches_joined and not self.watched_sources:
            msg = "automation: joined_data needs a source that features join and that has objects: a query has none"
            raise ValueError(msg)
        if missing:
            part = "monitoring" if monitoring is None else f"monitoring.{min(missing)}"
            msg = f"automation.retrain_on {', '.join(sorted(missing))} needs {part}"
            raise ValueError(msg)
        if monitoring is not None and monitoring.label_delay and self.split.by != "time":
            msg = "monitoring.label_delay needs split by time, which trains on partitions whose target is known"
            raise ValueError(msg)
        season = monitoring.drift.season if monitoring is not None and monitoring.drift is not None else "auto"
        if isinstance(season, int) and not self.dataset.partitions.is_time:
            msg = "monitoring.drift.season counts partitions of time, and dataset.partitions are none"
            raise ValueError(msg)
        return self

    def _watches(self, alarm: str) -> bool:
        """Return whether an alarm of `automation.retrain_on` can begin."""
        return getattr(self.monitoring, alarm, None) is not None

    @model_validator(mode="after")
    def _rows_are_served_without_target(self) -> Self:
        serving = self.serving
        if serving is not None and self.dataset.target in serving.sent_columns:
            target, where = self.dataset.target, ("columns",) if serving.key != self.dataset.target else _BY
            raise invalid("another column than the target, which rows to predict lack", "serving", *where, value=target)
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        labels = self.serving.labels if self.serving is not None else None
        if labels is None:
            return self
        where = ("serving", "labels")
        if problem := loss_problem(labels.loss, classification=self.task.is_classification):
            raise invalid(problem, *where, "loss", value=labels.loss)
        joined = self.features.other_sources if self.features is not None else ()
        if labels.table in {join.table for join in joined}:
            raise invalid("another name than a joined source's", *where, "table", value=labels.table)
        return self

    @model_validator(mode="after")
    def _scored_rows_are_read_like_the_others(self) -> Self:
        source = self.scoring.source if self.scoring is not None else None
        problem = self.dataset.source_problem(source) if source is not None else ""
        if problem:
            raise invalid(f"{problem}; scoring.source is read like dataset.source", "scoring", "source", value=source)
        return self

    @model_validator(mode="after")
    def _base_values_are_in_the_search_space(self) -> Self:
        space = self.tuning.asked_space
        if not self.tuning.enabled or not space:
            return self
        for names, value, where in self._written_base_values():
            searched = next((space[name] for name in names if name in space), None)
            if searched is not None and not searched.holds(value):
                msg = f"{searched}, as tuning.search_space has it, or no value: the search then chooses one"
                raise invalid(msg, *where, value=value)
        return self

    def _written_base_values(self) -> Iterator[tuple[tuple[str, ...], Any, Location]]:
        """Yield the names that a search may have for each base value in the file, the value and its location."""
        written = self.model.hyperparameters
        for family in self.model.candidates:
            own = written.get(family)
            nested = own if isinstance(own, dict) else {}
            bare = [name for name in written if name not in {*nested, *self.model.candidates}]
            given = [((family, name), value) for name, value in nested.items()]
            for place, value in (*given, *(((name,), written[name]) for name in bare)):
                yield (f"{family}.{place[-1]}", place[-1]), value, ("model", "hyperparameters", *place)
        for name, value, location in self.preparation.written():
            yield (name,), value, ("preprocessing", *location)
        for name, value, location in self.features.fitted_parameters() if self.features is not None else ():
            yield (name,), value, ("features", *location)

    @property
    def intended_use(self) -> str:
        """What the model is for: of the card, or else the description."""
        return self.model_card.intended_use or self.description

    @property
    def source_dataset(self) -> DatasetSpec:
        """The source's rows: with `features` they have no target yet, and not each declared column."""
        return self.dataset if self.features is None else self.dataset.model_copy(update={"target": NO_TARGET})

    @property
    def watched_sources(self) -> tuple[OtherSource, ...]:
        """The joined sources of which new data can be seen: files, and assets."""
        others = self.features.other_sources if self.features is not None else ()
        return tuple(each for each in others if each.query is None)

    @property
    def feature_dataset(self) -> DatasetSpec:
        """The feature set of one partition, of which no further partition is cut."""
        return self.dataset.model_copy(update={"partitions": PartitionsSpec()})

    @property
    def scored_dataset(self) -> DatasetSpec | None:
        """The rows of `scoring.source`; None where validated rows are predicted."""
        if self.scoring is None or self.scoring.source is None:
            return None
        partitions = self.dataset.partitions if self.scoring.partitioned else PartitionsSpec()
        return self.source_dataset.model_copy(update={"source": self.scoring.source, "partitions": partitions})

    @property
    def refits(self) -> bool:
        """Whether the deployed model is fitted on all rows, those of the holdout included."""
        auto = "none" if self.split.by == "time" else "all"
        return (auto if self.training.refit == "auto" else self.training.refit) == "all"

    @property
    def preparation(self) -> PreprocessingSpec:
        """The preprocessing with `auto` spelled out."""
        return PreprocessingSpec() if self.preprocessing == "auto" else self.preprocessing

    @property
    def space(self) -> Space:
        """Where the results of its runs live."""
        return self._space

    def in_space(self, space: Space) -> Self:
        """Return the same pipeline with another space."""
        copy = self.model_copy()
        copy._space = space  # noqa: SLF001 - of its own class
        return copy

    @property
    def registered_name(self) -> str:
        """The model's name in the registry, which carries the space."""
        return self._space.named(self.model.name or self.name)

    @property
    def named_columns(self) -> tuple[tuple[Location, str], ...]:
        """Every column that the validated rows must have, with its location, once for each time it is named."""
        fitted = self.features.fitted_columns if self.features is not None else ()
        named = (*columns_of(self), *((("features", *location), name) for location, name in fitted))
        return tuple(each for each in named if each[1] != NO_TARGET and self._is_of_validated_rows(each[0]))

    @property
    def of_source_rows(self) -> "PipelineSpec | None":
        """The pipeline as `validation.raw` judges the source's rows, which have no target; None without such rules."""
        raw = self.validation.raw
        if raw is None:
            return None
        rules = {name: getattr(raw, name) for name in type(raw).model_fields}
        rules |= {"sentinel": SentinelSpec(enabled=False), "show_values": self.validation.show_values}
        dataset = self.source_dataset.model_copy(update={"columns": {}})
        return PipelineSpec.model_construct(
            name=self.name, task=self.task, dataset=dataset, validation=ValidationSpec.model_construct(**rules)
        )

    @property
    def fitted_steps(self) -> list[dict[str, Any]]:
        """What the steps of `features` are that are fitted on the training rows, without their names and bounds."""
        return [] if self.features is None else [step.identity() for step in self.features.fitted.values()]

    def _is_of_validated_rows(self, location: Location) -> bool:
        if location[:2] == ("scoring", "columns"):
            return self.scored_dataset is None
        if self.features is not None and (location[:2] in _MAY_BE_OF_THE_SOURCE or location[:2] == _RAW):
            return False
        declared = self.dataset.columns.get(str(location[2])) if location[:2] == ("dataset", "columns") else None
        return declared is None or declared.role is not ColumnRole.IGNORED

    @property
    def rules_digest(self) -> str:
        """Digest of all that decides whether data passes the gate.

        Columns that only other parts of the file name count where there are some: the gate requires them too.
        """
        contract = self.dataset.model_dump(mode="json", include={"target", "columns", "derive", "schema_version"})
        inside: set[str] = set()
        outside: set[str] = set()
        for location, name in self.named_columns:
            (inside if location[0] in {"dataset", "validation"} else outside).add(name)
        further = sorted(outside - inside)
        steps = [self.features.digest] if self.features is not None else []
        return digest_of(str(self.task), contract, self.validation, *([further] if further else []), *steps)
