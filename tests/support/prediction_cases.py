"""One table of rows as users have them, and what every way to a prediction must answer.

A case changes the user's own rows. `Same` expects the predictions of the unchanged rows; `Refused` an error that names a
column and, where a value is at fault, the row. A way to predict (pyfunc, shell, batch, HTTP) runs all cases by
`ANSWERS`; those that only exist in memory are left out of ways that read files.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from assay.data.dataset import GateReceipt, ValidatedDataset
from assay.data.frozen_schema import FrozenSchema
from assay.data.source_rows import source_rows
from assay.features.feature_set import feature_set_of
from assay.features.prepared import PreparedSteps
from assay.learning.final_fit import recorded_fit
from assay.learning.splitting import split_window
from assay.prediction.golden import with_golden
from assay.results.intake import SourceSchemas
from assay.results.provenance import CodeState
from assay.results.search_result import BestHyperparameters
from assay.specs import PipelineSpec

ROWS = 120
STEPS = [
    {"derive": {"per_room": "size / rooms", "late": "hour(seen) >= 18", "dear": "rent > 900"}},
    {"select": {"but": ["seen"]}},
    {"clip": {"size": {"quantiles": [0.05, 0.95]}}},
    {"fill": {"size": {"strategy": "median", "by": ["area"]}}},
]


@dataclass(frozen=True)
class Same:
    """The predictions of the rows as they are, or of some of them."""

    rows: Callable[[pd.DataFrame], pd.DataFrame] = lambda expected: expected


@dataclass(frozen=True)
class Refused:
    """An error that names the column, and the row where a value is at fault."""

    column: str
    row: int | None = None


@dataclass(frozen=True)
class Case:
    """One change of the user's rows."""

    name: str
    change: Callable[[pd.DataFrame], Any]
    answer: Same | Refused
    in_files: bool = True


def _replaced(column, row, value):
    def change(frame):
        values = frame[column].astype(object)
        values.iloc[row] = value
        return frame.assign(**{column: values})

    return change


def _zoned(frame):
    return frame.assign(seen=pd.to_datetime(frame.seen).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))


ANSWERS = (
    Case("as the CSV file is read", lambda rows: rows, Same()),
    Case("other column order", lambda rows: rows[rows.columns[::-1]], Same()),
    Case("additional columns", lambda rows: rows.assign(comment="x", more=1), Same()),
    Case("without optional columns", lambda rows: rows.drop(columns=["id", "rent"]), Same()),
    Case("without the target", lambda rows: rows.drop(columns="dear", errors="ignore"), Same()),
    Case("integers for floats", lambda rows: rows.assign(size=rows["size"].astype(int)),
         Same(lambda expected: expected.assign())),
    Case("floats for integers", lambda rows: rows.assign(rooms=rows.rooms.astype(float)), Same()),
    Case("nullable integers", lambda rows: rows.assign(rooms=rows.rooms.astype("Int64")), Same(), in_files=False),
    Case("nullable booleans", lambda rows: rows.assign(balcony=rows.balcony.astype("boolean")), Same(),
         in_files=False),
    Case("strings of pandas", lambda rows: rows.assign(area=rows.area.astype("string")), Same(), in_files=False),
    Case("categories", lambda rows: rows.assign(area=rows.area.astype("category")), Same(), in_files=False),
    Case("single precision", lambda rows: rows.assign(rooms=rows.rooms.astype(np.float32)), Same(), in_files=False),
    Case("times as times", lambda rows: rows.assign(seen=pd.to_datetime(rows.seen)), Same(), in_files=False),
    Case("times with a zone", _zoned, Same()),
    Case("numbers as text", lambda rows: rows.assign(rooms=rows.rooms.astype(str)), Same(), in_files=False),
    Case("zero and one for booleans", lambda rows: rows.assign(balcony=rows.balcony.map({True: 1, False: 0})), Same()),
    Case("records", lambda rows: rows.astype(object).where(rows.notna(), None).to_dict("records"), Same(),
         in_files=False),
    Case("columns", lambda rows: rows.astype(object).where(rows.notna(), None).to_dict("list"), Same(),
         in_files=False),
    Case("Arrow", lambda rows: pa.Table.from_pandas(rows, preserve_index=False), Same(), in_files=False),
    Case("one row", lambda rows: rows.iloc[3:4], Same(lambda expected: expected.iloc[3:4])),
    Case("no rows", lambda rows: rows.iloc[:0], Same(lambda expected: expected.iloc[:0]), in_files=False),
    Case("an unseen category", lambda rows: rows.assign(area="moon"), Same(lambda _: None)),
    Case("missing values", lambda rows: rows.assign(size=None, balcony=None, area=None, seen=None),
         Same(lambda _: None)),
    Case("without a required column", lambda rows: rows.drop(columns="rooms"), Refused("rooms")),
    Case("text for a number", _replaced("rooms", 7, "many"), Refused("rooms", 8)),
    Case("a fraction for an integer", _replaced("rooms", 4, 2.5), Refused("rooms", 5)),
    Case("text for a time", _replaced("seen", 2, "yesterday"), Refused("seen", 3)),
    Case("a number for a boolean", lambda rows: rows.assign(balcony=[*([1] * 9), 7, *([0] * (len(rows) - 10))]),
         Refused("balcony", 10)),
    Case("a number for a text", lambda rows: rows.assign(area=range(len(rows))), Refused("area", 1), in_files=False),
    Case("an infinite number", _replaced("size", 6, float("inf")), Refused("size", 7), in_files=False),
)  # fmt: skip


