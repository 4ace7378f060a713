# ruff: noqa: D103, PLR2004
"""Twenty tables with one planted leak each, written after the first detectors were finished; then known."""

import numpy as np
import pandas as pd
from leak_tables import BINARY, MULTICLASS, REGRESSION, Case, bundled, chosen, loans, sales


def code_with_mistakes() -> pd.DataFrame:
    f = bundled("iris")
    rng = np.random.default_rng(61)
    n = len(f)
    return f.assign(lab=np.where(rng.random(n) < 0.05, rng.integers(0, 3, n), f.y))


def forest_in_sample() -> pd.DataFrame:
    from sklearn.ensemble import RandomForestClassifier

    rows = loans(seed=62)
    x = rows[["income", "age", "amount", "children"]]
    m = RandomForestClassifier(30, random_state=0, min_samples_leaf=3).fit(x, rows.y)
    return rows.assign(score=m.predict_proba(x)[:, 1].round(3))


def rating_in_steps() -> pd.DataFrame:
    f = bundled("diabetes")
    return f.assign(stage=(f.y // 40).astype(int))


def pixel() -> pd.DataFrame:
    f = bundled("digits")
    f = f.assign(y=f.y % 2)
    rng = np.random.default_rng(63)
    return f.assign(mark=(f.y * 6 + rng.normal(0, 2, len(f))).round(1))


def sum_with_gaps() -> pd.DataFrame:
    rng = np.random.default_rng(64)
    a, b, c = (rng.gamma(3, 10, 3000).round(1) for _ in range(3))
    y = (a + b + c).round(1)
    a, b, c = (np.where(rng.random(3000) < 0.08, np.nan, v) for v in (a, b, c))
    return pd.DataFrame(
        {"rent": a, "food": b, "fun": c, "age": rng.integers(20, 70, 3000), "people": rng.poisson(2, 3000), "y": y}
    )


def logarithm_of_product() -> pd.DataFrame:
    rng = np.random.default_rng(65)
    w, h = rng.gamma(5, 3, 3000).round(2), rng.gamma(4, 4, 3000).round(2)
    return pd.DataFrame(
        {"w": w, "h": h, "kind": rng.choice(list("abc"), 3000), "z": rng.normal(size=3000), "y": np.log(w * h)}
    )


def obesity() -> pd.DataFrame:
    rng = np.random.default_rng(66)
    h = rng.normal(1.72, 0.1, 4000).round(2)
    w = (22 + rng.normal(5, 5, 4000)) * h**2
    w = w.round(1)
    age = rng.integers(18, 80, 4000)
    return pd.DataFrame(
        {
            "height": h,
            "weight": w,
            "age": age,
            "smoker": rng.integers(0, 2, 4000),
            "sport": rng.poisson(2, 4000),
            "y": (w / h**2 > 30).astype(int),
        }
    )


def two_of_three() -> pd.DataFrame:
    rows = loans(seed=67)
    rng, _, n = chosen(rows, 67)
    f = rng.integers(0, 2, (n, 3))
    return rows.assign(late_1=f[:, 0], late_2=f[:, 1], late_3=f[:, 2], y=(f.sum(axis=1) >= 2).astype(int))


def wells() -> pd.DataFrame:
    rng = np.random.default_rng(68)
    w = np.repeat(np.arange(40), 60)
    depth = rng.normal(900, 200, 40)
    s = rng.normal(size=(40, 4))
    f = pd.DataFrame(s[w] + rng.normal(0, 1, (w.size, 4))).add_prefix("log_")
    return f.assign(
        well=pd.Series(w).map(lambda k: f"well-{k * 37 % 101}"), y=(depth[w] + rng.normal(0, 30, w.size)).round()
    ).sample(frac=1, random_state=1, ignore_index=True)


def copies_with_new_ids() -> pd.DataFrame:
    f = bundled("breast_cancer")
    f = f[["mean radius", "mean texture", "mean smoothness", "mean symmetry", "y"]]
    f = pd.concat([f, f.sample(200, random_state=1)]).sample(frac=1, random_state=2, ignore_index=True)
    return f.assign(case=np.random.default_rng(1).permutation(len(f)) + 10000)


def mean_of_next() -> pd.DataFrame:
    rows = sales(seed=69)
    y = rows.y
    return rows.assign(
        outlook=((y.shift(-1) + y.shift(-2) + y.shift(-3)) / 3).round(2).fillna(0), y=y.ewm(span=8).mean().round(2)
    )


def percentile() -> pd.DataFrame:
    rows = sales(seed=70)
    return rows.assign(place=(rows.y.rank(pct=True) * 100).round())


def error_percent() -> pd.DataFrame:
    rows = sales(seed=71)
    rng, y, n = chosen(rows, 71)
    y = y + 600
    fc = (y * rng.normal(1, 0.25, n)).round(1)
    return rows.assign(y=y.round(2), forecast=fc, deviation=((y - fc) / fc * 100).round(1))


def word_in_comment() -> pd.DataFrame:
    rows = loans(seed=72)
    rng, y, _ = chosen(rows, 72)
    w = np.array(["nice", "call", "back", "later", "form", "sent", "asked", "home"])
    t = [" ".join(rng.choice(w, 6)) + (" collection agency" if v and rng.random() < 0.9 else "") for v in y]
    return rows.assign(comment=t)


def three_gaps() -> pd.DataFrame:
    rows = loans(seed=73)
    rng, y, n = chosen(rows, 73)
    m = np.where(rng.random(n) < 0.04, 1 - y, y) == 1
    return rows.assign(**{k: np.where(m, np.nan, rng.normal(size=n)) for k in ("height", "weight", "pulse")})


def sorted_rows() -> pd.DataFrame:
    rows = loans(seed=74).sort_values("y", kind="stable", ignore_index=True)
    return rows.assign(nr=np.arange(len(rows)) + 1)


def branches() -> pd.DataFrame:
    rows = loans(seed=75)
    rng, y, n = chosen(rows, 75)
    b = np.where(y == 1, rng.integers(0, 30, n), rng.integers(30, 60, n))
    return rows.assign(branch=np.array([f"b{k * 17 % 60}" for k in range(60)])[b])


def last_contact() -> pd.DataFrame:
    rows = loans(seed=76)
    rng, y, n = chosen(rows, 76)
    return rows.assign(
        last_contact=pd.Timestamp("2023-06-01")
        + pd.to_timedelta(np.where(y == 1, rng.normal(40, 12, n), rng.normal(0, 12, n)).round(), unit="D")
    )


def treatment() -> pd.DataFrame:
    f = bundled("wine")
    rng = np.random.default_rng(77)
    n = len(f)
    f = f[["malic_acid", "ash", "magnesium", "hue", "y"]]
    return f.assign(
        cellar=np.array(["north", "south", "west"])[np.where(rng.random(n) < 0.04, rng.integers(0, 3, n), f.y)]
    )


def billed_hours() -> pd.DataFrame:
    rng = np.random.default_rng(78)
    h = rng.gamma(3, 8, 2500).round(2)
    rate = rng.choice([80, 95, 120, 150], 2500)
    fee = rng.choice([0, 25, 50], 2500)
    return pd.DataFrame(
        {
            "hours": h,
            "rate": rate,
            "fee": fee,
            "client": rng.choice(list("pqrs"), 2500),
            "staff": rng.integers(1, 9, 2500),
            "y": (h * rate + fee).round(2),
        }
    )


UNSEEN = {
    k: Case(t, f)
    for k, t, f in [
        ("code with mistakes", MULTICLASS, code_with_mistakes),
        ("score of a fitted forest", BINARY, forest_in_sample),
        ("rating in steps", REGRESSION, rating_in_steps),
        ("mark among 64 pixels", BINARY, pixel),
        ("sum with gaps", REGRESSION, sum_with_gaps),
        ("logarithm of a product", REGRESSION, logarithm_of_product),
        ("obesity", BINARY, obesity),
        ("two of three", BINARY, two_of_three),
        ("wells", REGRESSION, wells),
        ("copies under new numbers", BINARY, copies_with_new_ids),
        ("mean of the next rows", REGRESSION, mean_of_next),
        ("percentile", REGRESSION, percentile),
        ("error in percent", REGRESSION, error_percent),
        ("words in a comment", BINARY, word_in_comment),
        ("three gaps", BINARY, three_gaps),
        ("sorted rows with a number", BINARY, sorted_rows),
        ("branches", BINARY, branches),
        ("last contact", BINARY, last_contact),
        ("cellar", MULTICLASS, treatment),
        ("billed hours", REGRESSION, billed_hours),
    ]
}
