"""JSON as its standard has it, with the place of what is not.

Does not belong here: what the values are for.
"""

import codecs
import json
import math
import re
from typing import Any

from assay.errors import MalformedDataError
from assay.ingestion.defects import Defect, malformed

WHAT = "the file is not readable as JSON records"
_TINY = ("e-", "E-")
_SOME_DIGIT = re.compile(r"[^eE]*[1-9]")


class FaultyRecord(dict[str, Any]):
    """A record that is no strict JSON; kept until its row is known."""

    column = ""
    found = ""

    def refusal(self, name: str, row: int | None) -> MalformedDataError:
        """Return what is wrong with it."""
        expected = "unique keys, and numbers, texts, true, false or null"
        return malformed(
            Defect.INVALID_JSON, WHAT, name, row=row, column=self.column, found=self.found, expected=expected
        )


class StrictParser:
    """Strict JSON, other than Python's: NaN, infinities and repeated keys are refused."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._words: list[str] = []
        hooks: dict[str, Any] = {"parse_constant": self._constant, "object_pairs_hook": self._paired}
        self._decoder = json.JSONDecoder(**hooks)
        self._careful_decoder = json.JSONDecoder(**hooks, parse_float=_float)

    def parse(self, data: bytes, row: int | None, offset: int) -> Any:
        """Return the value of a document that lies at an offset of the file."""
        mark = len(codecs.BOM_UTF8) if offset == 0 and data.startswith(codecs.BOM_UTF8) else 0
        try:
            text = data[mark:].decode()
            may_vanish = any(exponent in text for exponent in _TINY)
            value = (self._careful_decoder if may_vanish else self._decoder).decode(text)
        except UnicodeDecodeError as error:
            byte = offset + mark + error.start
            found, expected = f"byte {byte} is not UTF-8", "UTF-8 text"
            raise malformed(
                Defect.WRONG_ENCODING, WHAT, self._name, row=row, byte=byte, found=found, expected=expected
            ) from error
        except json.JSONDecodeError as error:
            byte = offset + mark + len(text[: error.pos].encode())
            raise self._invalid(error.msg, row, byte) from error
        except RecursionError as error:
            raise self._invalid("values nested too deeply", row, offset) from error
        except ValueError as error:  # Python's bound on the digits of a whole number, or `_float`
            what, expected = "a number is out of range", "numbers that 64 bits hold"
            raise malformed(
                Defect.VALUE_OUT_OF_RANGE, what, self._name, row=row, found=str(error)[:60], expected=expected
            ) from error
        if self._words:
            raise self._invalid(self._words[0], row, None)
        return value

    def _invalid(self, found: str, row: int | None, byte: int | None) -> MalformedDataError:
        return malformed(Defect.INVALID_JSON, WHAT, self._name, row=row, byte=byte, found=found, expected="strict JSON")

    def _constant(self, word: str) -> float:
        self._words.append(word)
        return math.nan

    def _paired(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            names = [key for key, _ in pairs]
            column = next(key for key in names if names.count(key) > 1)
            return _faulty(record, column, f"repeated key ['{as_unicode(column)}']")
        if self._words and any(value != value for value in record.values()):  # noqa: PLR0124 - only NaN differs from itself
            column = next(key for key, value in pairs if value != value)  # noqa: PLR0124 - as above
            return _faulty(record, column, self._words.pop())
        return record


def _faulty(record: dict[str, Any], column: str, found: str) -> FaultyRecord:
    faulty = FaultyRecord(record)
    faulty.column, faulty.found = as_unicode(column), found
    return faulty


def as_unicode(key: str) -> str:
    """Return a key with halves of surrogate pairs, which nothing can write, spelled out."""
    return key.encode("utf-8", "backslashreplace").decode()


def _float(text: str) -> float:
    value = float(text)
    if value == 0 and _SOME_DIGIT.match(text):
        msg = f"{text[:40]}, too small for a float"
        raise ValueError(msg)
    return value
