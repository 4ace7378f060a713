"""Bytes that are changed at random: the same data, or a typed refusal; never other data, never another exception.

Only formats with checksums over all of their data can promise that.
"""

import random

import pytest
from hostile_corpus.cases import Exact
from hostile_corpus.corpus import CASES

from assay.errors import AssayError
from assay.reading.files import mapped_table, transcribe

ROUNDS = 120
SAMPLES = {
    ending: [case for case in CASES if case.filename.endswith(ending) and isinstance(case.expected, Exact)]
    for ending in (".gz", ".zip", ".xlsx")
}


@pytest.mark.parametrize("ending", SAMPLES)
def test_changed_bytes_give_the_same_data_or_a_refusal(tmp_path, ending):
    answers = [answer(tmp_path, random.Random(f"{ending} {number}"), ending) for number in range(ROUNDS)]
    assert {"same", "refused"} == set(answers)


def answer(folder, draw, ending):
    case = draw.choice(SAMPLES[ending])
    path, target = folder / case.filename, folder / "read.arrow"
    path.write_bytes(changed(case.build(), draw))
    try:
        transcribe(path, case.options, target, name=case.filename, layout="arrow")
    except AssayError:
        return "refused"
    return "same" if mapped_table(target).equals(case.expected.table()) else f"changed: {case.name}"


def changed(content, draw):
    content = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 3])):
        position = draw.randrange(len(content))
        how = draw.randrange(3)
        if how == 0:
            content[position] ^= 1 << draw.randrange(8)
        elif how == 1:
            del content[position : position + draw.randrange(1, 20)]
        else:
            content[position:position] = draw.randbytes(draw.randrange(1, 8))
    return bytes(content)
