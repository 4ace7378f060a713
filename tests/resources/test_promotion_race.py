"""A decision against an outdated champion changes nothing: real processes, real stores."""

import threading
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from forked import in_processes
from mlflow import MlflowClient
from object_stores import object_store_at
from pydantic import PrivateAttr

from assay.errors import (
    ChampionChangedError,
    DigestMismatchError,
    StoreUnavailableError,
    TrackerUnavailableError,
    TrackingError,
)
from assay.promotion.decision import PromotionDecision
from resources.mlflow.connection import connect
from resources.mlflow.models import PublishedModel, RegisteredVersion
from resources.mlflow.people import Request, approve, reject, roll_back
from resources.mlflow.registry import MlflowModelRegistry
from resources.mlflow.versions import CHAMPION, PREVIOUS
from resources.store.local import LocalStore

ROOT = Path(__file__).parents[2]
RACERS = 8
PROCESSES = 5
RACER = """
import time
from pathlib import Path
from assay.errors import ChampionChangedError
from test_promotion_race import registry_of, comparison_with, SPEC

def act(number):
    registry = registry_of({folder!r})
    registry.champion("demo")
    Path({folder!r}, f"ready-{{number}}").touch()
    while len(list(Path({folder!r}).glob("ready-*"))) < {processes}:
        time.sleep(0.001)
    try:
        print("promoted", registry.apply(comparison_with(number + 1, None), SPEC).version)
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

    _registered = PrivateAttr(default_factory=list)

    @property
    def registered(self):
        return self._registered

    def register(self, name, published, card):
        self._registered.append(str(published.model.number))
        return RegisteredVersion(name, str(published.model.number), "")

    def loaded(self, version, entry):
        return None


def registry_of(folder):
    return Registry(tracking_uri=f"sqlite:///{folder}/mlflow.db", object_store=object_store_at(f"{folder}/store"))


def comparison_with(number, champion, run_id="run"):
    from resources.mlflow.registry import Comparison

    decision = PromotionDecision(verdict="promoted", reason="for the test", metric="mae", challenger_value=1.0)
    return Comparison(Model(number), champion, decision, "# card", run_id, PublishedModel(Model(number), "", None))


@pytest.fixture
def client(tmp_path, templates):
    """A registry with as many versions as there are racers, and no champion."""
    templates.empty_mlflow(tmp_path)
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


def versions(registry):
    return [entry.version for entry in entries(registry)]


def entries(registry):
    return registry.journal("demo").history().entries


ANN = Request(by="ann", reason="for the test")


def promote(registry, *numbers):
    for number in numbers:
        registry.apply(comparison_with(number, registry.champion("demo")), SPEC)


def propose(registry, number):
    """Ask for approval; returns the version that waits."""
    held = comparison_with(number, registry.champion("demo"))
    held = replace(held, decision=held.decision.held("a person has to see it"))
    return registry.apply(held, SPEC).proposed_version


@pytest.mark.full
def test_of_several_first_champions_in_processes_exactly_one_is_promoted(client, tmp_path):
    printed = in_processes(RACER.format(folder=str(tmp_path), processes=PROCESSES), PROCESSES)
    (winner,) = [line for line in printed if line.startswith("promoted")]
    assert printed.count("too late") == PROCESSES - 1
    assert alias(client, CHAMPION) == winner.split()[1]
    assert alias(client, PREVIOUS) is None


def test_of_several_promotions_against_one_champion_one_counts(client, registry, in_threads):
    registry.apply(comparison_with(1, None), SPEC)
    champion = registry.champion("demo")

    def promote(number):
        return registry.apply(comparison_with(number + 2, champion), SPEC).previous_version

    done = in_threads(RACERS - 1, promote)
    assert done.count("1") == 1
    assert sum(isinstance(one, ChampionChangedError) for one in done) == RACERS - 2
    assert alias(client, PREVIOUS) == "1"


def test_promoters_that_decide_again_leave_one_history_and_the_aliases_of_its_end(client, registry, in_threads):
    def promote(number):
        while True:
            try:
                return registry.apply(comparison_with(number + 1, registry.champion("demo")), SPEC)
            except ChampionChangedError:
                continue

    records = in_threads(RACERS, promote)
    history = entries(registry)
    assert sorted(versions(registry)) == [str(number + 1) for number in range(RACERS)]
    assert [entry.replaced for entry in history] == [None, *versions(registry)[:-1]]
    assert {(record.version, record.previous_version) for record in records} == {
        (entry.version, entry.replaced) for entry in history
    }
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == (history[-1].version, history[-1].replaced)


def test_an_outdated_decision_registers_and_sets_nothing(client, registry):
    registry.apply(comparison_with(1, None), SPEC)
    stale = registry.champion("demo")
    registry.apply(comparison_with(2, stale), SPEC)
    with pytest.raises(ChampionChangedError) as refused:
        registry.apply(comparison_with(3, stale), SPEC)
    assert refused.value.transient
    assert (refused.value.found, refused.value.expected) == ("version 2", "version 1")
    assert registry.registered == ["1", "2"]
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("2", "1")
    assert "assay.holdout_value" not in client.get_model_version("demo", "3").tags


def test_a_champion_of_before_the_journal_is_its_first_entry(client, registry):
    client.set_registered_model_alias("demo", PREVIOUS, "3")
    client.set_registered_model_alias("demo", CHAMPION, "4")
    client.set_model_version_tag("demo", "4", "assay.holdout_value", "0.25")
    client.set_model_version_tag("demo", "4", "assay.bundle_digest", "d" * 64)
    with pytest.raises(ChampionChangedError):
        registry.apply(comparison_with(1, None), SPEC)
    (entry,) = entries(registry)
    assert (entry.event, entry.version, entry.replaced) == ("adopted", "4", "3")
    assert (entry.digest, entry.value_at_promotion) == ("d" * 64, 0.25)
    registry.apply(comparison_with(1, registry.champion("demo")), SPEC)
    assert versions(registry) == ["4", "1"]


def test_processes_that_adopt_at_once_agree(client, registry, in_threads):
    client.set_registered_model_alias("demo", CHAMPION, "4")
    client.set_model_version_tag("demo", "4", "assay.bundle_digest", "d" * 64)
    found = in_threads(RACERS, lambda _: registry.champion("demo"))
    assert {entry.version for entry in found} == {"4"}
    assert versions(registry) == ["4"]


def test_an_alias_that_was_moved_by_hand_does_not_count_and_is_reset(client, registry, caplog):
    registry.apply(comparison_with(1, None), SPEC)
    client.set_registered_model_alias("demo", CHAMPION, "4")
    assert registry.champion("demo").version == "1"
    assert registry.current_champion("demo").version == "1"
    assert alias(client, CHAMPION) == "1"


def test_a_promotion_that_stopped_before_its_aliases_counts_and_they_are_set_by_the_next_read(client, registry):
    registry.apply(comparison_with(1, None), SPEC)
    lost = TrackerUnavailableError("the server is gone")
    with (
        mock.patch.object(type(client), "set_registered_model_alias", side_effect=lost),
        pytest.raises(TrackerUnavailableError),
    ):
        registry.apply(comparison_with(2, registry.champion("demo")), SPEC)
    assert alias(client, CHAMPION) == "1"
    assert registry.current_champion("demo").version == "2"
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("2", "1")


def test_a_slow_promoter_does_not_leave_the_alias_on_its_older_version(client, registry, monkeypatch):
    """It sets the alias after a later promotion has finished, and sees the longer journal."""
    set_alias, others = MlflowClient.set_registered_model_alias, [2]

    def slow(client, name, which, version):
        if others:
            number = others.pop()
            registry.apply(comparison_with(number, registry.journal("demo").current()), SPEC)
        return set_alias(client, name, which, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", slow)
    registry.apply(comparison_with(1, None), SPEC)
    assert versions(registry) == ["1", "2"]
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("2", "1")


def test_a_store_that_fails_promotes_nothing(client, registry, monkeypatch):
    def lost(*_):
        raise StoreUnavailableError("no answer")

    monkeypatch.setattr(LocalStore, "put_if_absent", lost)
    with pytest.raises(StoreUnavailableError):
        registry.apply(comparison_with(1, None), SPEC)
    assert alias(client, CHAMPION) is None
    assert registry.champion("demo") is None


def test_a_roll_back_is_a_further_entry_that_says_who_and_why(client, registry):
    promote(registry, 1, 2)
    back = roll_back(registry, "demo", None, Request("ann", "complaints", "run 7"))
    assert (back.event, back.version, back.replaced, back.taken_back) == ("rolled_back", "1", "2", ("2",))
    assert (back.by, back.reason, back.run_id) == ("ann", "complaints", "run 7")
    assert back.value_at_promotion == 1.0
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("1", "2")


def test_two_roll_backs_go_further_back_and_a_third_has_nowhere_to_go(client, registry):
    promote(registry, 1, 2, 3)
    assert [roll_back(registry, "demo", None, ANN).version for _ in range(2)] == ["2", "1"]
    with pytest.raises(TrackingError, match="nothing to roll back to"):
        roll_back(registry, "demo", None, ANN)
    assert roll_back(registry, "demo", "3", ANN).version == "3"
    assert roll_back(registry, "demo", None, ANN).version == "1"
    assert versions(registry) == ["1", "2", "3", "2", "1", "3", "1"]
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("1", "3")


def test_of_two_people_who_roll_back_at_once_one_does(client, registry, in_threads):
    promote(registry, 1, 2, 3)
    everybody = threading.Barrier(RACERS)  # each has found version 3 as champion before one rolls back
    with mock.patch.object(Registry, "loaded", side_effect=lambda *_: everybody.wait(120)):
        done = in_threads(RACERS, lambda _: roll_back(registry, "demo", "2", ANN))
    assert sum(not isinstance(one, Exception) for one in done) == 1
    assert versions(registry) == ["1", "2", "3", "2"]


def test_a_roll_back_beside_a_promotion_does_not_undo_it(client, registry, monkeypatch):
    registry.apply(comparison_with(1, None), SPEC)
    registry.apply(comparison_with(2, registry.champion("demo")), SPEC)

    def promoted_meanwhile(self, version, digest):
        registry.apply(comparison_with(3, registry.champion("demo")), SPEC)

    monkeypatch.setattr(Registry, "loaded", promoted_meanwhile)
    with pytest.raises(ChampionChangedError):
        roll_back(registry, "demo", None, ANN)
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("3", "2")


def test_a_champion_that_was_deleted_in_mlflow_is_named_and_can_be_replaced_by_a_roll_back(client, registry):
    registry.apply(comparison_with(1, None), SPEC)
    registry.apply(comparison_with(2, registry.champion("demo")), SPEC)
    client.delete_model_version("demo", "2")
    with pytest.raises(TrackingError, match="not in the registry") as refused:
        registry.current_champion("demo")
    assert "champion_rollback_job" in refused.value.remedy
    assert roll_back(registry, "demo", None, ANN).version == "1"
    assert alias(client, CHAMPION) == "1"
    assert registry.current_champion("demo").version == "1"


def test_a_version_that_waits_is_registered_and_changes_no_champion(client, registry):
    promote(registry, 1)
    assert propose(registry, 2) == "2"
    assert propose(registry, 2) == "2"
    assert [entry.event for entry in entries(registry)] == ["promoted", "awaiting_approval"]
    assert registry.champion("demo").version == "1"
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("1", None)


def test_an_approved_version_is_champion_with_the_evidence_of_its_comparison(client, registry):
    promote(registry, 1)
    propose(registry, 2)
    approved = approve(registry, "demo", "2", ANN)
    waited = entries(registry)[1]
    assert (approved.event, approved.by, approved.reason) == ("approved", "ann", "for the test")
    assert (approved.decision, approved.against, approved.replaced) == (waited.decision, 1, "1")
    assert registry.champion("demo") == approved
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == ("2", "1")
    with pytest.raises(TrackingError, match="does not wait") as refused:
        approve(registry, "demo", "2", ANN)
    assert refused.value.found == "approved by entry 3 of the journal"


def test_a_first_model_can_wait_too(registry):
    assert propose(registry, 1) == "1"
    assert registry.champion("demo") is None
    assert approve(registry, "demo", "1", ANN).replaced is None
    assert registry.champion("demo").version == "1"


def test_a_rejected_version_keeps_the_champion_and_waits_no_more(registry):
    promote(registry, 1)
    propose(registry, 2)
    assert reject(registry, "demo", "2", ANN).event == "rejected"
    assert registry.champion("demo").version == "1"
    with pytest.raises(TrackingError, match="does not wait"):
        approve(registry, "demo", "2", ANN)


def test_an_approval_of_a_comparison_with_an_earlier_champion_is_refused(registry):
    promote(registry, 1)
    propose(registry, 2)
    promote(registry, 3)
    with pytest.raises(ChampionChangedError) as refused:
        approve(registry, "demo", "2", ANN)
    assert (refused.value.found, refused.value.expected) == ("version 3", "version 1")
    assert "assay rollback demo --to 2" in refused.value.remedy


def test_a_version_whose_files_changed_is_not_approved(registry, monkeypatch):
    promote(registry, 1)
    propose(registry, 2)

    def changed(self, version, entry):
        raise DigestMismatchError("the files differ")

    monkeypatch.setattr(Registry, "loaded", changed)
    with pytest.raises(DigestMismatchError):
        approve(registry, "demo", "2", ANN)
    assert registry.champion("demo").version == "1"


def test_of_racing_approvals_and_rejections_exactly_one_decides(registry, in_threads):
    promote(registry, 1)
    propose(registry, 2)
    done = in_threads(RACERS, lambda number: (approve if number % 2 else reject)(registry, "demo", "2", ANN))
    (decided,) = [one for one in done if not isinstance(one, Exception)]
    assert all(isinstance(one, TrackingError) for one in done if one is not decided)
    assert [entry.event for entry in entries(registry)] == ["promoted", "awaiting_approval", decided.event]


def test_promotions_approvals_and_roll_backs_that_race_leave_one_history(client, registry, in_threads):
    """Every entry names the champion before it, and the aliases are those of the newest change."""
    promote(registry, 1, 2)
    propose(registry, 8)
    acts = [
        *(lambda number=number: promote(registry, number) for number in range(3, 7)),
        *[lambda: roll_back(registry, "demo", None, ANN)] * 2,
        lambda: approve(registry, "demo", "8", ANN),
        lambda: reject(registry, "demo", "8", ANN),
    ]
    done = in_threads(len(acts), lambda number: acts[number]())
    assert all(one is None or not isinstance(one, Exception) or isinstance(one, TrackingError) for one in done)
    history = registry.journal("demo").history()
    assert [entry.number for entry in history.entries] == list(range(1, len(history.entries) + 1))
    champion = None
    for entry in history.entries:
        if entry.changes_champion:
            assert entry.replaced == champion
            champion = entry.version
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == (champion, history.champion.replaced)


@pytest.mark.parametrize("stray", [None, "5"], ids=["deleted", "moved"])
@pytest.mark.parametrize("by", ["promotion", "roll-back", "maintenance"])
def test_an_alias_that_strays_is_repaired(client, registry, stray, by):
    promote(registry, 1, 2)
    for name in (CHAMPION, PREVIOUS):
        client.delete_registered_model_alias("demo", name)
        if stray:
            client.set_registered_model_alias("demo", name, stray)
    if by == "promotion":
        promote(registry, 3)
    elif by == "roll-back":
        roll_back(registry, "demo", None, ANN)
    else:
        assert registry.versions("demo").follow(registry.journal("demo"))
        assert not registry.versions("demo").follow(registry.journal("demo"))
    expected = {"promotion": ("3", "2"), "roll-back": ("1", "2"), "maintenance": ("2", "1")}[by]
    assert (alias(client, CHAMPION), alias(client, PREVIOUS)) == expected
