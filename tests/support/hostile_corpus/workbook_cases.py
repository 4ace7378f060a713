"""Workbooks: sheets not named, formulas without values, wrong sizes, bombs, other formats of the same name."""

import pyarrow as pa
from hostile_corpus.archive_cases import zip_of
from hostile_corpus.cases import EMPTY, Content, Exact, HostileCase, Refused, defect, exact
from hostile_corpus.workbook_parts import (
    DATE,
    MOMENT,
    TEXT,
    failure,
    formula,
    header,
    number,
    packed,
    parts_of,
    shared_texts,
    sheet,
    text,
    workbook,
)

from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect
from assay.specs.dataset import ReadLimits

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SMALL = sheet(header("a", "b"), number(1) + text("x"), number(2) + text("y"))
_TABLE = exact(a=[1, 2], b=["x", "y"])
_MIB = 1 << 20
_MANY = 300_000
_LAST_ROW = 1 << 20
_THREE_ROWS = sheet(header("a"), number(1), number(3))
_SHUFFLED = workbook(Rows=_THREE_ROWS.replace('r="3"', 'r="9"').replace('r="2"', 'r="3"').replace('r="9"', 'r="2"'))
_SPARSE = workbook(Rows=_THREE_ROWS.replace('r="3"', f'r="{_LAST_ROW}"'))


def book(
    name: str,
    content: Content,
    expected: Exact | Refused,
    sheet_name: str | None = None,
    *,
    confined: bool = False,
    seconds: float = 10.0,
) -> HostileCase:
    """Return a case of a workbook."""
    return HostileCase(
        name, "rows.xlsx", content, expected, ReadOptions(sheet=sheet_name), confined, ReadLimits(seconds=seconds)
    )


def one_sheet(name: str, expected: Exact | Refused, *rows: str, before: str = "", after: str = "") -> HostileCase:
    """Return a case of a workbook of one sheet, from its rows."""
    return book(name, workbook(Rows=sheet(*rows, before=before, after=after)), expected)


def _moments(*written: str) -> pa.Array:
    return pa.array(written).cast(pa.timestamp("us"))


def _old_format(stream: str) -> bytes:
    # a compound file: its directory names the streams in UTF-16
    return (_OLE + bytes(504) + stream.encode("utf-16-le")).ljust(4096, b"\0")


def _laughs() -> bytes:
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(number)} "{f"&{chr(number - 1)};" * 10}">' for number in range(ord("b"), ord("m"))
    )
    head = f'<?xml version="1.0"?><!DOCTYPE worksheet [{entities}]>'
    return workbook(Rows=sheet(header("a"), text("&l;"), head=head))


def _outer_entity() -> bytes:
    head = '<?xml version="1.0"?><!DOCTYPE worksheet [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    return workbook(Rows=sheet(header("a"), text("&x;"), head=head))


def _bomb() -> bytes:
    return workbook(Rows=sheet(header("a"), number(1)).replace("</sheetData>", " " * (100 * _MIB) + "</sheetData>"))


def _with_one_name() -> bytes:
    parts = parts_of({"One": _SMALL, "Two": _SMALL})
    return packed({**parts, "xl/workbook.xml": str(parts["xl/workbook.xml"]).replace('name="Two"', 'name="One"')})


def _sparse_table() -> pa.Table:
    return pa.table({"a": pa.concat_arrays([pa.array([1]), pa.nulls(_LAST_ROW - 3, pa.int64()), pa.array([3])])})


def _many_rows() -> bytes:
    # few bytes, packed and unpacked, for the time that they take
    rows = f"<row>{number(1) * 2}</row>" * _MANY
    return workbook(Rows=sheet(header("a", "b")).replace("</sheetData>", rows + "</sheetData>"))


def _without_sheet() -> bytes:
    parts = parts_of({"Rows": _SMALL})
    del parts["xl/worksheets/sheet1.xml"]
    return packed(parts)


SHEETS = [
    book("one sheet", workbook(Rows=_SMALL), _TABLE),
    book("two sheets, none named", workbook(One=_SMALL, Two=_SMALL), defect(Defect.SHEET_AMBIGUOUS)),
    book("two sheets, the second named", workbook(One=sheet(header("c"), number(9)), Two=_SMALL), _TABLE, "Two"),
    book("a sheet that is not there", workbook(One=_SMALL), defect(Defect.SHEET_AMBIGUOUS), "Ons"),
    book("a sheet named in another case", workbook(One=_SMALL), defect(Defect.SHEET_AMBIGUOUS), "one"),
    one_sheet("an empty sheet", EMPTY),
    one_sheet("a sheet of a header only", EMPTY, header("a", "b")),
    one_sheet(
        "a column with values and without a name",
        defect(Defect.UNNAMED_COLUMN, column="2"),
        header("a"),
        number(1) + number(2),
    ),
    one_sheet("two columns of one name", defect(Defect.REPEATED_COLUMN, column="a"), header("a", "a"), number(1) * 2),
    one_sheet(
        "merged cells hold their value once",
        exact(a=["x", None], b=[1, 2]),
        header("a", "b"),
        text("x") + number(1),
        "<c/>" + number(2),
        after='<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>',
    ),
    one_sheet("an empty row among the rows", exact(a=[1, None, 3]), header("a"), number(1), "", number(3)),
]

