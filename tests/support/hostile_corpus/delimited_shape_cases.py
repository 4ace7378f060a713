"""Delimited text with wrong rows, quotes or headers."""

import io

import pyarrow as pa
from hostile_corpus.cases import EMPTY, HostileCase, defect, delimited, exact

from assay.reading.defects import Defect

_SEVERAL_BLOCKS = 700_000


def _ragged_far_down() -> bytes:
    return b"a,b\n" + b"1234567,x\n" * _SEVERAL_BLOCKS + b"1,2,3\n"


def _header_again_far_down() -> bytes:
    return b"a,b\r\n" + b"1234567,x\r\n" * _SEVERAL_BLOCKS + b"a,b\r\n1,x\r\n"


def _columns(count: int) -> bytes:
    names = ",".join(f"c{number}" for number in range(count))
    return f"{names}\n{','.join(str(number) for number in range(count))}\n".encode()


def _many_short_rows() -> bytes:
    text = io.StringIO()
    text.write("n\n")
    text.writelines(f"{number}\n" for number in range(200_000))
    return text.getvalue().encode()


ROWS = [
    delimited("an extra field in every row", "a,b\n1,2,3\n4,5,6\n", defect(Defect.RAGGED_ROW, row=2)),
    delimited("an extra field in one row", "a,b\n1,2\n3,4,5\n6,7\n", defect(Defect.RAGGED_ROW, row=3)),
    delimited("a short row", "a,b,c\n1,2,3\n4,5\n", defect(Defect.RAGGED_ROW, row=3)),
    delimited("an extra field in row 700,002", _ragged_far_down, defect(Defect.RAGGED_ROW, row=_SEVERAL_BLOCKS + 2)),
    delimited("a short row after a blank line", "a,b\n1,2\n\n3\n", defect(Defect.RAGGED_ROW, row=4)),
    delimited("a short row after a quoted line break", 'a,b\n1,"x\ny"\n3\n', defect(Defect.RAGGED_ROW, row=4)),
    delimited("a trailing delimiter in the rows only", "a,b\n1,2,\n3,4,\n", defect(Defect.RAGGED_ROW, row=2)),
    delimited("a trailing delimiter in every row and the header", "a,b,\n1,2,\n3,4,\n", exact(a=[1, 3], b=[2, 4])),
    delimited("a comment above the header", "# made by hand\na,b\n1,2\n", defect(Defect.RAGGED_ROW, row=2)),
    delimited("a comment among the rows", "a,b\n1,2\n# note\n3,4\n", defect(Defect.RAGGED_ROW, row=3)),
    delimited("a sum below the rows", "a,b,c\n1,2,3\nTotal: 1 row\n", defect(Defect.RAGGED_ROW, row=3)),
    delimited("a blank line among the rows", "a,b\n1,2\n\n3,4\n", exact(a=[1, 3], b=[2, 4])),
    delimited("blank lines above the header", "\n\na,b\n1,2\n", exact(a=[1], b=[2])),
    delimited("a blank line above a short row's header", "\na,b\n1\n", defect(Defect.RAGGED_ROW, row=3)),
    delimited("a row of delimiters only", "a,b\n1,x\n,\n3,z\n", exact(a=[1, None, 3], b=["x", None, "z"])),
    delimited("200,000 short rows", _many_short_rows, exact(lambda: pa.table({"n": pa.array(range(200_000))}))),
    delimited("an empty file", b"", EMPTY),
    delimited("a header only", "a,b\n", EMPTY),
    delimited("a header only, without a line end", "a,b", EMPTY),
    delimited("only line ends", "\n\r\n\n", EMPTY),
    delimited("Windows line ends", "a,b\r\n1,x\r\n2,y\r\n", exact(a=[1, 2], b=["x", "y"])),
    delimited("line ends of a carriage return only", "a,b\r1,x\r2,y\r", exact(a=[1, 2], b=["x", "y"])),
    delimited("a short row, lines ending in a carriage return", "a,b\r1,x\r2\r", defect(Defect.RAGGED_ROW, row=3)),
    delimited("mixed line ends", "a,b\r\n1,x\n2,y\r3,z\r\n", exact(a=[1, 2, 3], b=["x", "y", "z"])),
    delimited("a short row below mixed line ends", 'a,b\r\n1,"x\ny"\r2,y\n\r\n3\r\n', defect(Defect.RAGGED_ROW, row=6)),
    delimited("no final line end", "a,b\n1,x\n2,y", exact(a=[1, 2], b=["x", "y"])),
]

DELIMITERS = [
    delimited("semicolons where commas are expected", "a;b\n1;2\n", defect(Defect.WRONG_DELIMITER, row=1)),
    delimited(
        "semicolons and decimal commas read with commas", "a;b\n1,5;2,5\n", defect(Defect.WRONG_DELIMITER, row=1)
    ),
    delimited("a tab-separated file named .csv", "a\tb\n1\t2\n", defect(Defect.WRONG_DELIMITER, row=1)),
    delimited("bars where commas are expected", "a|b\n1|2\n", defect(Defect.WRONG_DELIMITER, row=1)),
    delimited("commas in a file named .tsv", "a,b\n1,2\n", defect(Defect.WRONG_DELIMITER, row=1), filename="rows.tsv"),
    delimited("Excel's sep= line", "sep=;\na;b\n1;2\n", defect(Defect.WRONG_DELIMITER, row=1)),
    delimited(
        "Excel's sep= line and the delimiter declared",
        "sep=;\na;b\n1;2\n",
        defect(Defect.UNNAMED_COLUMN, row=2, column="2"),
        delimiter=";",
    ),
    delimited("one column of texts with a semicolon", "a\nx;y\nz\n", exact(a=["x;y", "z"])),
]

