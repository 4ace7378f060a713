"""Column names that speak of the time after the outcome.

A name alone proves nothing (`outcome` of an earlier campaign is known in time): it counts only for a strong feature.
Does not belong here: strength (`single_feature_scores`).
"""

import re

_DURATIONS = "duration|elapsed"
_ENDS = (
    "outcome|results?|resolved|resolution|closed|closing|closure|completed|completion|finished|ended|end|exit|"
    "terminated|termination|settled|settlement|discharged?|final|actual"
)
_CONSEQUENCES = (
    "cancell?ed|cancellation|churn|churned|refund|refunded|returned|chargeback|recovered|recoveries|writeoff|paid|"
    "repaid|delivered|after|afterwards|post"
)
AFTERWARDS = {
    "how long it took, which is known when it is over": re.compile(_DURATIONS),
    "how it ended": re.compile(_ENDS),
    "what follows from the outcome": re.compile(_CONSEQUENCES),
}
"""Words by what they speak of; each is compared with whole parts of a name."""
_HARMLESS = re.compile(r"post[\W_]*(code|office)|end[\W_]*(user|point)", re.IGNORECASE)
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def afterwards(name: str) -> str:
    """Return what a name says of the time after the outcome; empty where it says nothing."""
    parts = {part.lower() for part in _PART.findall(_HARMLESS.sub(" ", name))}
    meanings = (meaning for meaning, words in AFTERWARDS.items() if any(words.fullmatch(part) for part in parts))
    return next(meanings, "")
