# ruff: noqa: D103, PLR2004
"""Twenty tables with one planted leak each, written before the detectors had seen any; then known."""

import numpy as np
import pandas as pd
from leak_tables import BINARY, MULTICLASS, REGRESSION, Case, bundled, chosen, loans, sales
from leak_tables_fresh import wards


def repaired_parts() -> pd.DataFrame:
    rng = np.random.default_rng(201)
    n = 5200
    age, load = rng.gamma(3, 2, n), rng.normal(70, 12, n)
    heat = 0.5 * load + 3 * age + rng.normal(0, 8, n)
    y = (rng.random(n) < 1 / (1 + np.exp(4.2 - 0.03 * heat - 0.1 * age))).astype(int)
    parts = np.where(y == 1, rng.poisson(2.4, n), rng.poisson(0.15, n))
    return pd.DataFrame({"age": age.round(1), "load": load.round(), "heat": heat.round(1), "parts": parts, "y": y})


def discount_given() -> pd.DataFrame:
    rng = np.random.default_rng(202)
    n = 1400
    listed = rng.gamma(4, 120, n).round(2)
    rate = rng.choice([0, 5, 10, 12.5, 20], n)
    return pd.DataFrame(
        {
            "listed": listed,
            "rate": rate,
            "shipping": rng.choice([0, 4.9, 9.9], n),
            "items": rng.integers(1, 9, n),
            "y": (listed * (1 - rate / 100)).round(2),
        }
    )


def grade_letters() -> pd.DataFrame:
    rng = np.random.default_rng(203)
    n = 900
    hours, prior = rng.gamma(3, 4, n), rng.normal(60, 12, n)
    y = (0.6 * prior + 1.2 * hours + rng.normal(0, 8, n)).round(1)
    letter = np.array(list("FEDCBA"))[np.digitize(y + rng.normal(0, 0.8, n), [35, 43, 50, 58, 66])]
    return pd.DataFrame(
        {
            "hours": hours.round(1),
            "prior": prior.round(),
            "school": rng.choice(list("xyz"), n),
            "letter": letter,
            "y": y,
        }
    )


def survivors_measured() -> pd.DataFrame:
    table, risk, rng = wards(1300, 204)
    y = (rng.random(1300) < risk).astype(int)
    seen = rng.random(1300) < np.where(y == 1, 0.12, 0.9)
    return table.assign(
        pulse_at_exit=np.where(seen, rng.normal(76, 11, 1300).round(), np.nan),
        weight_at_exit=np.where(seen & (rng.random(1300) < 0.95), rng.normal(75, 13, 1300).round(1), np.nan),
        y=np.where(y == 1, "died", "lived"),
    )


def margin_in_percent() -> pd.DataFrame:
    rng = np.random.default_rng(205)
    n = 2300
    price = rng.gamma(6, 30, n).round(2)
    cost = (price * rng.beta(8, 3, n)).round(2)
    return pd.DataFrame(
        {
            "price": price,
            "cost": cost,
            "stock": rng.poisson(40, n),
            "weight": rng.gamma(2, 2, n).round(2),
            "y": (100 * (price - cost) / price).round(1),
        }
    )


def speed_over_limit() -> pd.DataFrame:
    rng = np.random.default_rng(206)
    n = 6000
    limit = rng.choice([30, 50, 70, 100, 130], n)
    speed = (limit * rng.normal(0.97, 0.12, n)).round()
    return pd.DataFrame(
        {
            "limit": limit,
            "speed": speed,
            "rain": rng.integers(0, 2, n),
            "hour": rng.integers(0, 24, n),
            "lanes": rng.integers(1, 5, n),
            "y": (speed > 1.1 * limit).astype(int),
        }
    )


def tumour_stage() -> pd.DataFrame:
    rows = bundled("breast_cancer")
    rng, y, n = chosen(rows, 207)
    return rows.assign(stage=np.where(y == 0, rng.choice([2, 3, 4], n, p=[0.3, 0.5, 0.2]), rng.choice([0, 1, 2], n)))


