# ruff: noqa: D103, PLR2004
"""Tables with one planted leak each, and clean tables, for `decisions_leaks.py`; all are generated from fixed seeds.

These leaks and those of `leak_tables_more.py` were known while the detectors were built; those of
`leak_tables_unseen.py`, `leak_tables_fresh.py` and `leak_tables_last.py` were each written before the detectors had
seen any of them, and known for the next change; those of `leak_tables_newest.py` have never changed one. The target is
`y` everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

BINARY, MULTICLASS, REGRESSION = "binary_classification", "multiclass_classification", "regression"


@dataclass(frozen=True, slots=True)
class Case:
    """A table to check.

    Attributes:
        task: as in a pipeline file.
        build: makes the rows; the target is `y`.
        columns: `dataset.columns` of the pipeline.
        target: the column to predict.
    """

    task: str
    build: Callable[[], pd.DataFrame]
    columns: dict[str, Any] = field(default_factory=dict)
    target: str = "y"


def loans(rows: int = 4000, seed: int = 1, strength: float = 1.0) -> pd.DataFrame:
    """Return applications for loans with honest features (AUC about 0.8) and a binary target."""
    rng = np.random.default_rng(seed)
    income, age = rng.lognormal(10, 0.5, rows), rng.integers(18, 75, rows)
    city = rng.choice(["Aachen", "Bonn", "Celle", "Dachau", "Emden", "Fulda"], rows)
    shift = pd.Series(city).map({"Aachen": 0.4, "Bonn": -0.5, "Celle": 0.2, "Dachau": 0, "Emden": -0.3, "Fulda": 0.6})
    amount = rng.gamma(3, 3000, rows)
    score = -1.3 * (np.log(income) - 10) - 0.03 * (age - 40) + 0.00012 * (amount - 9000) + shift.to_numpy()
    target = rng.random(rows) < 1 / (1 + np.exp(-strength * score + 0.6))
    return pd.DataFrame(
        {
            "income": income.round(),
            "age": age,
            "city": city,
            "amount": amount.round(2),
            "children": rng.poisson(1.1, rows),
            "years_employed": rng.gamma(2, 3, rows).round(1),
            "y": target.astype(int),
        }
    )


def bundled(name: str) -> pd.DataFrame:
    """Return a data set of scikit-learn."""
    frame: pd.DataFrame = getattr(datasets, f"load_{name}")(as_frame=True).frame.rename(columns={"target": "y"})
    return frame


def sales(rows: int = 4000, seed: int = 2) -> pd.DataFrame:
    """Return shops in time order with honest features (R2 about 0.6) and a target of numbers."""
    rng = np.random.default_rng(seed)
    area, staff = rng.gamma(4, 40, rows), rng.integers(2, 20, rows)
    weekday = np.arange(rows) % 7
    price = rng.normal(20, 3, rows)
    level = 2 * area + 15 * staff - 6 * (price - 20) + 30 * (weekday >= 5)
    return pd.DataFrame(
        {
            "area": area.round(1),
            "staff": staff,
            "weekday": weekday,
            "price": price.round(2),
            "kind": rng.choice(["kiosk", "market", "store"], rows),
            "y": (level + rng.normal(0, 90, rows)).round(2),
        }
    )


def chosen(rows: pd.DataFrame, seed: int) -> tuple[np.random.Generator, np.ndarray, int]:
    """Return a generator, the target and the number of rows."""
    return np.random.default_rng(seed), rows["y"].to_numpy(), len(rows)


def date_of_outcome() -> pd.DataFrame:
    rows = loans()
    rng, y, n = chosen(rows, 11)
    applied = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
    days = np.where(y == 1, rng.normal(25, 12, n), rng.normal(70, 20, n)).clip(1)
    return rows.assign(days_open=days.round(), applied=applied)


def events_counted() -> pd.DataFrame:
    rows = loans()
    rng, y, n = chosen(rows, 12)
    return rows.assign(reminders=rng.poisson(0.2 + 3.5 * y, n))


def score_in_sample() -> pd.DataFrame:
    rows = loans()
    rng, y, n = chosen(rows, 13)
    logit = -0.8 * (np.log(rows["income"]) - 10) + 3.2 * (y - 0.4) + rng.normal(0, 1, n)
    return rows.assign(risk_score=(1 / (1 + np.exp(-logit))).round(4))


def estimate_in_sample() -> pd.DataFrame:
    rows = sales()
    rng, y, n = chosen(rows, 14)
    return rows.assign(
        estimate=(0.85 * y + 0.15 * (2 * rows["area"] + 15 * rows["staff"]) + rng.normal(0, 20, n)).round(1)
    )


def next_value() -> pd.DataFrame:
    rng = np.random.default_rng(15)
    level = np.zeros(4001)
    for place in range(1, 4001):
        level[place] = 0.9 * level[place - 1] + rng.normal()
    hours = np.arange(4000) % 24
    return pd.DataFrame(
        {
            "hour": hours,
            "wind": rng.gamma(2, 3, 4000).round(1),
            "reading": level[1:],
            "rain": rng.random(4000),
            "y": level[:-1],
        }
    )


def xor_of_flags() -> pd.DataFrame:
    rows = loans()
    rng, y, n = chosen(rows, 16)
    flag = rng.integers(0, 2, n)
    return rows.assign(insured=flag, covered=flag ^ y)


def product_of_two() -> pd.DataFrame:
    rng = np.random.default_rng(17)
    quantity, price = rng.integers(1, 50, 3000), rng.gamma(4, 5, 3000).round(2)
    return pd.DataFrame(
        {
            "quantity": quantity,
            "price": price,
            "region": rng.choice(list("abcd"), 3000),
            "age": rng.integers(20, 60, 3000),
            "y": (quantity * price).round(2),
        }
    )


def ratio_of_two() -> pd.DataFrame:
    rows = sales()
    rng, y, n = chosen(rows, 18)
    visits = rng.integers(50, 500, n)
    return rows.assign(y=y + 400, visits=visits, revenue=(y + 400) * visits)


def comparison_of_two() -> pd.DataFrame:
    rows = loans()
    rng, y, n = chosen(rows, 19)
    due = rng.gamma(3, 200, n)
    return rows.assign(due=due, received=due - np.where(y == 1, 1, -1) * rng.exponential(80, n))


def paired_gaps() -> pd.DataFrame:
    rows = loans()
    rng, y, n = chosen(rows, 20)
    first = rng.random(n) < 0.5
    return rows.assign(
        phone_checked=np.where(first, rng.random(n), np.nan),
        mail_checked=np.where(first ^ (y == 1), rng.random(n), np.nan),
    )


def own_row_mean() -> pd.DataFrame:
    rows = loans()
    rng, _, n = chosen(rows, 21)
    street = rng.integers(0, n // 3, n)
    return rows.assign(street_rate=rows.groupby(street)["y"].transform("mean"))


def value_of_one_class() -> pd.DataFrame:
    rows = loans()
    rng, y, n = chosen(rows, 22)
    state = rng.choice(["open", "review", "paused"], n)
    return rows.assign(state=np.where((y == 1) & (rng.random(n) < 0.45), "legal", state))


def jittered_copies() -> pd.DataFrame:
    rng = np.random.default_rng(23)
    rows = pd.DataFrame(rng.normal(size=(1500, 8))).add_prefix("sensor_")
    rows["y"] = (rng.random(1500) < 1 / (1 + np.exp(-rows["sensor_0"]))).astype(int)
    copies = rows.sample(1000, random_state=1)
    features = [name for name in rows if name != "y"]
    copies[features] += rng.normal(0, 0.01, (1000, 8))
    return pd.concat([rows, copies]).sample(frac=1, random_state=2, ignore_index=True)


def patients_of_numbers() -> pd.DataFrame:
    rng = np.random.default_rng(24)
    patient = np.repeat(np.arange(1, 61), 40)
    level, age = rng.normal(30, 10, 61), rng.integers(40, 85, 61)
    voice = rng.normal(size=(61, 5))
    features = pd.DataFrame(voice[patient] + rng.normal(0, 0.6, (patient.size, 5))).add_prefix("voice_")
    return features.assign(
        subject=patient, age=age[patient], y=(level[patient] + rng.normal(0, 1.5, patient.size)).round(2)
    ).sample(frac=1, random_state=1, ignore_index=True)


def patients_of_classes() -> pd.DataFrame:
    rng = np.random.default_rng(25)
    patient = np.repeat(rng.permutation(900)[:120], 20)
    ill = rng.integers(0, 2, 900)
    marks = rng.normal(size=(900, 6))
    features = pd.DataFrame(marks[patient] + rng.normal(0, 0.5, (patient.size, 6))).add_prefix("gene_")
    features["gene_0"] += 0.4 * ill[patient]
    return features.assign(patient_no=patient, y=ill[patient]).sample(frac=1, random_state=1, ignore_index=True)


def duration_of_call() -> pd.DataFrame:
    """Like the calls of a bank: a contract takes time, so that short calls end in none."""
    rows = loans(40_000, seed=3, strength=0.8)
    rng, _, n = chosen(rows, 26)
    seconds = rng.lognormal(5.2, 0.9, n)
    logit = np.log(1 / (1 / rows["y"].clip(0.12, 0.6) - 1)) + 1.6 * (np.log(seconds) - 5.8)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit))) & (seconds > 70)
    return rows.assign(col12=seconds.round(), y=y.astype(int))


def sum_of_parts() -> pd.DataFrame:
    rng = np.random.default_rng(27)
    hour = np.arange(4000) % 24
    casual, registered = rng.poisson(20 + hour), rng.poisson(90 + 5 * hour)
    return pd.DataFrame(
        {
            "hour": hour,
            "temp": rng.normal(15, 8, 4000),
            "casual": casual,
            "registered": registered,
            "y": casual + registered,
        }
    )


def weighted_grade() -> pd.DataFrame:
    rng = np.random.default_rng(28)
    exam, home, oral = (rng.normal(60, 12, 2000).round(1) for _ in range(3))
    return pd.DataFrame(
        {
            "age": rng.integers(18, 30, 2000),
            "exam": exam,
            "home": home,
            "oral": oral,
            "hours": rng.gamma(2, 4, 2000),
            "y": (0.5 * exam + 0.3 * home + 0.2 * oral).round(2),
        }
    )


def table_of_two() -> pd.DataFrame:
    rng = np.random.default_rng(29)
    plan, region = rng.choice(list("ABCD"), 3000), rng.choice(["n", "e", "s", "w"], 3000)
    tiers = rng.permutation(np.repeat(["low", "mid", "high", "top"], 4)).reshape(4, 4)
    places = {value: place for place, value in enumerate("ABCD")}, {value: place for place, value in enumerate("nesw")}
    y = [tiers[places[0][p], places[1][r]] for p, r in zip(plan, region, strict=True)]
    return pd.DataFrame(
        {"plan": plan, "region": region, "x": rng.normal(size=3000), "z": rng.gamma(2, 1, 3000), "y": y}
    )


def next_value_of_entity() -> pd.DataFrame:
    rng = np.random.default_rng(30)
    shop, month = np.repeat(np.arange(100), 30), np.tile(np.arange(30), 100)
    values = rng.normal(100, 10, (100, 31)).cumsum(axis=1) / np.sqrt(np.arange(1, 32)) + rng.normal(0, 20, (100, 1))
    rows = pd.DataFrame(
        {
            "shop": shop,
            "month": pd.Timestamp("2020-01-01") + pd.to_timedelta(30 * month, unit="D"),
            "staff": rng.integers(1, 9, 3000),
            "stock": rng.gamma(3, 10, 3000).round(),
            "plan": values[:, 1:].ravel().round(1),
            "y": values[:, :-1].ravel().round(1),
        }
    )
    return rows.sample(frac=1, random_state=3, ignore_index=True)


BUILT_WITH: dict[str, Case] = {
    "date of the outcome": Case(BINARY, date_of_outcome),
    "events counted after it": Case(BINARY, events_counted),
    "score fitted on the row": Case(BINARY, score_in_sample),
    "estimate fitted on the row": Case(REGRESSION, estimate_in_sample),
    "next period's value": Case(REGRESSION, next_value),
    "XOR of two flags": Case(BINARY, xor_of_flags),
    "product of two": Case(REGRESSION, product_of_two),
    "ratio of two": Case(REGRESSION, ratio_of_two),
    "comparison of two": Case(BINARY, comparison_of_two),
    "paired gaps": Case(BINARY, paired_gaps),
    "mean target of own rows": Case(BINARY, own_row_mean),
    "value of one class": Case(BINARY, value_of_one_class),
    "jittered copies": Case(BINARY, jittered_copies),
    "patients, numbers": Case(REGRESSION, patients_of_numbers),
    "patients, classes": Case(BINARY, patients_of_classes),
    "duration of a call": Case(BINARY, duration_of_call),
    "sum of parts": Case(REGRESSION, sum_of_parts),
    "weighted grade": Case(REGRESSION, weighted_grade),
    "table of two columns": Case(MULTICLASS, table_of_two),
    "next value of an entity": Case(REGRESSION, next_value_of_entity),
}
