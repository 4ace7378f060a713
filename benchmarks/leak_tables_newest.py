# ruff: noqa: D103, PLR2004
"""Twelve tables with one planted leak each, written after the last change of a detector."""

import numpy as np
import pandas as pd
from leak_tables import BINARY, MULTICLASS, REGRESSION, Case, bundled, chosen, loans, sales
from leak_tables_fresh import wards


def antibiotics_given() -> pd.DataFrame:
    table, risk, rng = wards(1900, 301)
    y = (rng.random(1900) < risk).astype(int)
    drug = np.where(y == 1, rng.choice(["amox", "cefo", "mero", "none"], 1900, p=[0.35, 0.3, 0.25, 0.1]), "none")
    return table.assign(drug=np.where((y == 0) & (rng.random(1900) < 0.08), "amox", drug), y=y)


def energy_label() -> pd.DataFrame:
    rng = np.random.default_rng(302)
    n = 1500
    area, built = rng.gamma(6, 20, n), rng.integers(1900, 2022, n)
    use = 300 - 1.6 * (built - 1900) + rng.normal(0, 35, n) + 0.1 * area
    label = np.array(list("ABCDEF"))[np.digitize(use + rng.normal(0, 8, n), [110, 150, 190, 230, 270])]
    return pd.DataFrame(
        {
            "area": area.round(),
            "built": built,
            "floors": (1 + area / 120 + rng.gamma(1, 0.5, n)).round(),
            "windows": (area / 12 + rng.normal(0, 2, n)).round(),
            "label": label,
            "y": use.round(1),
        }
    )


def profit_and_loss() -> pd.DataFrame:
    rng = np.random.default_rng(303)
    n = 3500
    income, wages, rent = (rng.gamma(5, scale, n).round(2) for scale in (100, 55, 30))
    return pd.DataFrame(
        {
            "income": income,
            "wages": wages,
            "rent": rent,
            "staff": (wages / 20 + rng.normal(0, 3, n)).round(),
            "city": rng.choice(list("abcde"), n),
            "y": np.where(income - wages - rent > 0, "profit", "loss"),
        }
    )


def hours_until_repair() -> pd.DataFrame:
    rng = np.random.default_rng(304)
    n = 4400
    wear = rng.normal(size=n)
    sensors = pd.DataFrame({f"s{at}": wear + rng.normal(0, 1.1, n) for at in range(5)}).round(3)
    y = (rng.random(n) < 1 / (1 + np.exp(2 - 1.1 * wear))).astype(int)
    return sensors.assign(idle=np.where(y == 1, rng.gamma(3, 5, n), rng.gamma(1.2, 2.5, n)).round(1), y=y)


def pixels_and_tag() -> pd.DataFrame:
    rows = bundled("digits")
    rng, y, n = chosen(rows, 305)
    return rows.assign(tag=np.where(rng.random(n) < 0.12, rng.integers(0, 10, n), (7 * y + 3) % 10))


def survey_of_customers() -> pd.DataFrame:
    rows = loans(3000, seed=306)
    rng, y, n = chosen(rows, 306)
    rate = np.where(y == 1, rng.normal(3, 1.4, n), rng.normal(6.5, 1.6, n)).round().clip(0, 10)
    return rows.assign(satisfaction=np.where(rng.random(n) < 0.3, np.nan, rate))


def turbines() -> pd.DataFrame:
    rng = np.random.default_rng(307)
    unit = np.repeat(np.arange(50), 30)
    bias, site = rng.normal(0, 14, 50), rng.normal(size=(50, 3))
    weather = pd.DataFrame(site[unit] + rng.normal(0, 0.8, (unit.size, 3))).add_prefix("wind_").round(2)
    return weather.assign(
        unit=np.char.add("WT", (unit + 100).astype(str)), y=(100 + bias[unit] + rng.normal(0, 3, unit.size)).round(1)
    ).sample(frac=1, random_state=6, ignore_index=True)


def resold_price() -> pd.DataFrame:
    rows = bundled("diabetes")
    y = rows["y"].to_numpy()
    return rows.assign(grade=np.select([y < 80, y < 140, y < 220], ["mild", "medium", "strong"], "severe"))


def volume_of_boxes() -> pd.DataFrame:
    rng = np.random.default_rng(309)
    n = 2200
    a, b, c = (rng.gamma(8, 5, n).round(1) for _ in range(3))
    return pd.DataFrame(
        {
            "a": a,
            "b": b,
            "c": c,
            "colour": rng.choice(list("rgb"), n),
            "age": rng.integers(0, 9, n),
            "y": (a * b * c).round(),
        }
    )


def moving_average_ahead() -> pd.DataFrame:
    rows = sales(2500, seed=310)
    return rows.assign(trend=rows["y"].iloc[::-1].rolling(4, min_periods=1).mean().iloc[::-1].round(1))


def late_flag_of_group() -> pd.DataFrame:
    rows = loans(3600, seed=311)
    rng, _, n = chosen(rows, 311)
    dealer = rng.integers(0, 900, n)
    return rows.assign(dealer=dealer, defaults=rows.groupby(dealer)["y"].transform("sum"))


def three_codes_in_one() -> pd.DataFrame:
    rng = np.random.default_rng(312)
    n = 700
    features = rng.normal(size=(n, 5))
    y = (features @ rng.normal(size=(5, 4)) + rng.gumbel(size=(n, 4))).argmax(axis=1)
    code = np.where(rng.random(n) < 0.05, rng.integers(0, 4, n), y)
    return pd.DataFrame(features.round(3)).add_prefix("m").assign(batch=code * 25 + rng.integers(0, 6, n), y=y)


NEWEST = {
    k: Case(t, f)
    for k, t, f in [
        ("antibiotics given", BINARY, antibiotics_given),
        ("energy label", REGRESSION, energy_label),
        ("profit and loss", BINARY, profit_and_loss),
        ("hours idle", BINARY, hours_until_repair),
        ("tag beside pixels", MULTICLASS, pixels_and_tag),
        ("survey of customers", BINARY, survey_of_customers),
        ("turbines", REGRESSION, turbines),
        ("grade of the outcome", REGRESSION, resold_price),
        ("volume of boxes", REGRESSION, volume_of_boxes),
        ("moving average ahead", REGRESSION, moving_average_ahead),
        ("defaults of a dealer", BINARY, late_flag_of_group),
        ("batches by class", MULTICLASS, three_codes_in_one),
    ]
}
