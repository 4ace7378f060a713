"""What a champion and a challenger are compared on: rows that neither has learned from, of classes that both know."""

from dataclasses import dataclass

import numpy as np

from assay.data.frames import reads_alike
from assay.learning.evaluation.evaluating import truth_of
from assay.learning.evaluation.predictions import codes
from assay.learning.splitting import Split
from assay.results.trained_model import ModelManifest
from assay.specs.pipeline import PipelineSpec

_FEWEST_CLASSES = 2


@dataclass(frozen=True, slots=True, eq=False)
class ComparableRows:
    """Holdout rows that a decision may be made on.

    Attributes:
        positions: of these rows among the holdout rows.
        learned: how many holdout rows are left out because one of the models may have learned from them.
        unknown_class: how many others are left out because the champion does not know their class.
        unrecorded: whether the champion may have learned from any of the rows, since its manifest does not say.
    """

    positions: np.ndarray
    learned: int
    unknown_class: int
    unrecorded: bool

    @property
    def description(self) -> str:
        """The rows in words."""
        rows = f"{len(self.positions):,} holdout rows"
        whose = "of which the champion may have learned" if self.unrecorded else "that neither has learned from"
        left_out = [
            f"{self.learned:,} that one may have learned from" if self.learned else "",
            f"{self.unknown_class:,} of classes that the champion does not know" if self.unknown_class else "",
        ]
        others = " and ".join(filter(None, left_out))
        return f"{rows} {whose}" + (f", without {others}" if others else "")


def comparable_rows(
    champion: ModelManifest, challenger: ModelManifest, split: Split, spec: PipelineSpec
) -> ComparableRows:
    """Return the holdout rows on which the two can be compared fairly.

    A champion of an earlier version does not say which rows it learned from. If too few rows are surely new to it, all
    are taken and `unrecorded` is set: the comparison then favours the champion.
    """
    learned_by = [split.learned_by(model, spec) for model in (champion, challenger)]
    learned = np.zeros(split.holdout_table.num_rows, np.bool_)
    for found in learned_by:
        learned |= False if found is None else found
    unrecorded = learned_by[0] is None
    if champion.learned is None and (~learned).sum() < spec.promotion.min_rows:
        learned[:], unrecorded = False, True
    known = np.ones(len(learned), np.bool_)
    if spec.task.is_classification:
        known = codes(truth_of(split.holdout), champion.classes) < len(champion.classes)
    return ComparableRows(
        positions=np.flatnonzero(~learned & known),
        learned=int(learned.sum()),
        unknown_class=int((~learned & ~known).sum()),
        unrecorded=unrecorded,
    )


def incompatibility_reason(champion: ModelManifest, split: Split, spec: PipelineSpec) -> str:
    """Return why the champion cannot predict these rows, or an empty string."""
    if (champion.task, champion.target) != (spec.task, spec.dataset.target):
        return f"the champion predicts something else ({champion.task} of '{champion.target}')"
    missing = [name for name in champion.features.names if name not in split.features.names]
    if missing:
        return f"the champion needs columns that these rows do not have ({', '.join(missing)})"
    changed = [c.name for c in champion.features.columns if split.features[c.name].role != c.role]
    if changed:
        return f"the champion was fitted with other roles of columns ({', '.join(changed)})"
    retyped = [c.name for c in champion.features.columns if not reads_alike(c, split.features[c.name])]
    if retyped:
        return f"the champion was fitted with other dtypes of columns ({', '.join(retyped)})"
    return ""


def nothing_in_common(champion: ModelManifest, split: Split, spec: PipelineSpec) -> str:
    """Return why the champion cannot be compared on any of these rows, or an empty string."""
    common = set(split.classes) & set(champion.classes)
    if spec.task.is_classification and len(common) < _FEWEST_CLASSES and spec.task == champion.task:
        return f"the champion knows other classes ({', '.join(map(str, champion.classes))})"
    return incompatibility_reason(champion, split, spec)


def replaced_classes(champion: ModelManifest, split: Split, spec: PipelineSpec) -> str:
    """Return how classes replace the champion's; empty where none do, or where the schema version is new."""
    if (champion.task, champion.target) != (spec.task, spec.dataset.target) or has_new_schema(champion, split):
        return ""
    gone = [str(label) for label in champion.classes if label not in split.classes]
    new = [str(label) for label in split.classes if label not in champion.classes]
    if not (gone and new):
        return ""
    return (
        f"the rows have the classes {', '.join(new)} instead of its {', '.join(gone)}; correct the labels, or raise "
        "dataset.schema_version if the change is intended"
    )


def has_new_schema(champion: ModelManifest, split: Split) -> bool:
    """Return whether the rows are of another schema version than the champion's."""
    return champion.features.version != split.features.version
