"""A decision that a person has to confirm keeps its evidence and names every reason."""

import pytest

from assay.promotion.decision import PromotionDecision


def decision(verdict="promoted"):
    return PromotionDecision(
        verdict=verdict, reason="Better by 0.1.", metric="mae", challenger_value=1.0, champion_value=1.1, effect=0.1
    )


def test_a_held_promotion_asks_a_person_and_keeps_its_evidence():
    held = decision().held("the holdout is too good")
    assert (held.verdict, held.promotes, held.needs_approval) == ("needs_approval", False, True)
    assert held.reason == "Needs approval: the holdout is too good. Better by 0.1."
    assert held.model_copy(update={"verdict": "promoted", "reason": "Better by 0.1."}) == decision()


def test_a_second_reason_is_added():
    held = decision().held("one").held("two")
    assert held.verdict == "needs_approval"
    assert held.reason == "Needs approval: one. Better by 0.1. Also: two."


@pytest.mark.parametrize("verdict", ["kept_champion", "rejected_below_minimum", "rejected_below_baseline"])
def test_what_is_not_promoted_needs_no_person(verdict):
    assert decision(verdict).held("one") == decision(verdict)


def test_a_kept_champion_has_the_same_evidence():
    kept = decision().kept("it was rolled back")
    assert (kept.verdict, kept.reason, kept.effect) == ("kept_champion", "Not promoted: it was rolled back.", 0.1)
