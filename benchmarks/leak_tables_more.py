# ruff: noqa: D103, PLR2004
"""Twenty more tables with one planted leak each, known while the detectors were built."""

import numpy as np
import pandas as pd
from leak_tables import BINARY, MULTICLASS, REGRESSION, Case, bundled, chosen, loans, sales


def difference_of_dates() -> pd.DataFrame:
    rows = loans(seed=31)
    rng, y, n = chosen(rows, 31)
    opened = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    return rows.assign(
        opened=opened,
        closed=opened + pd.to_timedelta(np.where(y == 1, rng.integers(5, 60, n), rng.integers(70, 400, n)), unit="D"),
    )


def margin() -> pd.DataFrame:
    rows = sales(seed=32)
    rng, y, n = chosen(rows, 32)
    cost = rng.gamma(5, 60, n).round(2)
    return rows.assign(cost=cost, revenue=(cost + y).round(2))


def sum_of_months() -> pd.DataFrame:
    rng = np.random.default_rng(33)
    m = rng.poisson(30, (3000, 12)) * rng.gamma(3, 1, (3000, 1)).round(0)
    f = pd.DataFrame(m).add_prefix("month_")
    return f.assign(region=rng.choice(list("abc"), 3000), size=rng.gamma(2, 5, 3000), y=m.sum(axis=1))


def xor_noisy() -> pd.DataFrame:
    rows = loans(seed=34)
    rng, y, n = chosen(rows, 34)
    a = rng.integers(0, 2, n)
    b = a ^ y ^ (rng.random(n) < 0.01)
    return rows.assign(signed=a, stamped=b)


def product_noisy() -> pd.DataFrame:
    rows = sales(seed=35)
    rng, _, n = chosen(rows, 35)
    q = rng.integers(1, 40, n)
    p = rng.gamma(4, 3, n)
    return rows.assign(quantity=q, unit_price=p.round(2), y=q * p * rng.normal(1, 0.02, n) + 0.02 * rows.y)


