"""Strict JSON: other than Python's parser it refuses NaN, infinities, repeated keys and numbers that vanish."""

import codecs
import json
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from assay.errors import MalformedDataError, Remedy
from assay.reading.defects import Defect, defect_error

WHAT = "the file is not readable as JSON records"
_TINY = ("e-", "E-")
_SOME_DIGIT = re.compile(r"[^eE]*[1-9]")


class FaultyRecord(dict[str, Any]):
    """An object that is not strict JSON, kept until its row is known."""

    column = ""
    found = ""

    def error(self, row: int | None) -> MalformedDataError:
        """Return the error for the record."""
        expected = "unique keys, and numbers, texts, true, false or null"
        return defect_error(Defect.INVALID_JSON, WHAT, row=row, column=self.column, found=self.found, expected=expected)


class StrictParser:
    """Parser of strict JSON, which keeps repeated keys as a `FaultyRecord`."""

    def __init__(self) -> None:
        self._words: list[str] = []
        hooks: dict[str, Any] = {"parse_constant": self._constant, "object_pairs_hook": self._paired}
        self._decoder = json.JSONDecoder(**hooks)
        self._careful_decoder = json.JSONDecoder(**hooks, parse_float=_float)

    def parse(self, data: bytes, row: int | None, offset: int) -> Any:
        """Return the value of a document at an offset of the file."""
        mark = len(codecs.BOM_UTF8) if offset == 0 and data.startswith(codecs.BOM_UTF8) else 0
        try:
            text = data[mark:].decode()
            may_vanish = any(exponent in text for exponent in _TINY)
            value = (self._careful_decoder if may_vanish else self._decoder).decode(text)
        except UnicodeDecodeError as error:
            byte = offset + mark + error.start
            found, expected = f"byte {byte} is not UTF-8", "UTF-8 text"
            raise defect_error(
                Defect.WRONG_ENCODING, WHAT, row=row, byte=byte, found=found, expected=expected
            ) from error
        except json.JSONDecodeError as error:
            byte = offset + mark + len(text[: error.pos].encode())
            raise self._invalid(error.msg, row, byte, _remedy(text, error, row)) from error
        except RecursionError as error:
            raise self._invalid("values nested too deeply", row, offset) from error
        except ValueError as error:  # Python's limit of digits of a whole number, or `_float`
            what, found, expected = "a number is out of range", str(error)[:60], "numbers that 64 bits hold"
            raise defect_error(Defect.VALUE_OUT_OF_RANGE, what, row=row, found=found, expected=expected) from error
        if self._words:
            raise self._invalid(self._words[0], row, None)
        return value

    def _invalid(self, found: str, row: int | None, byte: int | None, remedy: str = "") -> MalformedDataError:
        expected = "strict JSON"
        return defect_error(
            Defect.INVALID_JSON, WHAT, row=row, byte=byte, found=found, expected=expected, remedy=remedy
        )

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


def _remedy(text: str, error: json.JSONDecodeError, row: int | None) -> str:
    """Return what to do with a document after which another one begins: it may be one of lines."""
    is_lines = row is None and error.msg == "Extra data" and text[error.pos] == "{"
    return Remedy("where each line is an object, set {} to jsonl", "dataset.format") if is_lines else ""


def _faulty(record: dict[str, Any], column: str, found: str) -> FaultyRecord:
    faulty = FaultyRecord(record)
    faulty.column, faulty.found = as_unicode(column), found
    return faulty


def as_unicode(key: str) -> str:
    """Return a key with its lone surrogates, which cannot be encoded, spelled out."""
    return key.encode("utf-8", "backslashreplace").decode()


def _float(text: str) -> float:
    value = float(text)
    if value == 0 and _SOME_DIGIT.match(text):
        msg = f"{text[:40]}, too small for a float"
        raise ValueError(msg)
    return value


_KINDS: Mapping[type, str] = MappingProxyType(
    {list: "array", dict: "object", FaultyRecord: "object", str: "text", bool: "boolean", type(None): "null"}
)


def kind_of(value: Any) -> str:
    """Return what a value is in words of JSON, such as `a JSON array`."""
    return f"a JSON {_KINDS.get(type(value), 'number')}"
