"""One sheet of an xlsx workbook as rows under a header, read from its XML row by row.

openpyxl's own loop drops rows that are out of order, and does not distinguish an empty cell from a formula that was
never calculated.
"""

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, iterparse

from assay.errors import MalformedDataError, Remedy, did_you_mean
from assay.reading.batches import BatchStream, ReadOptions
from assay.reading.defects import Defect, defect_error, require_few_columns, require_unique, unnamed_column
from assay.reading.registry import Format
from assay.reading.typed_rows import TypedBlock, typed_stream
from assay.reading.workbook_package import MAIN, Workbook, opened_workbook, text_in, unescaped, workbook_errors

MAX_ROWS = 1 << 20
"""Of a sheet, by the format."""
_ROW, _CELL, _VALUE, _FORMULA = f"{MAIN}row", f"{MAIN}c", f"{MAIN}v", f"{MAIN}f"
_INLINE, _DATA = f"{MAIN}is", f"{MAIN}sheetData"
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_WHOLE = re.compile(r"-?[0-9]{1,4000}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NO_DAY = 60
"""The number that spreadsheets count from 1900 give to 29 February of that year, which had none."""
_TRUTH = {"1": True, "0": False, "true": True, "false": False}


@dataclass(slots=True)
class SheetRows:
    """The rows of one sheet.

    Attributes:
        path: the workbook's file.
        workbook: what cells refer to.
        part: the archive's member that holds the sheet.
        names: names of columns by number, for messages; set when the header was read.
    """

    path: Path
    workbook: Workbook
    part: str
    names: Mapping[int, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[int, dict[int, Any]]]:
        """Yield every row with values: its number, and the values by column number, from 1."""
        last, complete = 0, False
        with workbook_errors(), zipfile.ZipFile(self.path) as archive, archive.open(self.part) as source:
            for _, element in iterparse(source):  # noqa: S314 - entities were refused when the workbook was opened
                complete = complete or element.tag == _DATA
                if element.tag == _ROW:
                    last = self._number(element, last)
                    values = self._values(element, last)
                    element.clear()
                    if values:
                        yield last, values
            if not complete:
                raise self._unreadable("a sheet without data", None, 0)

    def _number(self, row: Element, last: int) -> int:
        number = int(row.get("r") or last + 1)
        if not last < number <= MAX_ROWS:
            raise self._unreadable(f"row {number} after row {last}", None, 0)
        return number

    def _values(self, row: Element, number: int) -> dict[int, Any]:
        values: dict[int, Any] = {}
        column = 0
        for cell in row.iter(_CELL):
            column = self._column(cell.get("r"), number, column)
            value = self._value(cell, number, column)
            if value is not None:
                values[column] = value
        return values

    def _column(self, reference: str | None, row: int, last: int) -> int:
        if reference is None:
            return last + 1
        match = _REFERENCE.fullmatch(reference)
        column = 0
        for letter in match[1] if match else "":
            column = column * 26 + ord(letter) - ord("A") + 1
        if match is None or int(match[2]) != row or column <= last:
            raise self._unreadable(f"cell {reference[:20]} in this position", row, last + 1)
        return column

    def _value(self, cell: Element, row: int, column: int) -> Any:
        kind, text = cell.get("t", "n"), cell.findtext(_VALUE)
        if kind == "inlineStr":
            holder = cell.find(_INLINE)
            return None if holder is None else text_in(holder) or None
        if not text:
            if cell.find(_FORMULA) is not None and (kind != "str" or text is None):
                raise self._uncalculated("a formula without a stored value", row, column)
            return None  # an empty text is shown like an empty cell
        return self._typed(kind, text, int(cell.get("s", 0)), row, column)

    def _typed(self, kind: str, text: str, style: int, row: int, column: int) -> Any:
        if kind == "n":
            return self._number_or_date(text, style, row, column)
        if kind == "s" and text.strip().isdecimal() and int(text) < len(self.workbook.texts):
            return self.workbook.texts[int(text)] or None
        if kind == "str":
            return unescaped(text)
        if kind == "b" and text in _TRUTH:
            return _TRUTH[text]
        if kind == "d":
            return self._moment(text, row, column)
        if kind == "e":
            raise self._uncalculated(f"the error {text[:20]}", row, column)
        raise self._unreadable(f"a value of kind {kind[:20]!r}", row, column)

    def _number_or_date(self, text: str, style: int, row: int, column: int) -> Any:
        if not _NUMBER.fullmatch(text):
            raise self._unreadable(f"{text[:20]!r} as a number", row, column)
        number = int(text) if _WHOLE.fullmatch(text) else float(text)
        if style not in self.workbook.dates:
            return number
        from openpyxl.utils.datetime import (  # type: ignore[import-untyped]  # it publishes no types
            WINDOWS_EPOCH,
            from_excel,
        )

        if self.workbook.epoch == WINDOWS_EPOCH and int(number) == _NO_DAY and style not in self.workbook.durations:
            raise self._out_of_range("a date does not exist", "29 February 1900", "an existing day", row, column)
        try:
            return from_excel(number, self.workbook.epoch, timedelta=style in self.workbook.durations)
        except (OverflowError, ValueError) as error:
            what, expected = "a date is out of range", "dates up to the year 9999"
            raise self._out_of_range(what, text[:40], expected, row, column) from error

    def _moment(self, text: str, row: int, column: int) -> dt.datetime | dt.date | dt.time:
        plain = text.removesuffix("Z")
        kind = dt.datetime if "T" in plain else dt.date if "-" in plain else dt.time
        try:
            moment = kind.fromisoformat(plain)
        except ValueError as error:
            raise self._unreadable(f"{text[:40]!r} as a date", row, column) from error
        if getattr(moment, "tzinfo", None) is not None:
            raise self._unreadable(f"a time zone in {text[:40]!r}", row, column)
        return moment

    def _uncalculated(self, found: str, row: int, column: int) -> MalformedDataError:
        what, expected = "a formula has no value", "a value in every cell"
        return self._error(Defect.UNCALCULATED_FORMULA, what, row, column, found, expected)

    def _unreadable(self, found: str, row: int | None, column: int) -> MalformedDataError:
        what = "the file is not readable as an xlsx workbook"
        return self._error(Defect.UNREADABLE, what, row, column, found, "an xlsx file as a spreadsheet writes it")

    def _out_of_range(self, what: str, found: str, expected: str, row: int, column: int) -> MalformedDataError:
        return self._error(Defect.VALUE_OUT_OF_RANGE, what, row, column, found, expected)

    def _error(
        self, defect: Defect, what: str, row: int | None, column: int, found: str, expected: str
    ) -> MalformedDataError:
        shown = self.names.get(column, str(column)) if column else ""
        remedy = "open it in a spreadsheet program, correct the cell, and save it again"
        return defect_error(defect, what, row=row, column=shown, found=found, expected=expected, remedy=remedy)


_BLOCK_ROWS = 10_000
_BLOCK_VALUES = 500_000


def workbook_stream(path: Path, options: ReadOptions) -> BatchStream:
    """Read one sheet; the first row that holds anything names the columns.

    Empty cells and empty texts are missing. Numbers are dates and times where the cell's style says so. Empty rows at
    the end and empty columns without a name are left out. Formulas give their stored values. Rows are numbered as in
    the sheet.

    Raises:
        MalformedDataError: not an xlsx file or a harmful one, no such sheet, several sheets and none named, formulas
            without values, columns without names or of mixed types.
    """
    workbook = opened_workbook(path)
    part = workbook.sheets[_sheet(workbook, options.sheet)]
    return typed_stream(lambda: _blocks(SheetRows(path, workbook, part)))


def _sheet(workbook: Workbook, wanted: str | None) -> str:
    sheets = list(workbook.sheets)
    if wanted is not None:
        if wanted in workbook.sheets:
            return wanted
        raise _ambiguous(f"the workbook has no sheet '{wanted}'{did_you_mean(wanted, sheets)}", sheets)
    if len(sheets) != 1:
        raise _ambiguous("the workbook does not have exactly one sheet", sheets)
    return sheets[0]


def _ambiguous(what: str, sheets: list[str]) -> MalformedDataError:
    found, expected, remedy = (
        ", ".join(sheets) or "none",
        "one sheet, or the name of one",
        Remedy("set {} to one of them", "dataset.sheet"),
    )
    return defect_error(Defect.SHEET_AMBIGUOUS, what, found=found, expected=expected, remedy=remedy)


def _blocks(sheet: SheetRows) -> Iterator[TypedBlock]:
    rows = iter(sheet)
    header, first = next(rows, (0, {}))
    sheet.names = names = _names(first, header)
    most = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, len(names))))
    start = header + 1
    every = _every_row(rows, start, names)
    while block := list(islice(every, most)):
        yield _block(start, block, names)
        start += len(block)
    if start == header + 1:
        yield _block(start, (), names)


def _every_row(
    rows: Iterator[tuple[int, dict[int, Any]]], start: int, names: dict[int, str]
) -> Iterator[dict[int, Any]]:
    """Yield the values of each row after the header, of which empty ones may not be written at all."""
    for number, values in rows:
        unnamed = next((column for column in values if column not in names), None)
        if unnamed is not None:
            raise unnamed_column(number, unnamed, "name every column, and remove notes from the sheet")
        yield from repeat({}, number - start)
        yield values
        start = number + 1


def _block(start: int, rows: Sequence[dict[int, Any]], names: dict[int, str]) -> TypedBlock:
    columns = {column: [values.get(number) for values in rows] for number, column in names.items()}
    return TypedBlock(range(start, start + len(rows)), columns)


def _names(first: dict[int, Any], row: int) -> dict[int, str]:
    names = {number: str(value) for number, value in first.items() if str(value).strip()}
    require_few_columns(len(names))
    require_unique(list(names.values()), row=row)
    return names


# the reader says what to do with a file of the format before 2007
FORMATS = (Format("xlsx", (".xlsx", ".xlsm", ".xls"), workbook_stream),)
