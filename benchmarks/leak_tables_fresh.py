# ruff: noqa: D103, PLR2004
"""Twenty tables with one planted leak each, written before the detectors had seen any; then known."""

import numpy as np
import pandas as pd
from leak_tables import BINARY, MULTICLASS, REGRESSION, Case, bundled, chosen, loans, sales


def wards(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.random.Generator]:
    """Return patients with features that share causes, a risk from 0 to 1, and a generator."""
    rng = np.random.default_rng(seed)
    frailty, age = rng.normal(size=rows), rng.normal(64, 14, rows).clip(18, 99)
    table = pd.DataFrame(
        {
            "age": age.round(),
            "pressure": (120 + 0.4 * (age - 60) + 9 * frailty + rng.normal(0, 10, rows)).round(),
            "creatinine": np.exp(0.25 * frailty + rng.normal(0, 0.3, rows)).round(2),
            "haemoglobin": (13.5 - 0.9 * frailty + rng.normal(0, 1.2, rows)).round(1),
            "sex": rng.choice(["f", "m"], rows),
            "ward": rng.choice(["A1", "A2", "B1", "C3"], rows),
        }
    )
    risk = 1 / (1 + np.exp(-(0.9 * frailty + 0.03 * (age - 64) - 0.4)))
    return table, risk, rng


def days_in_hospital() -> pd.DataFrame:
    table, risk, rng = wards(900, 101)
    y = (rng.random(900) < risk).astype(int)
    admitted = pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 500 * 24, 900), unit="h")
    stay = rng.gamma(2.5, 40, 900) * np.where(y == 1, 3.2, 1)
    return table.assign(admitted=admitted, left=admitted + pd.to_timedelta(stay.round(), unit="h"), y=y)


def closing_balance() -> pd.DataFrame:
    rng = np.random.default_rng(102)
    n = 2600
    opening, paid_in, paid_out = (rng.gamma(2, scale, n).round(2) for scale in (900, 300, 280))
    fee = (2 + 0.004 * paid_out + rng.gamma(2, 3, n)).round(2)
    closing = (opening + paid_in - paid_out - fee).round(2)
    closing = np.where(rng.random(n) < 0.01, closing + rng.normal(0, 50, n).round(2), closing)
    return pd.DataFrame(
        {
            "opening": opening,
            "paid_in": paid_in,
            "paid_out": paid_out,
            "closing": closing,
            "branch": rng.choice(list("klmn"), n),
            "years": rng.integers(0, 30, n),
            "y": fee,
        }
    )


def resolution_code() -> pd.DataFrame:
    rng = np.random.default_rng(103)
    n = 420
    load, hour = rng.gamma(2, 10, n), rng.integers(0, 24, n)
    noise = rng.gumbel(size=(n, 4))
    y = (np.column_stack([load / 15, hour / 12, 1.2 - load / 40, 1.1 + 0 * load]) + noise).argmax(axis=1)
    code = np.where(rng.random(n) < 0.08, rng.integers(0, 4, n), y)
    return pd.DataFrame(
        {
            "load": load.round(1),
            "hour": hour,
            "team": rng.choice(["red", "blue", "green"], n),
            "words": rng.poisson(80, n),
            "code": np.array(["R-17", "R-03", "R-44", "R-20"])[code],
            "y": np.array(["network", "printer", "password", "other"])[y],
        }
    )


def complaints_after_leaving() -> pd.DataFrame:
    rng = np.random.default_rng(104)
    n = 12_000
    months, price = rng.gamma(2, 14, n), rng.normal(40, 9, n)
    usage = 0.6 * price + rng.normal(0, 8, n)
    y = (rng.random(n) < 1 / (1 + np.exp(3.0 + 0.04 * months - 0.05 * (price - 40)))).astype(int)
    return pd.DataFrame(
        {
            "months": months.round(1),
            "price": price.round(2),
            "usage": usage.round(1),
            "tariff": rng.choice(["S", "M", "L"], n),
            "letters": rng.poisson(0.3 + 2.6 * y),
            "y": np.where(y == 1, "left", "stayed"),
        }
    )


def valuation() -> pd.DataFrame:
    rng = np.random.default_rng(105)
    n = 1800
    area, built = rng.gamma(6, 18, n), rng.integers(1930, 2020, n)
    rooms = (area / 28 + rng.normal(0, 0.7, n)).round().clip(1)
    price = np.exp(11 + 0.006 * area + 0.004 * (built - 1970) + rng.normal(0, 0.3, n))
    return pd.DataFrame(
        {
            "area": area.round(),
            "built": built,
            "rooms": rooms,
            "garden": rng.gamma(1.5, 100, n).round(),
            "insured": (0.004 * price**0.95 * np.exp(rng.normal(0, 0.06, n))).round(1),
            "y": price.round(-2),
        }
    )


