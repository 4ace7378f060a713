"""The sentinel's rules by name, for the gate."""

from collections.abc import Mapping
from types import MappingProxyType

from assay.gate.sentinel import copies, identifiers, readiness, repeats, suspicion
from assay.gate.sentinel import readiness as timestamps
from assay.gate.sentinel.features import Judge

SENTINEL_JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        "no_target_leakage": copies.no_target_leakage,
        "no_suspected_leakage": suspicion.no_suspected_leakage,
        "no_future_timestamps": timestamps.no_future_timestamps,
        "no_identifier_features": identifiers.no_identifier_features,
        "rows_not_repeated": repeats.rows_not_repeated,
        "groups_not_split": repeats.groups_not_split,
        "features_vary": readiness.features_vary,
        "classes_large_enough": readiness.classes_large_enough,
        "categories_few_enough": readiness.categories_few_enough,
    }
)
