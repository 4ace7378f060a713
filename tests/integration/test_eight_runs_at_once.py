"""Eight processes materialise eight partitions of one pipeline at once, the first use of every store included."""

import random
import shutil
import subprocess

import mlflow
import pytest
from postgres_server import postgres_server
from small_platform import ASSETS, write_csv

from assay.promotion.champion import ChampionRecord
from resources.artifacts.store import ArtifactStore
from resources.store.local import LocalStore

MONTHS = [f"2020-0{month}" for month in range(1, 9)]
MATERIALIZE = ["dagster", "asset", "materialize", "-f", "definitions.py", "--select"]
PIPELINE = """\
name: tiny
task: regression
dataset:
  source: data.csv
  partitions: {by: month, column: day, start: "2020-01", end: "2020-10"}
  target: y
split: {by: random, test_size: 0.25}
model: {candidates: [ridge]}
tuning: {enabled: false}
"""


@pytest.fixture
def tiny(checkout):
    draw = random.Random(5)
    rows = [
        {"day": f"{month}-{1 + n % 28:02d}T00:00:00", "x": n, "z": draw.random(), "y": 3 * n + draw.random()}
        for month in MONTHS
        for n in range(60)
    ]
    write_csv(checkout.root / "data.csv", rows)
    checkout.write("pipelines/tiny.yaml", PIPELINE)
    return checkout


@pytest.mark.full
def test_eight_first_runs_at_once_all_end_right(tiny):
    all_at_once(tiny, "tiny/*", DAGSTER_HOME=str(tiny.root))
    assert (tiny.root / ".assay" / "dagster" / "history").exists()
    store = ArtifactStore(LocalStore(tiny.root / ".assay" / "store"))
    each_month_has_its_own_rows(store)
    each_month_has_its_own_result(store)
    each_champion_met_the_one_before_it(store)
    there_is_one_champion(tiny.root / ".assay" / "mlflow" / "mlflow.db")


@pytest.mark.full
def test_eight_first_runs_at_once_on_postgresql_all_end_right(tiny):
    """What is under test is the instance's storage: nothing else depends on it, so one asset is enough."""
    home = tiny.root / "home"
    home.mkdir()
    shutil.copy(tiny.root / "deploy" / "dagster-postgres.yaml", home / "dagster.yaml")
    with postgres_server() as server:
        all_at_once(tiny, "tiny/raw_dataset", DAGSTER_HOME=str(home), ASSAY_DAGSTER_POSTGRES_URL=server.url)
    assert not (tiny.root / ".assay" / "dagster" / "history").exists()
    newest = newest_of(ArtifactStore(LocalStore(tiny.root / ".assay" / "store")), ("raw_dataset",))
    assert {commit.fingerprint.rows for commit in newest.values()} == {60}
    assert len({commit.data_version for commit in newest.values()}) == 8


def all_at_once(checkout, assets, **storage):
    processes = {}
    for month in MONTHS:
        with (checkout.root / f"{month}.log").open("w") as log:
            processes[month] = subprocess.Popen(
                [*MATERIALIZE, f'key:"{assets}"', "--partition", month],
                cwd=checkout.root,
                env=checkout.environment(**storage),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    try:
        codes = {month: process.wait(timeout=1500) for month, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    texts = {month: (checkout.root / f"{month}.log").read_text() for month in MONTHS}
    assert list(codes.values()) == [0] * 8, "\n".join(text[-1500:] for text in texts.values())
    assert all("run succeeded" in text for text in texts.values())


def newest_of(store, assets):
    newest = {(asset, month): store.newest(("tiny", asset), month) for asset in assets for month in MONTHS}
    assert {commit.number for commit in newest.values()} == {1}
    assert {commit.partition for commit in newest.values()} == set(MONTHS)
    return newest


def each_month_has_its_own_rows(store):
    newest = newest_of(store, ("raw_dataset", "validated_dataset"))
    assert {newest["raw_dataset", month].fingerprint.rows for month in MONTHS} == {60}
    assert len({newest["validated_dataset", month].data_version for month in MONTHS}) == 8


def each_month_has_its_own_result(store):
    newest = newest_of(store, ASSETS)
    for month in MONTHS:
        data = newest["validated_dataset", month]
        read = newest["trained_model", month].inputs
        assert read[f"tiny/validated_dataset@{month}"] == f"1:{data.data_version}"


def each_champion_met_the_one_before_it(store):
    records = [store.load(("tiny", "champion_model"), month, ChampionRecord) for month in MONTHS]
    promoted = sorted((record for record in records if record.decision.promotes), key=lambda one: int(one.version))
    assert [record.previous_version for record in promoted] == [None, *(one.version for one in promoted[:-1])]


def there_is_one_champion(database):
    client = mlflow.MlflowClient(f"sqlite:///{database}")
    (model,) = client.search_registered_models()
    assert client.get_model_version_by_alias(model.name, "champion").status == "READY"
    runs = client.search_runs([client.get_experiment_by_name("assay/tiny").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 8
