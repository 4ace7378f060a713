"""One sheet of an xlsx workbook as rows under a header.

Does not belong here: the file around the sheet (`workbook_package`), its cells (`workbook_cells`), the types of columns
(`typed_rows`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.errors import MalformedDataError, did_you_mean
from assay.ingestion.batches import BatchStream, ReadOptions
from assay.ingestion.bounds import require_few_columns
from assay.ingestion.defects import Defect, malformed
from assay.ingestion.typed_rows import Block, typed_stream
from assay.ingestion.workbook_cells import SheetRows
from assay.ingestion.workbook_package import Workbook, opened_workbook

_BLOCK_ROWS = 10_000
_BLOCK_VALUES = 500_000


def workbook_stream(path: Path, options: ReadOptions, name: str) -> BatchStream:
    """Read one sheet; the first row that holds anything names the columns.

    Empty cells and empty texts are missing; dates and times are what the cells' styles say. Empty rows after the last
    and empty columns without a name are left out. Of formulas the stored values are taken.

    Args:
        path: the file.
        options: the sheet, where there are several.
        name: how the file is called in messages; rows are numbered as in the sheet.

    Raises:
        MalformedDataError: no harmless xlsx, no such sheet, several and none named, formulas without values, columns
            without names or of mixed types.
    """
    workbook = opened_workbook(path, name)
    part = workbook.sheets[_sheet(workbook, options.sheet, name)]
    return typed_stream(lambda: _blocks(SheetRows(path, workbook, part, name)), name)


def _sheet(workbook: Workbook, wanted: str | None, name: str) -> str:
    sheets = list(workbook.sheets)
    if wanted is not None:
        if wanted in workbook.sheets:
            return wanted
        raise _ambiguous(f"the workbook has no sheet '{wanted}'{did_you_mean(wanted, sheets)}", name, sheets)
    if len(sheets) != 1:
        raise _ambiguous("the workbook does not have exactly one sheet", name, sheets)
    return sheets[0]


def _ambiguous(what: str, name: str, sheets: list[str]) -> MalformedDataError:
    return malformed(
        Defect.SHEET_AMBIGUOUS,
        what,
        name,
        found=", ".join(sheets) or "none",
        expected="one sheet, or the name of one",
        remedy="set dataset.sheet to one of them",
    )


def _blocks(sheet: SheetRows) -> Iterator[Block]:
    rows = iter(sheet)
    header, first = next(rows, (0, {}))
    sheet.names = names = _names(first, header, sheet.name)
    most = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // max(1, len(names))))
    held: list[dict[int, Any]] = []
    start = header + 1
    for number, values in rows:
        _require_named(values, number, sheet)
        while start + len(held) < number:  # rows that are empty, or not written at all
            held.append({})
            if len(held) == most:
                yield _block(start, held, names)
                start, held = start + most, []
        held.append(values)
        if len(held) == most:
            yield _block(start, held, names)
            start, held = start + most, []
    if held or start == header + 1:
        yield _block(start, held, names)


def _block(start: int, held: list[dict[int, Any]], names: dict[int, str]) -> Block:
    columns = {column: [values.get(place) for values in held] for place, column in names.items()}
    return Block(range(start, start + len(held)), columns)


def _names(first: dict[int, Any], row: int, name: str) -> dict[int, str]:
    names = {place: str(value) for place, value in first.items() if str(value).strip()}
    require_few_columns(len(names), name)
    seen: set[str] = set()
    for column in names.values():
        if column in seen:
            what = "column names are repeated"
            raise malformed(Defect.REPEATED_COLUMN, what, name, row=row, column=column, expected="unique names")
        seen.add(column)
    return names


def _require_named(values: dict[int, Any], row: int, sheet: SheetRows) -> None:
    unnamed = next((place for place in values if place not in sheet.names), None)
    if unnamed is not None:
        raise malformed(
            Defect.UNNAMED_COLUMN,
            "a column with values has no name",
            sheet.name,
            row=row,
            column=str(unnamed),
            found=f"a value in column {unnamed}",
            expected="a name for every column in the first row",
            remedy="name every column, and keep notes off the sheet",
        )