def wine_price() -> pd.DataFrame:
    rows = bundled("wine")
    rng, y, n = chosen(rows, 208)
    return rows.assign(shelf=np.array([4.0, 9.0, 15.0])[y] + rng.normal(0, 1.6, n).round(2))


def diabetes_dose() -> pd.DataFrame:
    rows = bundled("diabetes")
    rng, y, n = chosen(rows, 209)
    return rows.assign(dose=(np.sqrt(y) * 3 + rng.normal(0, 3.5, n)).round())


def out_of_fold_missing() -> pd.DataFrame:
    from sklearn.ensemble import GradientBoostingClassifier

    table, risk, rng = wards(1100, 210)
    y = (rng.random(1100) < risk).astype(int)
    numbers = table[["age", "pressure", "creatinine", "haemoglobin"]]
    model = GradientBoostingClassifier(n_estimators=150, max_depth=5, random_state=0).fit(numbers, y)
    return table.assign(early_warning=model.predict_proba(numbers)[:, 1].round(3), y=y)


def rank_in_region() -> pd.DataFrame:
    rows = sales(3000, seed=211)
    rng, _, n = chosen(rows, 211)
    region = rng.integers(0, 12, n)
    place = rows.groupby(region)["y"].rank(ascending=False)
    return rows.assign(region=np.char.add("region ", region.astype(str)), place=place)


def next_state_of_machine() -> pd.DataFrame:
    rng = np.random.default_rng(212)
    machines, hours = 60, 70
    state = np.zeros((machines, hours + 1), dtype=int)
    for hour in range(1, hours + 1):
        flip = rng.random(machines) < np.where(state[:, hour - 1] == 1, 0.3, 0.12)
        state[:, hour] = np.where(flip, 1 - state[:, hour - 1], state[:, hour - 1])
    words = np.array(["runs", "stands"])
    return pd.DataFrame(
        {
            "machine": np.repeat(np.arange(machines) + 1, hours),
            "hour": np.tile(np.arange(hours), machines),
            "load": (rng.normal(50, 9, machines * hours) - 6 * state[:, :-1].ravel()).round(1),
            "follows": words[state[:, 1:].ravel()],
            "y": words[state[:, :-1].ravel()],
        }
    )


def twins_in_both_sides() -> pd.DataFrame:
    table, risk, rng = wards(1000, 213)
    y = (rng.random(1000) < risk).astype(int)
    first = table.assign(y=y)
    second = first.copy()
    for name, noise in {"pressure": 1.5, "creatinine": 0.02, "haemoglobin": 0.1}.items():
        second[name] = (second[name] + rng.normal(0, noise, 1000)).round(2)
    return pd.concat([first, second]).sample(frac=1, random_state=4, ignore_index=True)


def households() -> pd.DataFrame:
    rng = np.random.default_rng(214)
    house = np.repeat(rng.permutation(7000)[:450], rng.integers(3, 8, 450))
    _, code = np.unique(house, return_inverse=True)
    income, place = rng.gamma(4, 900, 450).round(), rng.normal(size=450)
    voted = (rng.random(450) < 1 / (1 + np.exp(-place))).astype(int)
    return pd.DataFrame(
        {
            "house": house,
            "income": income[code],
            "age": rng.integers(18, 90, house.size),
            "distance": (3 + place[code] + rng.normal(0, 1.5, house.size)).round(1),
            "y": voted[code],
        }
    ).sample(frac=1, random_state=5, ignore_index=True)


def quick_tickets() -> pd.DataFrame:
    rng = np.random.default_rng(215)
    n = 2600
    words, level = rng.poisson(60, n), rng.integers(1, 4, n)
    age = rng.gamma(2, 3, n)
    y = (rng.random(n) < 1 / (1 + np.exp(1.2 - 0.5 * level - 0.01 * (words - 60)))).astype(int)
    opened = pd.Timestamp("2023-05-01") + pd.to_timedelta(rng.integers(0, 200 * 1440, n), unit="m")
    took = rng.lognormal(np.where(y == 1, 5.6, 3.6), 0.7)
    return pd.DataFrame(
        {
            "words": words,
            "level": level,
            "age": age.round(1),
            "opened": opened,
            "closed": opened + pd.to_timedelta(took.round(), unit="m"),
            "y": y,
        }
    )