CELLS = [
    one_sheet(
        "a formula without a stored value",
        defect(Defect.UNCALCULATED_FORMULA, row=3, column="b"),
        header("a", "b"),
        number(1) + number(2),
        number(3) + formula("A3*2"),
    ),
    one_sheet("a formula with a stored value", exact(a=[3], b=[6]), header("a", "b"), number(3) + formula("A2*2", "6")),
    one_sheet("a formula with a stored text", exact(a=["x1"]), header("a"), formula('"x"&amp;1', "x1", "str")),
    one_sheet(
        "a cell of an error",
        defect(Defect.UNCALCULATED_FORMULA, row=2, column="b"),
        header("a", "b"),
        number(1) + failure(),
    ),
    one_sheet(
        "#N/A in a column of texts",
        defect(Defect.UNCALCULATED_FORMULA, row=3, column="a"),
        header("a"),
        text("x"),
        failure("#N/A"),
    ),
    one_sheet("the text #N/A is a text", exact(a=["#N/A"]), header("a"), text("#N/A")),
    one_sheet("text that resembles a formula", exact(a=["=1+1"]), header("a"), text("=1+1")),
    one_sheet(
        "texts among numbers",
        defect(Defect.MIXED_TYPES, column="a"),
        header("a", "b"),
        number(1) * 2,
        text("x") + number(2),
    ),
    one_sheet("numbers in texts stay texts", exact(a=["007", "1"]), header("a"), text("007"), text("1")),
    one_sheet("whole numbers and fractions", exact(a=[1.0, 0.5]), header("a"), number(1), number(0.5)),
    one_sheet("numbers shown as text are numbers", exact(a=[7]), header("a"), number(7, TEXT)),
    one_sheet(
        "escapes of characters that XML cannot hold",
        exact(aA=["x\r\ny", "_x0041_", "\U0001f600", "_xD83D_", "_x0_"]),
        header("a_x0041_"),
        text("x_x000D_\ny"),
        text("_x005F_x0041_"),
        text("_xD83D__xDE00_"),
        text("_xD83D_"),
        text("_x0_"),
    ),
    book(
        "escapes in texts that cells share",
        shared_texts("a", "x_x000D_\ny", "_x005F_x0041_", "abcx005F_d"),
        exact(a=["x\r\ny", "_x0041_", "abcx005F_d"]),
    ),
    one_sheet(
        "29 February 1900, which spreadsheets count and calendars do not",
        defect(Defect.VALUE_OUT_OF_RANGE, row=3, column="a"),
        header("a"),
        number(61, DATE),
        number(60, DATE),
    ),
    one_sheet(
        "dates and times",
        exact(
            a=_moments("2024-02-29T00:00:00", "2024-03-01T00:00:00"),
            b=_moments("2024-02-29T12:00:00", "2024-03-01T18:00:00"),
        ),
        header("a", "b"),
        number(45351, DATE) + number(45351.5, MOMENT),
        number(45352, DATE) + number(45352.75, MOMENT),
    ),
    one_sheet("blanks and line breaks in texts", exact(a=[" x\ny "]), header("a"), text(" x\ny ")),
    one_sheet(
        "a row shorter than the header",
        exact(a=[1, 3], b=[2, None]),
        header("a", "b"),
        number(1) + number(2),
        number(3),
    ),
    one_sheet(
        "a row longer than the header",
        defect(Defect.UNNAMED_COLUMN, row=3, column="2"),
        header("a"),
        number(1),
        number(2) + number(3),
    ),
]

DAMAGE = [
    one_sheet(
        "a dimension that is far too large",
        _TABLE,
        header("a", "b"),
        number(1) + text("x"),
        number(2) + text("y"),
        before='<dimension ref="A1:XFD1048576"/>',
    ),
    one_sheet(
        "a dimension that is too small",
        _TABLE,
        header("a", "b"),
        number(1) + text("x"),
        number(2) + text("y"),
        before='<dimension ref="A1"/>',
    ),
    book("a workbook cut off", workbook(Rows=_SMALL)[:-40], defect(Defect.UNREADABLE)),
    book("a sheet cut off", workbook(Rows=_SMALL[:-60]), defect(Defect.UNREADABLE)),
    book("a workbook without its sheet", _without_sheet(), defect(Defect.UNREADABLE)),
    book("two sheets of one name", _with_one_name(), defect(Defect.UNREADABLE)),
    one_sheet(
        "a value far right of all names",
        defect(Defect.UNNAMED_COLUMN, row=2, column="16384"),
        header("a"),
        number(1) + '<c r="XFD2"><v>1</v></c>',
    ),
    one_sheet(
        "a cell twice",
        defect(Defect.UNREADABLE, row=2),
        header("a"),
        '<c r="A2"><v>1</v></c><c r="A2"><v>2</v></c>',
    ),
    book("rows out of order", _SHUFFLED, defect(Defect.UNREADABLE)),
    book("a value in the last row that a sheet has", _SPARSE, exact(_sparse_table)),
    book("an archive that is no workbook", zip_of(("rows.csv", b"a,b\n1,2\n")), defect(Defect.UNREADABLE)),
    book("text named .xlsx", "a,b\n1,2\n", defect(Defect.UNREADABLE)),
    book("a workbook with a password", _old_format("EncryptedPackage"), defect(Defect.ENCRYPTED)),
    book("a workbook of the old format", _old_format("Workbook"), defect(Defect.UNREADABLE)),
    HostileCase("a workbook of the old format", "rows.xls", _old_format("Workbook"), defect(Defect.UNREADABLE)),
    book("entities that grow to gigabytes", _laughs, defect(Defect.UNREADABLE), confined=True),
    book("an entity that names a file of the machine", _outer_entity, defect(Defect.UNREADABLE)),
    book("a zip bomb: 100 MiB of blanks in 100 kB", _bomb, defect(Defect.TOO_LARGE), confined=True),
    book(
        "more cells than its time allows",
        _many_rows,
        defect(Defect.PARSER_LIMIT),
        confined=True,
        seconds=0.1,
    ),
]

CASES: list[HostileCase] = [*SHEETS, *CELLS, *DAMAGE]
