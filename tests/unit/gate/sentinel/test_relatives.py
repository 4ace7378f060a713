"""Near copies of rows, and entities that no column is declared to name."""

import numpy as np
import pandas as pd
import pytest

BINARY, REGRESSION = "binary_classification", "regression"


def independent(rows=1500, columns=8, seed=23):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, columns))).add_prefix("sensor_")
    return table.assign(y=(rng.random(rows) < 1 / (1 + np.exp(-table["sensor_0"]))).astype(int))


def with_copies(share, noise, rows=1500):
    table = independent(rows)
    copies = table.sample(frac=share, random_state=1)
    features = [name for name in table if name != "y"]
    copies[features] += np.random.default_rng(2).normal(0, noise, (len(copies), len(features)))
    return pd.concat([table, copies]).sample(frac=1, random_state=2, ignore_index=True)


@pytest.mark.parametrize(("rows", "share", "noise"), [(1500, 0.5, 0.01), (1500, 0.1, 0.02), (20_000, 0.3, 0.01)])
def test_rows_with_small_noise_are_copies(found, rows, share, noise):
    assert "near copy" in found("rows_not_repeated", with_copies(share, noise, rows), BINARY)[""]


@pytest.mark.parametrize("rows", [1500, 20_000])
def test_independent_rows_are_not(found, rows):
    assert found("rows_not_repeated", independent(rows), BINARY) == {}


def patients(task, numbers, seed=24):
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(1, 61), 40)
    level = rng.normal(30, 10, 61) if task == REGRESSION else rng.integers(0, 2, 61)
    voice = rng.normal(size=(61, 5))
    rows = pd.DataFrame(voice[patient] + rng.normal(0, 0.6, (patient.size, 5))).add_prefix("voice_")
    noise = rng.normal(0, 1.5, patient.size) if task == REGRESSION else 0
    rows = rows.assign(subject=patient, y=level[patient] + noise)
    return rows.assign(subject=patient if numbers else "p" + pd.Series(patient).astype(str))


@pytest.mark.parametrize("task", [BINARY, REGRESSION])
@pytest.mark.parametrize("numbers", [True, False])
def test_a_column_of_entities_is_found_whatever_its_type(found, task, numbers):
    reasons = found("groups_not_split", patients(task, numbers), task)

    assert set(reasons) == {"subject"}
    assert "group: subject" in reasons["subject"]


def test_a_number_whose_neighbours_say_the_same_names_no_entity(found):
    rng = np.random.default_rng(3)
    year = rng.integers(1950, 2020, 3000)
    columns = {"year": year, "x": rng.normal(size=3000), "z": rng.normal(size=3000), "w": rng.normal(size=3000)}

    assert found("groups_not_split", {**columns, "y": year * 3.0 + rng.normal(size=3000)}, REGRESSION) == {}


def test_copies_under_new_numbers_are_found(found):
    table = independent(600, 4)
    rows = pd.concat([table, table.sample(200, random_state=1)]).sample(frac=1, random_state=2, ignore_index=True)
    rows = rows.assign(case=np.random.default_rng(1).permutation(len(rows)) + 10_000)

    assert "near copy" in found("rows_not_repeated", rows, BINARY)[""]


def wells(*, clustered):
    rng = np.random.default_rng(68)
    well = np.repeat(np.arange(40), 60)
    depth, own = rng.normal(900, 200, 40), rng.normal(size=(40, 4)) if clustered else np.zeros((40, 4))
    logs = pd.DataFrame(own[well] + rng.normal(0, 1.4, (well.size, 4))).add_prefix("log_")
    names = np.array([f"well-{number * 37 % 101}" for number in range(40)])
    return logs.assign(well=names[well], y=depth[well] + rng.normal(0, 30, well.size))


def test_entities_are_found_where_their_rows_are_alike_though_no_row_is_recognised(found):
    assert set(found("groups_not_split", wells(clustered=True), REGRESSION)) == {"well"}


def test_a_category_whose_rows_are_not_alike_is_none(found):
    assert found("groups_not_split", wells(clustered=False), REGRESSION) == {}