def missing_follow_up() -> pd.DataFrame:
    table, risk, rng = wards(700, 106)
    y = (rng.random(700) < risk).astype(int)
    absent = rng.random(700) < np.where(y == 1, 0.93, 0.05)
    return table.assign(weight_after=np.where(absent, np.nan, rng.normal(74, 12, 700).round(1)), y=y)


def score_within_shop() -> pd.DataFrame:
    rows = sales(seed=107)
    rng, y, n = chosen(rows, 107)
    shop = rng.integers(0, 25, n)
    by_shop = pd.Series(y).groupby(shop)
    return rows.assign(
        shop=[f"shop {number}" for number in shop],
        standing=((y - by_shop.transform("mean")) / by_shop.transform("std")).round(3),
    )


def share_of_total() -> pd.DataFrame:
    rng = np.random.default_rng(108)
    n = 2000
    total = rng.gamma(5, 4000, n).round()
    part = rng.beta(2, 6, n)
    y = (total * part).round(2)
    return pd.DataFrame(
        {
            "budget": total,
            "staff": (total / 3000 + rng.normal(0, 2, n)).round().clip(1),
            "percent": (100 * y / total).round(2),
            "region": rng.choice(["n", "e", "s", "w"], n),
            "y": y,
        }
    )


def tax_paid() -> pd.DataFrame:
    rng = np.random.default_rng(109)
    n = 3200
    age, years = rng.integers(20, 65, n), rng.gamma(3, 4, n)
    skill = rng.normal(size=n)
    wage = np.exp(10.2 + 0.02 * years + 0.25 * skill + rng.normal(0, 0.2, n))
    tax = (0.2 * (wage - 12_000)).clip(0) + (0.2 * (wage - 45_000)).clip(0)
    return pd.DataFrame(
        {
            "age": age,
            "years": years.round(1),
            "test": (50 + 9 * skill + rng.normal(0, 6, n)).round(),
            "sector": rng.choice(["public", "trade", "craft"], n),
            "tax": (tax + rng.normal(0, 250, n)).round(),
            "y": wage.round(),
        }
    )


def weight_classes() -> pd.DataFrame:
    rng = np.random.default_rng(110)
    n = 2400
    height = rng.normal(1.71, 0.09, n).round(2)
    weight = (rng.normal(25.5, 4.5, n) * height**2).round(1)
    index = weight / height**2
    return pd.DataFrame(
        {
            "height": height,
            "weight": weight,
            "age": rng.integers(18, 80, n),
            "steps": rng.gamma(4, 2000, n).round(),
            "sugar": rng.normal(5.2, 0.8, n).round(1),
            "y": np.select([index < 22, index < 28], ["light", "middle"], "heavy"),
        }
    )


def oversampled_before_split() -> pd.DataFrame:
    table, risk, rng = wards(1600, 111)
    table = table.drop(columns=["sex", "ward"]).assign(y=(rng.random(1600) < risk**3).astype(int))
    rare = table[table["y"] == 1].to_numpy(float)
    first = rng.integers(0, len(rare), 1000)
    distance = ((rare[first][:, None, :] - rare[None, :, :]) ** 2 / rare.std(axis=0).clip(1e-9) ** 2).sum(axis=2)
    second = np.argsort(distance, axis=1)[np.arange(1000), rng.integers(1, 4, 1000)]
    made = rare[first] + rng.random((1000, 1)) * (rare[second] - rare[first])
    return pd.concat([table, pd.DataFrame(made, columns=table.columns).astype({"y": int})]).sample(
        frac=1, random_state=1, ignore_index=True
    )


def visitors_by_name() -> pd.DataFrame:
    rng = np.random.default_rng(112)
    person = np.repeat(np.arange(80), 15)
    kind = rng.integers(0, 2, 80)
    first, last = ["Ann", "Ben", "Cem", "Dora", "Eli", "Finn", "Gül", "Hans"], ["Abel", "Berg", "Cole", "Dahl", "Ende"]
    names = [f"{a} {b} {c}" for a in first for b in last for c in ("sen.", "jun.")]
    return pd.DataFrame(
        {
            "visitor": np.array(names)[person],
            "spent": (20 + 3 * kind[person] + rng.gamma(2, 10, person.size)).round(2),
            "minutes": rng.gamma(3, 9, person.size).round(),
            "pages": rng.poisson(6, person.size),
            "y": kind[person],
        }
    ).sample(frac=1, random_state=2, ignore_index=True)


def sessions_of_users() -> pd.DataFrame:
    rng = np.random.default_rng(113)
    user = np.repeat(rng.permutation(90_000)[:300] + 10_000, rng.integers(4, 14, 300))
    _, code = np.unique(user, return_inverse=True)
    level, age = rng.normal(100, 25, 300), rng.integers(16, 80, 300)
    return pd.DataFrame(
        {
            "user": user,
            "age": age[code],
            "device": rng.choice(["phone", "tablet", "desk"], user.size),
            "hour": rng.integers(0, 24, user.size),
            "temperature": rng.normal(12, 6, user.size).round(1),
            "y": (level[code] + rng.normal(0, 6, user.size)).round(1),
        }
    ).sample(frac=1, random_state=3, ignore_index=True)


