"""The corpus itself: every defect and code has a case, and the page is up to date."""

from collections import Counter

from hostile_corpus.cases import Refused
from hostile_corpus.corpus import CASES
from hostile_corpus.document import PAGE, rendered

from assay.reading.defects import SETTINGS, Defect

REFUSED = [case.expected for case in CASES if isinstance(case.expected, Refused)]


def test_every_defect_has_a_case():
    assert {refused.defect for refused in REFUSED} - {None} == set(Defect)


def test_every_code_that_is_not_a_defect_has_a_case():
    codes = {refused.code for refused in REFUSED}
    assert codes == {"data_malformed", "data_empty", "format_unsupported", "source_not_found"}


def test_the_corpus_is_large_and_its_names_are_unique():
    assert len(CASES) >= 300
    assert not [name for name, count in Counter((case.filename, case.name) for case in CASES).items() if count > 1]


def test_a_case_is_the_same_file_every_time():
    assert all(case.build() == case.build() for case in CASES if not case.confined)


def test_most_refusals_name_the_location():
    text = [case.expected for case in CASES if case.filename.endswith((".csv", ".json", ".jsonl"))]
    malformed = [expected for expected in text if isinstance(expected, Refused) and expected.defect]
    malformed = [refused for refused in malformed if refused.defect not in SETTINGS]
    placed = [refused for refused in malformed if refused.row or refused.column or refused.byte is not None]
    assert len(placed) >= 0.85 * len(malformed)


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == rendered()
