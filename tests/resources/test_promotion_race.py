"""A decision against an outdated champion changes nothing: real processes, real stores."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from object_stores import object_store_at

from assay.errors import ChampionChangedError, CommitConflictError
from assay.promotion.decision import PromotionDecision
from resources.mlflow.connection import connect, initialise_local_stores
from resources.mlflow.models import RegisteredVersion
from resources.mlflow.registry import CHAMPION, PREVIOUS, MlflowModelRegistry
from resources.store import lease as turns

ROOT = Path(__file__).parents[2]
RACERS = 5
RACER = """
import sys, time
from pathlib import Path
from test_promotion_race import registry_of, comparison_with, SPEC
folder, number = sys.argv[1:]
registry = registry_of(folder)
registry.champion("demo")
Path(folder, f"ready-{number}").touch()
while not Path(folder, "go").exists():
    time.sleep(0.001)
from assay.errors import ChampionChangedError
try:
    print("promoted", registry.apply(comparison_with(number, None), SPEC).version)
except ChampionChangedError:
    print("too late")
"""


class SPEC:
    """What the registry reads of a pipeline."""

    name = registered_name = "demo"


class Model:
    """A candidate that MLflow holds already, as version of its number."""

    def __init__(self, number):
        self.number = number


class Registry(MlflowModelRegistry):
    """Versions are there already; only who is champion is decided here."""

    def register(self, name, model, card):
        return RegisteredVersion(name, str(model.number), "")

    def _loaded(self, version):
        return None


def registry_of(folder):
    return Registry(tracking_uri=f"sqlite:///{folder}/mlflow.db", object_store=object_store_at(f"{folder}/store"))


def comparison_with(number, met):
    from resources.mlflow.registry import Comparison

    decision = PromotionDecision(verdict="promoted", reason="for the test", metric="mae", challenger_value=1.0)
    return Comparison(Model(number), met, decision, "# card")


@pytest.fixture(scope="module")
def empty_mlflow(tmp_path_factory):
    """An initialised database to copy: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    initialise_local_stores(f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture
def client(tmp_path, empty_mlflow):
    """A registry with as many versions as there are racers, and no champion."""
    shutil.copytree(empty_mlflow, tmp_path, dirs_exist_ok=True)
    client = connect(f"sqlite:///{tmp_path}/mlflow.db")
    client.create_registered_model("demo")
    for _ in range(RACERS):
        client.create_model_version("demo", source=str(tmp_path))
    return client


@pytest.fixture
def registry(client, tmp_path):
    return registry_of(str(tmp_path))


def alias(client, name):
    found = client.get_registered_model("demo").aliases.get(name)
    return None if found is None else str(found)


def test_of_several_first_champions_in_processes_exactly_one_is_promoted(client, tmp_path):
    path = {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support:{Path(__file__).parent}"}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(number)],
            cwd=ROOT, env={**os.environ, **path}, stdout=subprocess.PIPE, text=True,
        )
        for number in range(1, RACERS + 1)
    ]  # fmt: skip
    while len(list(tmp_path.glob("ready-*"))) < RACERS and all(racer.poll() is None for racer in racers):
        time.sleep(0.01)
    (tmp_path / "go").touch()
    told = [racer.communicate(timeout=200)[0].strip() for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * RACERS
    (winner,) = [line for line in told if line.startswith("promoted")]
    assert told.count("too late") == RACERS - 1
    assert alias(client, CHAMPION) == winner.split()[1]
    assert alias(client, PREVIOUS) is None


def test_of_several_promotions_against_one_champion_one_counts(client, registry, in_threads):
    registry.apply(comparison_with(1, None), SPEC)
    met = registry.champion("demo")

    def promote(number):
        return registry.apply(comparison_with(number + 2, met), SPEC).previous_version

    done = in_threads(RACERS - 1, promote)
    assert done.count("1") == 1
    assert sum(isinstance(one, ChampionChangedError) for one in done) == RACERS - 2
    assert alias(client, PREVIOUS) == "1"


def test_a_decision_that_comes_too_late_registers_and_sets_nothing(client, registry):
    registry.apply(comparison_with(1, None), SPEC)
    stale = registry.champion("demo")
    registry.apply(comparison_with(2, stale), SPEC)
    with pytest.raises(ChampionChangedError) as refused:
        registry.apply(comparison_with(3, stale), SPEC)
    assert refused.value.transient
    assert (refused.value.found, refused.value.expected) == ("version 2", "version 1")
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("2", "1")
    assert "assay.holdout_value" not in client.get_model_version("demo", "3").tags


def test_a_champion_that_people_set_in_mlflow_counts(client, registry):
    client.set_registered_model_alias("demo", CHAMPION, "4")
    with pytest.raises(ChampionChangedError):
        registry.apply(comparison_with(1, None), SPEC)
    assert alias(client, CHAMPION) == "4"


def test_a_roll_back_beside_a_promotion_does_not_undo_it(client, registry, monkeypatch):
    registry.apply(comparison_with(1, None), SPEC)
    registry.apply(comparison_with(2, registry.champion("demo")), SPEC)

    def promoted_meanwhile(self, version):
        registry.apply(comparison_with(3, registry.champion("demo")), SPEC)

    monkeypatch.setattr(Registry, "_loaded", promoted_meanwhile)
    with pytest.raises(ChampionChangedError):
        registry.roll_back("demo")
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("3", "2")


def test_a_holder_that_slept_through_its_turn_sets_nothing(client, registry, monkeypatch):
    monkeypatch.setattr(turns, "_USABLE_SECONDS", -1.0)
    with pytest.raises(CommitConflictError):
        registry.apply(comparison_with(1, None), SPEC)
    assert alias(client, CHAMPION) is None