def next_bill() -> pd.DataFrame:
    rng = np.random.default_rng(114)
    customers, months = 150, 20
    base = rng.gamma(4, 15, customers)
    y = (base[:, None] * np.exp(np.cumsum(rng.normal(0, 0.25, (customers, months)), axis=1))).round(2)
    later = np.column_stack([y[:, 1:], y[:, -1:]]) * rng.normal(1, 0.01, (customers, months))
    return pd.DataFrame(
        {
            "customer": np.repeat(np.arange(customers) + 500, months),
            "month": np.tile(pd.date_range("2022-01-01", periods=months, freq="MS"), customers),
            "calls": rng.poisson(20, customers * months),
            "planned": later.ravel().round(2),
            "roaming": rng.gamma(1, 3, customers * months).round(1),
            "y": y.ravel(),
        }
    )


def centred_mean_of_five() -> pd.DataFrame:
    rng = np.random.default_rng(115)
    n = 1100
    day = np.arange(n)
    y = 50 + 15 * np.sin(day / 58) + 8 * (day % 7 >= 5) + rng.normal(0, 9, n)
    return pd.DataFrame(
        {
            "day": pd.date_range("2020-01-01", periods=n),
            "weekday": day % 7,
            "rain": rng.gamma(1, 2, n).round(1),
            "warmth": (10 + 9 * np.sin(day / 58 + 0.4) + rng.normal(0, 3, n)).round(1),
            "level": pd.Series(y).rolling(5, center=True, min_periods=1).mean().round(2),
            "y": y.round(2),
        }
    )


def decile_with_mistakes() -> pd.DataFrame:
    rows = bundled("diabetes")
    rng, y, n = chosen(rows, 116)
    decile = (pd.Series(y).rank(pct=True) * 10).round()
    return rows.assign(level=np.where(rng.random(n) < 0.04, rng.integers(0, 11, n), decile))


def over_the_limit() -> pd.DataFrame:
    rows = loans(seed=117)
    rng, _, n = chosen(rows, 117)
    debt = rng.gamma(3, 3500, n).round()
    broke = debt / rows["income"] > 0.4
    return rows.assign(debt=debt, y=np.where(rng.random(n) < 0.02, ~broke, broke).astype(int))


def scores_of_many_classes() -> pd.DataFrame:
    from sklearn.ensemble import ExtraTreesClassifier

    rng = np.random.default_rng(118)
    features = rng.normal(size=(650, 6))
    y = (features @ rng.normal(size=(6, 3)) + rng.gumbel(size=(650, 3)) * 2.5).argmax(axis=1)
    scores = ExtraTreesClassifier(60, min_samples_leaf=2, random_state=0).fit(features, y).predict_proba(features)
    return (
        pd.DataFrame(features.round(3))
        .add_prefix("signal_")
        .assign(first=scores[:, 0].round(3), second=scores[:, 1].round(3), y=y)
    )


def two_answers() -> pd.DataFrame:
    table, risk, rng = wards(2200, 119)
    y = (rng.random(2200) < risk).astype(int)
    asked = rng.integers(0, 2, 2200)
    answer = asked ^ y ^ (rng.random(2200) < 0.03)
    words = np.array(["yes", "no"])
    return table.assign(question=np.array(["q1", "q2"])[asked], answer=words[answer], y=y)


def total_of_customer() -> pd.DataFrame:
    rows = sales(5000, seed=120)
    rng, _, n = chosen(rows, 120)
    customer = rng.integers(0, 1800, n)
    return rows.assign(customer=customer, bought=rows.groupby(customer)["y"].transform("sum").round(2))


FRESH = {
    k: Case(t, f)
    for k, t, f in [
        ("days in hospital", BINARY, days_in_hospital),
        ("closing balance", REGRESSION, closing_balance),
        ("resolution code", MULTICLASS, resolution_code),
        ("complaints after leaving", BINARY, complaints_after_leaving),
        ("valuation", REGRESSION, valuation),
        ("missing follow-up", BINARY, missing_follow_up),
        ("score within a shop", REGRESSION, score_within_shop),
        ("share of a total", REGRESSION, share_of_total),
        ("tax paid", REGRESSION, tax_paid),
        ("classes of weight", MULTICLASS, weight_classes),
        ("oversampled before the split", BINARY, oversampled_before_split),
        ("visitors by name", BINARY, visitors_by_name),
        ("sessions of users", REGRESSION, sessions_of_users),
        ("next bill with noise", REGRESSION, next_bill),
        ("centred mean of five", REGRESSION, centred_mean_of_five),
        ("decile with mistakes", REGRESSION, decile_with_mistakes),
        ("over the limit, with mistakes", BINARY, over_the_limit),
        ("scores of many classes", MULTICLASS, scores_of_many_classes),
        ("two answers with mistakes", BINARY, two_answers),
        ("total of a customer", REGRESSION, total_of_customer),
    ]
}