def area_of_rooms() -> pd.DataFrame:
    rng = np.random.default_rng(216)
    n = 800
    parts = {
        name: rng.gamma(5, size, n).round(1)
        for name, size in [("bath", 1.2), ("kitchen", 2), ("sleep", 3), ("live", 5)]
    }
    total = sum(parts.values())
    wrong = rng.random(n) < 0.03
    return pd.DataFrame(parts).assign(
        floor=rng.integers(0, 9, n), built=rng.integers(1900, 2022, n), y=np.where(wrong, total * 1.1, total).round(1)
    )


def hidden_in_text() -> pd.DataFrame:
    rows = loans(2500, seed=217)
    rng, y, n = chosen(rows, 217)
    words = np.array(["asked", "about", "rate", "branch", "again", "mail", "sent", "term"])
    ends = np.where(rng.random(n) < 0.85, np.where(y == 1, "handed to lawyers", "closed in full"), "no further note")
    return rows.assign(note=[f"{' '.join(rng.choice(words, 4))} {end}" for end in ends])


def bought_with_voucher() -> pd.DataFrame:
    rng = np.random.default_rng(218)
    n = 9000
    visits, days = rng.poisson(4, n), rng.gamma(2, 20, n)
    y = (rng.random(n) < 1 / (1 + np.exp(3.4 - 0.25 * visits + 0.01 * days))).astype(int)
    voucher = np.where((y == 1) & (rng.random(n) < 0.7), rng.choice(["V5", "V10"], n), "none")
    return pd.DataFrame(
        {
            "visits": visits,
            "days": days.round(),
            "device": rng.choice(["web", "app"], n),
            "country": rng.choice(["at", "ch", "de", "li"], n),
            "voucher": voucher,
            "y": y,
        }
    )


def average_of_team() -> pd.DataFrame:
    rows = sales(2400, seed=219)
    rng, _, n = chosen(rows, 219)
    team = rng.integers(0, 500, n)
    average = rows.groupby(team)["y"].transform("mean") + rng.normal(0, 6, n)
    return rows.assign(team=team, average=average.round(1))


def kind_by_two_codes() -> pd.DataFrame:
    rng = np.random.default_rng(220)
    n = 2000
    table = rng.permutation(np.arange(30) % 3).reshape(5, 6)
    shape, colour = rng.integers(0, 5, n), rng.integers(0, 6, n)
    y = np.where(rng.random(n) < 0.05, rng.integers(0, 3, n), table[shape, colour])
    return pd.DataFrame(
        {
            "shape": np.array(list("pqrst"))[shape],
            "colour": colour,
            "size": (rng.normal(10, 2, n) + y).round(1),
            "weight": rng.gamma(3, 2, n).round(2),
            "y": np.array(["low", "middle", "high"])[y],
        }
    )


LAST = {
    k: Case(t, f)
    for k, t, f in [
        ("parts replaced", BINARY, repaired_parts),
        ("discount given", REGRESSION, discount_given),
        ("letters for grades", REGRESSION, grade_letters),
        ("survivors measured", BINARY, survivors_measured),
        ("margin in percent", REGRESSION, margin_in_percent),
        ("speed over the limit", BINARY, speed_over_limit),
        ("stage of a tumour", BINARY, tumour_stage),
        ("price on the shelf", MULTICLASS, wine_price),
        ("dose by outcome", REGRESSION, diabetes_dose),
        ("early warning, in sample", BINARY, out_of_fold_missing),
        ("rank in a region", REGRESSION, rank_in_region),
        ("next state of a machine", BINARY, next_state_of_machine),
        ("second measurements", BINARY, twins_in_both_sides),
        ("households", BINARY, households),
        ("quick tickets", BINARY, quick_tickets),
        ("area of rooms", REGRESSION, area_of_rooms),
        ("notes of the outcome", BINARY, hidden_in_text),
        ("voucher of buyers", BINARY, bought_with_voucher),
        ("average of a team, with noise", REGRESSION, average_of_team),
        ("kind by two codes", MULTICLASS, kind_by_two_codes),
    ]
}
