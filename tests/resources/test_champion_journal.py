"""The champion journal on every store: append-only, compare-and-set, readable after lost answers."""

import datetime as dt
import json

import pytest

from assay.errors import ChampionChangedError, StorageError, StoreUnavailableError
from assay.promotion.champion import ChampionEntry
from assay.promotion.decision import PromotionDecision
from resources.champion_journal import ChampionJournal, journals_in

NAME = "Überprüfung 1"
RACERS = 8


def entry(version, run_id="run"):
    return ChampionEntry(
        number=1,
        event="promoted",
        registered_name=NAME,
        version=version,
        digest="d" * 64,
        value_at_promotion=0.5,
        decision=PromotionDecision(verdict="promoted", reason="better", metric="mae", challenger_value=0.5),
        run_id=run_id,
        created_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    )


@pytest.fixture
def journal(store):
    return ChampionJournal(store, NAME)


def test_an_empty_journal_has_no_champion(journal):
    assert journal.current() is None
    assert journal.history().entries == ()


def test_the_newest_entry_is_the_current_champion_and_history_stays(journal):
    first = journal.append(entry("7"), expected=None)
    second = journal.append(entry("8"), expected=first)
    third = journal.append(entry("7"), expected=second)
    assert [each.number for each in journal.history().entries] == [1, 2, 3]
    assert journal.history().entries == (first, second, third)
    assert journal.current() == third


def test_registered_models_do_not_share_a_journal(store, journal):
    journal.append(entry("7"), expected=None)
    assert ChampionJournal(store, f"{NAME}0").current() is None


@pytest.mark.parametrize("expect", [lambda first: None, lambda first: first])
def test_an_outdated_decision_appends_nothing(journal, expect):
    first = journal.append(entry("1"), expected=None)
    journal.append(entry("2"), expected=first)
    with pytest.raises(ChampionChangedError) as refused:
        journal.append(entry("3"), expected=expect(first))
    assert refused.value.transient
    assert refused.value.found == "version 2"
    assert [each.version for each in journal.history().entries] == ["1", "2"]


def test_a_champion_that_came_back_is_another_expectation(journal):
    """A version may be champion twice: the decision is on an entry, not on a version."""
    first = journal.append(entry("1"), expected=None)
    second = journal.append(entry("2"), expected=first)
    journal.append(entry("1"), expected=second)
    with pytest.raises(ChampionChangedError):
        journal.append(entry("3"), expected=first)


def test_what_waits_for_a_person_changes_no_champion_and_no_expectation(journal):
    first = journal.append(entry("1"), expected=None)
    waiting = journal.append(entry("2").model_copy(update={"event": "awaiting_approval"}), expected=first)
    assert journal.current() == first
    assert journal.append(entry("3"), expected=first).number == waiting.number + 1
    assert journal.current().version == "3"
    with pytest.raises(ChampionChangedError):
        journal.append(entry("4"), expected=first)


def test_a_history_that_has_grown_is_not_appended_to(journal):
    first = journal.append(entry("1"), expected=None)
    history = journal.history()
    assert journal.append_to(history, entry("2")).number == 2
    assert journal.append_to(history, entry("3")) is None
    assert [each.version for each in journal.history().entries] == [first.version, "2"]


def test_every_journal_of_a_store_is_found(store, journal):
    journal.append(entry("1"), expected=None)
    other = ChampionJournal(store, "bank")
    other.append(entry("1").model_copy(update={"registered_name": "bank"}), expected=None)
    assert [each.registered_name for each in journals_in(store)] == [NAME, "bank"]


def test_of_racing_writers_one_appends(journal, in_threads):
    first = journal.append(entry("1"), expected=None)
    made = in_threads(RACERS, lambda number: journal.append(entry(str(number), f"run-{number}"), expected=first))
    (won,) = [each for each in made if isinstance(each, ChampionEntry)]
    assert sum(isinstance(each, ChampionChangedError) for each in made) == RACERS - 1
    assert journal.history().entries == (first, won)


def test_racing_writers_that_decide_again_leave_one_history(journal, in_threads):
    def promote(number):
        while True:
            current = journal.current()
            new = entry(str(number), f"run-{number}").model_copy(
                update={"replaced": current.version if current else None}
            )
            try:
                return journal.append(new, expected=current)
            except ChampionChangedError:
                continue

    made = in_threads(RACERS, promote)
    history = list(journal.history().entries)
    assert sorted(made, key=lambda each: each.number) == history
    assert [each.replaced for each in history] == [None, *(each.version for each in history[:-1])]


def test_a_lost_acknowledgement_is_recognised(store, wrapped):
    class Deaf(wrapped):
        def put_if_absent(self, key, data):
            super().put_if_absent(key, data)
            raise StoreUnavailableError("the answer was lost")

    journal = ChampionJournal(Deaf(store), NAME)
    first = journal.append(entry("1"), expected=None)
    assert journal.current() == first
    with pytest.raises(ChampionChangedError):
        journal.append(entry("2", "another"), expected=None)
    assert journal.append(entry("2", "another"), expected=first) == journal.current()


def test_a_put_that_the_client_repeated_by_itself_is_recognised(store, wrapped):
    class Repeating(wrapped):
        def put_if_absent(self, key, data):
            super().put_if_absent(key, data)
            return super().put_if_absent(key, data)

    journal = ChampionJournal(Repeating(store), NAME)
    assert journal.append(entry("1"), expected=None) == journal.current()


def test_keys_of_other_programs_are_ignored(journal, store):
    journal.append(entry("1"), expected=None)
    (key,) = [item.key for item in store.list_objects("@champion_journals/")]
    folder = key.rpartition("/")[0]
    store.put_if_absent(f"{folder}/.DS_Store", b"")
    store.put_if_absent(f"{folder}/notes.json", b"")
    assert journal.current().version == "1"
    assert len(journal.history().entries) == 1


def test_a_damaged_entry_is_named(journal, store, backend):
    journal.append(entry("1"), expected=None)
    (key,) = [item.key for item in store.list_objects("@champion_journals/")]
    backend.overwrite(key, b"{}")
    with pytest.raises(StorageError, match="damaged") as refused:
        journal.current()
    assert refused.value.where == store.uri(key)


def test_the_stored_names_are_stable(journal, store):
    """Entries of this version are read by every later one."""
    journal.append(entry("1"), expected=None)
    (item,) = store.list_objects("@champion_journals/")
    assert item.key.endswith("/00000001.json")
    stored = json.loads(store.get_bytes(item.key))
    assert {**stored, "decision": stored["decision"]["candidate_value"]} == {
        "format_version": 1, "number": 1, "event": "promoted", "registered_name": NAME, "version": "1",
        "digest": "d" * 64, "files_digest": "", "replaced": None, "against": None, "value_at_promotion": 0.5, "decision": 0.5,
        "evidence": "", "taken_back": None, "reason": "", "by": "", "pipeline": "",
        "run_id": "run", "created_at": "2024-01-01T00:00:00Z",
    }  # fmt: skip
