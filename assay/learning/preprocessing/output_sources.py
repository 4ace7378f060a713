"""From which column of the frame each output of a fitted preprocessing is made."""

from typing import Any


def output_sources(preprocessing: Any) -> list[str]:
    """Return the column that each output of the encoding `ordinal` is made of; empty where a step makes it.

    Args:
        preprocessing: fitted `ColumnTransformer` of `build_preprocessor`, or the fitted steps of `features` in front of
            one.
    """
    prepared = getattr(preprocessing, "columns_", preprocessing)
    places: dict[str, slice] = prepared.output_indices_
    found = [""] * max((place.stop for place in places.values()), default=0)
    for name, transformer, columns in prepared.transformers_:
        if name in {"numeric", "boolean", "datetime", "categorical"}:
            # categories of few values come before those of many
            parts = (getattr(transformer, part, []) for part in ("few_columns_", "many_columns_"))
            ordered = [each for part in parts for each in part] or list(columns)
            each, rest = divmod(places[name].stop - places[name].start, len(ordered))
            if not rest and (each == 1 or name == "datetime"):
                found[places[name]] = [column for column in ordered for _ in range(each)]
    return found
