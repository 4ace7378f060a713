"""Sheets of xlsx workbooks."""

import datetime as dt
import io
import zipfile

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import MalformedDataError
from assay.reading import workbook_package
from assay.reading.batches import ReadOptions, TypesTooNarrowError
from assay.reading.defects import Defect
from assay.reading.formats import workbook
from assay.reading.formats.workbook import workbook_stream

SHEET = "xl/worksheets/sheet1.xml"


def book(*rows, epoch=None, **others):
    made = openpyxl.Workbook()
    made.active.title = "first"
    made.epoch = epoch or made.epoch
    for row in rows:
        made.active.append(row)
    for title, more in others.items():
        sheet = made.create_sheet(title)
        for row in more:
            sheet.append(row)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def edited(content, changes, extra=(), method=zipfile.ZIP_DEFLATED):
    """Return a workbook with the texts of members exchanged, and members added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for member in old.namelist():
            data = old.read(member)
            for before, after in changes.get(member, {}).items():
                assert before.encode() in data, data
                data = data.replace(before.encode(), after.encode())
            new.writestr(member, data)
        for member, data in extra:
            new.writestr(member, data)
    return buffer.getvalue()


TEMPLATE = book(["q"])


def rows_of(*cells):
    """A header `a`, and one cell per row below."""
    rows = "".join(f'<row r="{number}">{cell}</row>' for number, cell in enumerate(cells, 2))
    return with_rows(f'<row r="1"><c r="A1" t="str"><v>a</v></c></row>{rows}')


def with_rows(xml):
    content = TEMPLATE
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read(SHEET).decode()
    start, end = sheet.index("<sheetData>") + len("<sheetData>"), sheet.index("</sheetData>")
    return edited(content, {SHEET: {sheet[start:end]: xml}})


def table_of(stream):
    try:
        return pa.Table.from_batches(stream.batches, stream.schema)
    except TypesTooNarrowError as narrow:
        return table_of(stream.again(narrow))


@pytest.fixture
def read(tmp_path):
    def of(content, sheet=None):
        path = tmp_path / "unpacked"
        path.write_bytes(content)
        return table_of(workbook_stream(path, ReadOptions(sheet=sheet)))

    return of


MOMENT = dt.datetime.fromisoformat("2020-02-29T12:30")


def test_every_kind_of_cell_comes_back(read):
    header = ["n", "f", "s", "b", "t", "d", "c", "nothing"]
    table = read(
        book(header, [1, 0.5, "é", True, MOMENT, dt.timedelta(hours=30), dt.time(6, 30), None], [None] * 8, [2])
    )
    assert table.schema.types == [
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.bool_(),
        pa.timestamp("us"),
        pa.duration("us"),
        pa.time64("us"),
        pa.null(),
    ]
    assert list(table.to_pylist()[0].values()) == [
        1,
        0.5,
        "é",
        True,
        MOMENT,
        dt.timedelta(hours=30),
        dt.time(6, 30),
        None,
    ]
    assert table["n"].to_pylist() == [1, None, 2]


cells = st.none() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(cells, min_size=1, max_size=20), st.integers(1, 5))
def test_numbers_come_back_however_rows_are_cut(tmp_path_factory, values, block):
    path = tmp_path_factory.mktemp("book") / "unpacked"
    content = rows_of(*("<c/>" if value is None else f"<c><v>{value!r}</v></c>" for value in values), "<c><v>7</v></c>")
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook, "_BLOCK_ROWS", block)
        table = table_of(workbook_stream(path, ReadOptions()))
    assert table["a"].to_pylist() == [*values, 7]


def test_dates_are_counted_from_the_books_epoch(read):
    assert read(book(["t"], [MOMENT], epoch=openpyxl.utils.datetime.CALENDAR_MAC_1904))["t"].to_pylist() == [MOMENT]


def test_dates_may_be_written_as_text_of_a_kind(read):
    content = rows_of('<c r="A2" t="d"><v>2020-02-29</v></c>', '<c r="A3" t="d"><v>2020-03-01</v></c>')
    assert read(content)["a"].to_pylist() == [dt.date(2020, 2, 29), dt.date(2020, 3, 1)]


def test_a_sheet_is_taken_by_its_name(read):
    content = book(["a"], [1], second=[["b"], [2]])
    assert read(content, sheet="second").to_pydict() == {"b": [2]}
    assert read(content, sheet="first").to_pydict() == {"a": [1]}


def test_stored_values_of_formulas_are_taken(read):
    content = rows_of(
        '<c r="A2"><f>1+1</f><v>2</v></c>', '<c r="A3" t="str"><f>IF(1,"")</f><v></v></c>', "<c><v>3</v></c>"
    )
    assert read(content)["a"].to_pylist() == [2, None, 3]


def test_rows_may_be_left_out_and_cells_unnumbered(read):
    cell = "<c><v>{}</v></c>"
    content = with_rows(
        '<row r="2"><c t="str"><v>a</v></c><c t="str"><v>b</v></c></row>'
        f'<row r="5">{cell.format(1)}{cell.format(2)}</row><row>{cell.format(3)}</row><row r="9"><c s="1"/></row>'
    )
    assert read(content).to_pydict() == {"a": [None, None, 1, 3], "b": [None, None, 2, None]}


def test_texts_may_be_inline_with_runs_and_readings(read):
    runs = '<c r="A2" t="inlineStr"><is><r><t>x</t></r><r><t xml:space="preserve"> y</t></r><rPh sb="0" eb="1"><t>no</t></rPh></is></c>'
    assert read(rows_of(runs))["a"].to_pylist() == ["x y"]


def test_columns_of_nothing_are_left_out(read):
    assert read(book(["a", None, "c", None], [1, None, 2, None])).to_pydict() == {"a": [1], "c": [2]}


def test_a_header_alone_is_no_rows(read):
    table = read(book(["a", "b"]))
    assert (table.column_names, table.num_rows) == (["a", "b"], 0)
    assert read(book()).num_rows == 0


def test_a_lying_dimension_changes_nothing(read):
    assert read(edited(book(["a"], [1]), {SHEET: {'ref="A1:A2"': 'ref="A1:XFD1048576"'}})).to_pydict() == {"a": [1]}


def merged():
    made = openpyxl.Workbook()
    for row in (["a", "b"], [1, 2], [3, 4]):
        made.active.append(row)
    made.active.merge_cells("A2:A3")
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def test_of_merged_cells_only_the_first_has_the_value(read):
    assert read(merged()).to_pydict() == {"a": [1, None], "b": [2, 4]}


A2 = (2, "a")
REFUSED = {
    "a formula that was never calculated": (
        rows_of('<c r="A2"><f>1+1</f><v></v></c>'),
        Defect.UNCALCULATED_FORMULA,
        A2,
    ),
    "a formula of text without a value": (
        rows_of('<c r="A2" t="str"><f>B1</f></c>'),
        Defect.UNCALCULATED_FORMULA,
        A2,
    ),
    "as openpyxl writes formulas": (book(["a"], ["=1+1"]), Defect.UNCALCULATED_FORMULA, A2),
    "an error": (rows_of('<c r="A2" t="e"><v>#DIV/0!</v></c>'), Defect.UNCALCULATED_FORMULA, A2),
    "numbers and texts": (book(["a"], [1], ["x"]), Defect.MIXED_TYPES, (3, "a")),
    "truth and numbers": (book(["a"], [1], [True]), Defect.MIXED_TYPES, (3, "a")),
    "dates and numbers": (book(["a"], [MOMENT], [None], [1]), Defect.MIXED_TYPES, (4, "a")),
    "a whole number that a float rounds": (
        rows_of('<c r="A2"><v>0.5</v></c>', '<c r="A3"><v>9007199254740993</v></c>'),
        Defect.VALUE_OUT_OF_RANGE,
        (3, "a"),
    ),
    "a number past 64 bits": (rows_of(f'<c r="A2"><v>{2**63}</v></c>'), Defect.VALUE_OUT_OF_RANGE, A2),
    "a number past the floats": (rows_of('<c r="A2"><v>1e999</v></c>'), Defect.VALUE_OUT_OF_RANGE, A2),
    "no number": (rows_of('<c r="A2"><v>1_000</v></c>'), Defect.UNREADABLE, A2),
    "not even NaN": (rows_of('<c r="A2"><v>nan</v></c>'), Defect.UNREADABLE, A2),
    "a text that is not there": (rows_of('<c r="A2" t="s"><v>7</v></c>'), Defect.UNREADABLE, A2),
    "a text before the first": (rows_of('<c r="A2" t="s"><v>-1</v></c>'), Defect.UNREADABLE, A2),
    "a kind of cell that does not exist": (rows_of('<c r="A2" t="q"><v>1</v></c>'), Defect.UNREADABLE, A2),
    "a date with a zone": (rows_of('<c r="A2" t="d"><v>2020-01-01T00:00+02:00</v></c>'), Defect.UNREADABLE, A2),
    "a cell of another row": (rows_of('<c r="A3"><v>1</v></c>'), Defect.UNREADABLE, A2),
    "two values for a cell": (rows_of('<c r="A2"><v>1</v></c><c r="A2"><v>2</v></c>'), Defect.UNREADABLE, (2, "2")),
    "two rows of a number": (with_rows('<row r="1"/><row r="1"/>'), Defect.UNREADABLE, (None, "")),
    "a row past the last": (with_rows('<row r="9999999999"/>'), Defect.UNREADABLE, (None, "")),
    "a column without a name": (book(["a"], [1], [2, 3]), Defect.UNNAMED_COLUMN, (3, "2")),
    "a column with a blank name": (book(["a", " "], [1, 2]), Defect.UNNAMED_COLUMN, (2, "2")),
    "a repeated name": (book(["a", "b", "a"], [1, 2, 3]), Defect.REPEATED_COLUMN, (1, "a")),
    "too many columns": (book([f"c{n}" for n in range(5001)]), Defect.TOO_MANY_COLUMNS, (None, "")),
    "several sheets": (book(["a"], second=[]), Defect.SHEET_AMBIGUOUS, (None, "")),
    "half a file": (book(["a"], [1])[:-30], Defect.UNREADABLE, (None, "")),
    "no workbook": (b"a,b\n1,2\n", Defect.UNREADABLE, (None, "")),
    "another archive": (
        edited(book(), {"[Content_Types].xml": {"Override": "Nothing"}}),
        Defect.UNREADABLE,
        (None, ""),
    ),
    "a sheet of another kind of XML": (
        edited(book(["a"], [1]), {SHEET: {"schemas.openxmlformats.org": "purl.oclc.org"}}),
        Defect.UNREADABLE,
        (None, ""),
    ),
    "half a sheet": (edited(book(["a"]), {SHEET: {"</sheetData>": ""}}), Defect.UNREADABLE, (None, "")),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Defect.UNREADABLE, (None, "")),
    "an encrypted workbook": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
        Defect.ENCRYPTED,
        (None, ""),
    ),
    "entities without end": (
        edited(book(["a"]), {SHEET: {"<worksheet": '<!DOCTYPE x [<!ENTITY y "z">]><worksheet'}}),
        Defect.UNREADABLE,
        (None, ""),
    ),
    "a bomb": (edited(book(["a"]), {}, [("xl/media/x", bytes(17 << 20))]), Defect.TOO_LARGE, (None, "")),
    "bytes after it": (book(["a"]) + b"x", Defect.UNREADABLE, (None, "")),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("block", [1, 10_000])
def test_refused_with_the_location(read, monkeypatch, case, block):
    monkeypatch.setattr(workbook, "_BLOCK_ROWS", block)
    content, defect, (row, column) = REFUSED[case]
    with pytest.raises(MalformedDataError) as caught:
        read(content)
    assert (caught.value.defect, caught.value.location.row, caught.value.location.column) == (defect, row, column)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_written_twice_is_not_guessed(read):
    with pytest.raises(MalformedDataError) as caught:
        read(edited(book(["a"], [1]), {}, [(SHEET, b"<worksheet/>")]))
    assert caught.value.found == f"{SHEET} twice in the archive"


def test_a_changed_byte_is_noticed(read):
    content = bytearray(edited(book(["a"], ["needle"]), {}, method=zipfile.ZIP_STORED))
    content[content.index(b"needle")] ^= 1
    with pytest.raises(MalformedDataError) as caught:
        read(bytes(content))
    assert caught.value.defect == Defect.CHECKSUM_MISMATCH


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
def test_declarations_are_found_across_blocks_and_encodings(read, monkeypatch, encoding):
    monkeypatch.setattr(workbook_package, "_STEP", 40)
    with pytest.raises(MalformedDataError, match="not readable") as caught:
        read(edited(book(["a"]), {}, [("x.xml", (" " * 35 + "<!DOCTYPE").encode(encoding))]))
    assert "x.xml" in caught.value.found


def test_the_sheets_to_choose_from_are_listed(read):
    with pytest.raises(MalformedDataError) as caught:
        read(book(["a"], second=[]))
    assert caught.value.found == "first, second"
    assert "dataset.sheet" in caught.value.remedy
    with pytest.raises(MalformedDataError, match="did you mean 'second'") as caught:
        read(book(["a"], second=[]), sheet="secnd")
    assert caught.value.defect == Defect.SHEET_AMBIGUOUS
