"""What all steps of one preprocessor share, and how columns without a step are prepared."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from assay.importing import import_object
from assay.learning.preprocessing.known_steps import KNOWN_STEPS
from assay.specs.preprocessing import PreprocessingSpec

TargetType: TypeAlias = Literal["binary", "multiclass", "continuous"]
_TOPICS = 32
_FREQUENT = 5
"""Rows of a category from which a linear model has a column for it, beside the mean of its target."""
_TRANSFORMERS = "assay.learning.preprocessing.transformers"
_AUTOMATIC = {
    "raw_numbers": f"{_TRANSFORMERS}:RawNumbers",
    "categories": f"{_TRANSFORMERS}:Categories",
    "ordinal_categories": f"{_TRANSFORMERS}:OrdinalCategories",
}


@dataclass(frozen=True, slots=True)
class StepContext:
    """What all steps of one preprocessor share; the attributes are arguments of `build_preprocessor`."""

    encoding: Literal["one_hot", "ordinal"]
    preparation: PreprocessingSpec
    seed: int
    target_type: TargetType | None = None
    dense: bool = False

    def numbers(self, strategy: str) -> Any:
        """Take numbers as they are for trees, else fill and scale them."""
        if self.encoding == "ordinal":
            return imported("raw_numbers")()
        return self.imputed(strategy, imported("standard_scaler")())

    def imputed(self, strategy: str, scaler: Any) -> Any:
        """Fill missing values and add an indicator, then scale; a column without any value is filled with 0."""
        from sklearn.pipeline import make_pipeline

        return make_pipeline(self.filled(strategy, indicator=True), scaler)

    def filled(self, strategy: str, *, indicator: bool = False) -> Any:
        """Fill missing values; a column without any value is filled with 0."""
        from sklearn.impute import SimpleImputer

        return SimpleImputer(strategy=strategy, add_indicator=indicator, keep_empty_features=True)

    def moments(self) -> Any:
        """Take the calendar parts of moments; trees get no clock that grows without end."""
        from sklearn.pipeline import make_pipeline

        if self.encoding == "ordinal":
            return imported("calendar")(clock=False)
        return make_pipeline(imported("calendar")(), self.filled("median"), imported("standard_scaler")())

    def categories(self) -> Any:
        """Encode categories: few by themselves, more than `max_categories` by the target's out-of-fold means."""
        one_hot = self.encoding == "one_hot"
        few = self.known("one_hot_encoder") if one_hot else self.pooling(self.known("ordinal_encoder"))
        if self.target_type is None:
            return few
        many = self._means_for_linear_models() if one_hot else self.known("target_encoder")
        return imported("categories")(few, many, self.preparation.max_categories)

    def _means_for_linear_models(self) -> Any:
        """Scale the means, and give each frequent category a column too, by which it counts beside other features.

        On 66,000 taxi rides of 5,701 pairs of zones (a month trains, the next validates) ridge regression has an RMSE
        of 6.67 minutes by the means, and 6.13 with the columns.
        """
        from sklearn.pipeline import make_pipeline, make_union

        means = make_pipeline(self.known("target_encoder"), imported("standard_scaler")())
        if self.dense:
            return means
        each = imported("one_hot_encoder")(handle_unknown="infrequent_if_exist", min_frequency=_FREQUENT)
        return make_union(means, each)

    def pooling(self, encoder: Any) -> Any:
        """Give unseen categories the code of rare ones; the encoder alone has none that a row has at fit."""
        return imported("ordinal_categories")(encoder, self.seed)

    def known(self, name: str) -> Any:
        """Build a known step with its defaults."""
        return imported(name)(**self.defaults(name))

    def defaults(self, name: str) -> dict[str, Any]:
        """Return the constructor arguments of a known step before the user's."""
        if name == "target_encoder":
            from sklearn.model_selection import KFold

            target = {} if self.target_type is None else {"target_type": self.target_type}
            return {"cv": KFold(5, shuffle=True, random_state=self.seed), **target}
        most, filled = {"max_categories": self.preparation.max_categories}, {"keep_empty_features": True}
        trees = self.encoding == "ordinal"
        known: dict[str, dict[str, Any]] = {
            "one_hot_encoder": {"handle_unknown": "infrequent_if_exist"} | most,
            "ordinal_encoder": {"handle_unknown": "use_encoded_value", "unknown_value": -1} | most,
            "binning": {"quantile_method": "averaged_inverted_cdf"} | ({"encode": "ordinal"} if trees else {}),
            "polynomial": {"include_bias": False},
            "spline": {"include_bias": False},
            "impute": {"strategy": "median"} | filled,
            "knn_impute": filled,
            "iterative_impute": filled,
            # condensed for trees, which handle sparse columns badly
            "tfidf": {
                "max_features": self.preparation.text_features,
                "components": _TOPICS if trees else None,
                "seed": self.seed,
            },
        }
        return known.get(name, {})


def imported(name: str) -> Any:
    """Return the class of a known step, or of a transformer that columns without a step get."""
    path = KNOWN_STEPS[name].path if name in KNOWN_STEPS else _AUTOMATIC[name]
    return import_object(path, where="preprocessing")