QUOTES = [
    delimited("a quote inside a field", 'a,b\n1,x\n2,5" pipe\n', defect(Defect.STRAY_QUOTE, row=3, byte=11)),
    delimited("a quote that opens and is not closed", 'a,b\n1,"x\n2,y\n', defect(Defect.STRAY_QUOTE, row=2, byte=6)),
    delimited("a quote that a later row closes", 'a,b\n1,"x\n2,"y\n3,z\n', defect(Defect.STRAY_QUOTE, row=3, byte=11)),
    delimited("text after a closing quote", 'a,b\n1,"x"y\n', defect(Defect.STRAY_QUOTE, row=2, byte=8)),
    delimited("a blank before an opening quote", 'a,b\n1, "x"\n', defect(Defect.STRAY_QUOTE, row=2, byte=7)),
    delimited("quotes escaped by a backslash", 'a,b\n1,"x \\"y\\" z"\n', defect(Defect.STRAY_QUOTE, row=2, byte=10)),
    delimited("a quote in the header", 'a,b" x\n1,2\n', defect(Defect.STRAY_QUOTE, row=1, byte=3)),
    delimited("a quote in the header that is not closed", 'a,"b\n1,2\n3,4\n', defect(Defect.STRAY_QUOTE, row=1)),
    delimited(
        "quoted line breaks, delimiters and quotes",
        'a,b\n"x\ny","p,q"\n"x\r\ny","""p"""\n"",","\n',
        exact(a=["x\ny", "x\r\ny", ""], b=["p,q", '"p"', ","]),
    ),
    delimited(
        "quoted line breaks, other lines ending in a carriage return",
        'a,b\r"x\ry",1\rz,2\r',
        exact(a=["x\ry", "z"], b=[1, 2]),
    ),
    delimited("another quote", "a,b\n'x,y',5\" pipe\n", exact(a=["x,y"], b=['5" pipe']), quote="'"),
]

HEADERS = [
    delimited("the header again among the rows", "a,b\n1,2\na,b\n3,4\n", defect(Defect.REPEATED_HEADER, row=3, byte=8)),
    delimited("the header twice", "a,b\r\na,b\r\n1,2\r\n", defect(Defect.REPEATED_HEADER, row=2, byte=5)),
    delimited("the header again at the end", "a,b\n1,2\na,b", defect(Defect.REPEATED_HEADER, row=3, byte=8)),
    delimited(
        "the header again in row 700,002",
        _header_again_far_down,
        defect(Defect.REPEATED_HEADER, row=_SEVERAL_BLOCKS + 2, byte=5 + 11 * _SEVERAL_BLOCKS),
    ),
    delimited("one column whose name is also a value", "word\nword\nother\n", exact(word=["word", "other"])),
    delimited("two columns of one name", "a,b,a\n1,2,3\n", defect(Defect.REPEATED_COLUMN, row=1, column="a")),
    delimited("names that differ in case", "a,A\n1,2\n", exact({"a": [1], "A": [2]})),
    delimited("names that differ in blanks", "a, a\n1,2\n", exact({"a": [1], " a": [2]})),
    delimited("a column with values and without a name", "a,\n1,2\n", defect(Defect.UNNAMED_COLUMN, row=2, column="2")),
    delimited("an unnamed index column", ",a\n0,7\n1,8\n", defect(Defect.UNNAMED_COLUMN, row=2, column="1")),
    delimited(
        "an unnamed column whose first value is in row 4",
        "a,\n1,\n2,\n3,x\n",
        defect(Defect.UNNAMED_COLUMN, row=4, column="2"),
    ),
    delimited("a line break in a name", 'a,"b\nc"\n1,2\n', exact({"a": [1], "b\nc": [2]})),
    delimited("a short row under a name with a line break", 'a,"b\nc"\n1,2\n3\n', defect(Defect.RAGGED_ROW, row=4)),
    delimited("no header", "1,x\n2,y\n", exact(column_1=[1, 2], column_2=["x", "y"]), header=False),
    delimited(
        "no header and a row that is there twice",
        "1,x\n1,x\n",
        exact(column_1=[1, 1], column_2=["x", "x"]),
        header=False,
    ),
    delimited("no header and a short row", "1,x\n2\n", defect(Defect.RAGGED_ROW, row=2), header=False),
    delimited("5,001 columns", lambda: _columns(5_001), defect(Defect.TOO_MANY_COLUMNS, row=1)),
    delimited(
        "5,001 columns without a header",
        lambda: _columns(5_001),
        defect(Defect.TOO_MANY_COLUMNS),
        header=False,
    ),
    delimited("5,000 columns", lambda: _columns(5_000), exact({f"c{number}": [number] for number in range(5_000)})),
]

CASES: list[HostileCase] = [*ROWS, *DELIMITERS, *QUOTES, *HEADERS]
