"""What a champion journal says: champions over time, where roll-backs go, what is not promoted again, what waits."""

import datetime as dt

import pytest

from assay.promotion.champion import ChampionEntry
from assay.promotion.decision import PromotionDecision
from assay.promotion.history import ChampionHistory
from assay.promotion.people import with_people


def day(number):
    return dt.datetime(2024, 1, number, tzinfo=dt.UTC)


def history(*events):
    """Return the history of `(event, version)`, one a day; what a roll-back took back follows from the line."""
    entries = []
    for number, (event, version) in enumerate(events, 1):
        known = ChampionHistory.of(entries)
        taken_back = {
            "rolled_back": known.later_than(version), "withdrawn": (version,), "rejected": (version,)
        }.get(event, ())  # fmt: skip
        replaced = known.champion.version if known.champion else None
        entries.append(
            ChampionEntry(
                number=number, event=event, registered_name="bank", version=version, digest=f"digest {version}",
                replaced=replaced, taken_back=taken_back, reason="complaints", created_at=day(number),
            )
        )  # fmt: skip
    return ChampionHistory.of(entries)


def promoted(*versions):
    return [("promoted", version) for version in versions]


def test_an_empty_journal_has_no_champion_and_nowhere_to_go():
    empty = history()
    assert (empty.champion, empty.former, empty.line, dict(empty.waiting)) == (None, None, (), {})


@pytest.mark.parametrize(
    ("events", "champion", "former", "line"),
    [
        (promoted("1", "2", "3"), "3", "2", ("1", "2", "3")),
        ([*promoted("1", "2", "3"), ("rolled_back", "2")], "2", "1", ("1", "2")),
        ([*promoted("1", "2", "3"), ("rolled_back", "2"), ("rolled_back", "1")], "1", None, ("1",)),
        ([*promoted("1", "2", "3"), ("rolled_back", "1")], "1", None, ("1",)),
        ([*promoted("1", "2", "3"), ("rolled_back", "1"), ("rolled_back", "3")], "3", "1", ("1", "3")),
        ([*promoted("1", "2"), ("rolled_back", "1"), ("promoted", "3")], "3", "1", ("1", "3")),
        ([*promoted("1", "2"), ("withdrawn", "2")], None, "2", ("1", "2")),
        ([*promoted("1"), ("awaiting_approval", "2")], "1", None, ("1",)),
        ([*promoted("1"), ("awaiting_approval", "2"), ("approved", "2")], "2", "1", ("1", "2")),
        ([("adopted", "4"), ("promoted", "5")], "5", "4", ("4", "5")),
    ],
)
def test_roll_backs_go_further_back(events, champion, former, line):
    found = history(*events)
    assert (found.champion.version if found.champion else None, found.former, found.line) == (champion, former, line)


@pytest.mark.parametrize(
    ("events", "taken_back"),
    [
        ([*promoted("1", "2"), ("rolled_back", "1")], {"2"}),
        ([*promoted("1", "2", "3"), ("rolled_back", "1")], {"2", "3"}),
        ([*promoted("1", "2"), ("rolled_back", "1"), ("rolled_back", "2")], {"1"}),
        ([*promoted("1", "2"), ("withdrawn", "2")], {"2"}),
        ([*promoted("1"), ("awaiting_approval", "2"), ("rejected", "2")], {"2"}),
        ([*promoted("1", "2"), ("rolled_back", "1"), ("awaiting_approval", "2"), ("approved", "2")], set()),
        (promoted("1", "2"), set()),
    ],
)
def test_what_people_took_back_is_known_by_its_content_until_they_ask_for_it(events, taken_back):
    assert set(history(*events).taken_back) == {f"digest {version}" for version in taken_back}


def test_a_roll_back_of_an_earlier_version_of_assay_took_back_what_it_replaced():
    entries = list(history(*promoted("1", "2"), ("rolled_back", "1")).entries)
    entries[-1] = entries[-1].model_copy(update={"taken_back": None})
    assert set(ChampionHistory.of(entries).taken_back) == {"digest 2"}


def test_the_champion_of_every_day_is_known():
    found = history(("promoted", "1"), ("awaiting_approval", "2"), ("approved", "2"), ("withdrawn", "2"))
    assert found.champion_at(day(1) - dt.timedelta(seconds=1)) is None
    assert [found.champion_at(day(number)).version for number in (1, 2, 3)] == ["1", "1", "2"]
    assert found.champion_at(day(4)) is None


def test_only_what_nobody_decided_waits():
    waits = [*promoted("1"), ("awaiting_approval", "2"), ("awaiting_approval", "3")]
    assert set(history(*waits).waiting) == {"2", "3"}
    assert set(history(*waits, ("rejected", "2")).waiting) == {"3"}
    assert set(history(*waits, ("rejected", "2"), ("rolled_back", "3")).waiting) == set()


def decided(verdict, past, make_spec, version="2", **promotion):
    found = PromotionDecision(verdict=verdict, reason="Better.", metric="mae", challenger_value=0.5)
    return with_people(found, f"digest {version}", past, make_spec(promotion=promotion))


@pytest.mark.parametrize("verdict", ["promoted", "needs_approval"])
@pytest.mark.parametrize("last", [("rolled_back", "1"), ("withdrawn", "2"), ("rejected", "2")])
def test_a_model_that_was_taken_back_is_neither_promoted_nor_proposed(verdict, last, make_spec):
    decision = decided(verdict, history(*promoted("1", "2"), last), make_spec)
    assert decision.verdict == "kept_champion"
    assert f"was {last[0].replace('_', ' ')} on 2024-01-03 (complaints), by entry 3" in decision.reason
    assert "assay rollback" in decision.reason
    assert "--to 2" in decision.reason


def test_a_champion_that_a_roll_back_went_past_is_named(make_spec):
    decision = decided("promoted", history(*promoted("1", "2", "3"), ("rolled_back", "1")), make_spec)
    assert "assay rollback" in decision.reason
    assert decision.reason.endswith("--to 2 makes it champion.")


def test_another_model_is_promoted_after_a_roll_back(make_spec):
    past = history(*promoted("1", "2"), ("rolled_back", "1"))
    assert decided("promoted", past, make_spec, version="3").verdict == "promoted"


def test_a_required_approval_holds_every_promotion_and_nothing_else(make_spec):
    past = history(*promoted("1"))
    held = decided("promoted", past, make_spec, approval="required")
    assert held.verdict == "needs_approval"
    assert "promotion.approval is required" in held.reason
    assert decided("kept_champion", past, make_spec, approval="required").verdict == "kept_champion"
