"""All cases.

Does not belong here: cases; they stand by format.
"""

from hostile_corpus import delimited_shape_cases, delimited_text_cases, delimited_value_cases
from hostile_corpus.cases import HostileCase

CASES: list[HostileCase] = [
    *delimited_shape_cases.CASES,
    *delimited_value_cases.CASES,
    *delimited_text_cases.CASES,
]