def user_rows() -> pd.DataFrame:
    """Rows as pandas reads them from the user's CSV file."""
    random = np.random.default_rng(5)
    size, rooms = random.integers(20, 120, ROWS).astype(float), random.integers(1, 6, ROWS)
    moments = np.datetime64("2024-01-01T00:00") + random.integers(0, 9000, ROWS) * np.timedelta64(1, "h")
    return pd.DataFrame(
        {
            "id": [f"f{number:04d}" for number in range(ROWS)],
            "size": size,
            "rooms": rooms,
            "balcony": pd.Series(random.choice(np.array([True, False, None], dtype=object), ROWS), dtype=object),
            "area": random.choice(np.array(["north", "south", "west"], dtype=object), ROWS),
            "seen": [str(moment) + ":00" for moment in moments],
            "rent": size * 10 + rooms * 50 + random.normal(0, 20, ROWS),
        }
    )


def spec_of(task="binary_classification", family="logistic_regression", *, steps=True) -> PipelineSpec:
    """The pipeline of the user's rows."""
    target = "rent" if task == "regression" else "dear"
    document = {
        "name": "flats",
        "task": task,
        "dataset": {
            "source": "flats.csv",
            "target": target,
            "columns": {
                "id": {"role": "identifier"},
                **({} if target == "rent" else {"rent": {"role": "ignored"}}),
            },
        },
        "model": {"candidates": [family]},
    }
    if steps:
        document["features"] = {"steps": STEPS}
    elif target == "dear":
        document["dataset"]["derive"] = {"dear": {"column": "rent", "greater_than": 900}}
    return PipelineSpec.model_validate_json(json.dumps(document))


@dataclass
class Kept:
    """A schema version in memory."""

    schema: FrozenSchema | None = None

    def frozen(self):
        return self.schema

    def freeze(self, first):
        self.schema = self.schema or first
        return self.schema


def fitted(task="binary_classification", family="logistic_regression", *, steps=True, **parameters):
    """Return a model of the user's rows, trained as the platform trains it."""
    return model_of(spec_of(task, family, steps=steps), **parameters)[0]


def model_of(spec, joined=MappingProxyType({}), **parameters):
    """Return a model of the user's rows, and the rows that it was fitted on.

    `joined` has the rows and the frozen schema of each joined source.
    """
    source, made, steps = Kept(), Kept(), spec.features is not None
    table = pa.Table.from_pandas(user_rows(), preserve_index=False)
    rows = source_rows(table, spec.source_dataset, source).partition(None, where="test")
    datasets = {name: each for name, (each, _) in joined.items()}
    prepared = PreparedSteps(spec.dataset.limits, {name: each.table for name, each in datasets.items()})
    judged = feature_set_of(rows, spec, made, where="test", joined=datasets, prepared=prepared).rows if steps else rows
    receipt = GateReceipt(
        data_digest=judged.fingerprint.digest, rules_digest="", verdict="passed", rows=judged.table.num_rows
    )
    validated = ValidatedDataset(
        table=judged.table, schema=judged.schema, fingerprint=judged.fingerprint, receipt=receipt
    )
    best = BestHyperparameters(
        family=spec.model.candidates[0], parameters=parameters, metric="roc_auc", direction="maximize",
        searched=False, stopped_by="disabled", seed=1,
    )  # fmt: skip
    lookups = (
        {join.table: datasets[join.table].table for join in spec.features.joins if join.as_of is None} if steps else {}
    )
    frozen = {name: schema for name, (_, schema) in joined.items()}
    schemas = SourceSchemas(source.schema, made.schema, rows.table.slice(0, 100), frozen, lookups) if steps else None
    split = split_window({"": validated}, spec)
    return with_golden(recorded_fit(split, best, spec, None, CodeState(), schemas)), judged