def encoding_smoothed() -> pd.DataFrame:
    rows = loans(seed=36)
    rng, y, n = chosen(rows, 36)
    st = rng.integers(0, n // 4, n)
    g = rows.groupby(st)["y"]
    return rows.assign(street=st, rate=(g.transform("sum") + 5 * y.mean()) / (g.transform("size") + 5))


def encoding_multiclass() -> pd.DataFrame:
    rng = np.random.default_rng(37)
    n = 2000
    x = rng.normal(size=(n, 4))
    y = (x @ rng.normal(size=(4, 3)) + rng.gumbel(size=(n, 3)) * 1.5).argmax(axis=1)
    z = rng.integers(0, n // 3, n)
    t = pd.DataFrame(x).add_prefix("x").assign(zone=z, y=y)
    return t.assign(share_2=t.assign(h=(y == 2).astype(float)).groupby("zone")["h"].transform("mean"))


def encoding_regression() -> pd.DataFrame:
    rows = sales(seed=38)
    rng, _, n = chosen(rows, 38)
    t = rng.integers(0, n // 2, n)
    return rows.assign(team_mean=rows.groupby(t)["y"].transform("mean"))


def status_value() -> pd.DataFrame:
    rows = loans(seed=39)
    rng, y, n = chosen(rows, 39)
    return rows.assign(
        note=np.where(
            (y == 1) & (rng.random(n) < 0.3), "overdue letter sent", rng.choice(["none", "called", "mail"], n)
        )
    )


def status_in_cancer() -> pd.DataFrame:
    f = bundled("breast_cancer")
    rng = np.random.default_rng(40)
    y = f.y.to_numpy()
    n = len(f)
    return f.assign(ward=np.where((y == 0) & (rng.random(n) < 0.6), "oncology", rng.choice(["a", "b", "c"], n)))


def jitter_in_diabetes() -> pd.DataFrame:
    f = bundled("diabetes")
    rng = np.random.default_rng(41)
    c = f.sample(300, random_state=1)
    x = [k for k in f if k != "y"]
    c[x] += rng.normal(0, 0.0005, (300, len(x)))
    return pd.concat([f, c]).sample(frac=1, random_state=3, ignore_index=True)


def jitter_few() -> pd.DataFrame:
    rng = np.random.default_rng(42)
    f = pd.DataFrame(rng.normal(size=(3000, 6))).add_prefix("x")
    f["kind"] = rng.choice(list("abc"), 3000)
    f["y"] = (f.x0 * 2 + rng.normal(0, 3, 3000)).round(3)
    c = f.sample(500, random_state=4)
    k = [f"x{i}" for i in range(6)]
    c[k] += rng.normal(0, 0.02, (500, 6))
    return pd.concat([f, c]).sample(frac=1, random_state=3, ignore_index=True)


def machines() -> pd.DataFrame:
    rng = np.random.default_rng(43)
    m = np.repeat(rng.permutation(5000)[:80], 25)
    wear = rng.normal(50, 15, 5000)
    s = rng.normal(size=(5000, 4))
    f = pd.DataFrame(s[m] + rng.normal(0, 0.5, (m.size, 4))).add_prefix("vibration_")
    f["vibration_0"] += wear[m] / 60
    return f.assign(
        machine=m, shift=rng.integers(0, 3, m.size), y=(wear[m] + rng.normal(0, 2, m.size)).round(1)
    ).sample(frac=1, random_state=1, ignore_index=True)


def customers_text() -> pd.DataFrame:
    rng = np.random.default_rng(44)
    c = np.repeat(np.arange(250), 12)
    vip = rng.integers(0, 2, 250)
    p = rng.normal(size=(250, 5))
    f = pd.DataFrame(p[c] + rng.normal(0, 0.3, (c.size, 5))).add_prefix("pref_")
    return f.assign(customer=np.char.add("C", c.astype(str)), y=vip[c]).sample(
        frac=1, random_state=1, ignore_index=True
    )


def count_after() -> pd.DataFrame:
    f = bundled("breast_cancer")
    rng = np.random.default_rng(45)
    return f[["mean texture", "mean smoothness", "mean symmetry", "texture error", "y"]].assign(
        visits=rng.poisson(2 + 9 * (1 - f.y))
    )


def outcome_score() -> pd.DataFrame:
    f = bundled("diabetes")
    rng = np.random.default_rng(46)
    return f.assign(assessment=(f.y * 0.4 + rng.normal(0, 4, len(f))).round(1))


def moving_average_centred() -> pd.DataFrame:
    rows = sales(seed=47)
    return rows.assign(smooth=rows.y.rolling(3, center=True, min_periods=1).mean().round(2))


def next_of_series() -> pd.DataFrame:
    rng = np.random.default_rng(48)
    v = np.zeros(3001)
    for i in range(1, 3001):
        v[i] = 0.95 * v[i - 1] + rng.normal()
    return pd.DataFrame(
        {
            "t": pd.date_range("2020", periods=3000, freq="h"),
            "x": rng.normal(size=3000),
            "forecast": v[1:] + rng.normal(0, 0.02, 3000),
            "w": rng.gamma(2, 1, 3000),
            "y": v[:-1],
        }
    )


def gap_of_one_class() -> pd.DataFrame:
    rows = loans(seed=49)
    rng, y, n = chosen(rows, 49)
    return rows.assign(recovered=np.where((y == 1) | (rng.random(n) < 0.03), rng.gamma(2, 200, n), np.nan))


def threshold_of_ratio() -> pd.DataFrame:
    rows = loans(seed=50)
    rng, _, n = chosen(rows, 50)
    debt = rng.gamma(3, 4000, n).round()
    return rows.assign(debt=debt, y=(debt / rows.income > 0.5).astype(int))


MORE = {
    k: Case(t, f)
    for k, t, f in [
        ("difference of dates", BINARY, difference_of_dates),
        ("margin", REGRESSION, margin),
        ("sum of months", REGRESSION, sum_of_months),
        ("XOR with mistakes", BINARY, xor_noisy),
        ("product with noise", REGRESSION, product_noisy),
        ("smoothed encoding", BINARY, encoding_smoothed),
        ("encoding of a class", MULTICLASS, encoding_multiclass),
        ("encoding of numbers", REGRESSION, encoding_regression),
        ("note of one class", BINARY, status_value),
        ("ward of one class", BINARY, status_in_cancer),
        ("jitter, few rows", REGRESSION, jitter_in_diabetes),
        ("jitter, few copies", REGRESSION, jitter_few),
        ("machines", REGRESSION, machines),
        ("customers by text", BINARY, customers_text),
        ("visits counted after", BINARY, count_after),
        ("assessment after", REGRESSION, outcome_score),
        ("centred moving average", REGRESSION, moving_average_centred),
        ("next value with noise", REGRESSION, next_of_series),
        ("gap of one class", BINARY, gap_of_one_class),
        ("threshold of a ratio", BINARY, threshold_of_ratio),
    ]
}
