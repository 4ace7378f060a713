"""Delimited text with wrong bytes, characters or lengths."""

import gzip

from hostile_corpus.cases import EMPTY, UNSUPPORTED, HostileCase, Refused, defect, delimited, exact, in_child

from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect
from assay.specs.dataset import DataFormat

_MIB = 1 << 20
_MARK = b"\xef\xbb\xbf"
_BOTH = exact(a=[1, 2], b=["x", "é"])

NULS = [
    delimited("a NUL in a value", "a,b\n1,2\n3,x\0y\n", defect(Defect.NUL_BYTE, row=3, byte=11)),
    delimited("a NUL in a quoted value", 'a,b\n1,"x\0"\n', defect(Defect.NUL_BYTE, row=2, byte=8)),
    delimited("a NUL in a name", "a,b\0c\n1,2\n", defect(Defect.NUL_BYTE, row=1, byte=3)),
    delimited("a NUL at the beginning of a name", "\0a,b\n1,2\n", defect(Defect.NUL_BYTE, row=1, byte=0)),
    delimited("a file padded with NULs", b"a,b\n1,2\n" + b"\0" * 4096, defect(Defect.NUL_BYTE, row=3, byte=8)),
    delimited("NULs only", b"\0" * 4096, defect(Defect.NUL_BYTE, row=1, byte=0)),
]

ENCODINGS = [
    delimited("UTF-16, not declared", "a,b\n1,x\n".encode("utf-16"), defect(Defect.WRONG_ENCODING, row=1, byte=0)),
    delimited(
        "UTF-16 without a mark, not declared", "a,b\n1,x\n".encode("utf-16-le"), defect(Defect.NUL_BYTE, row=1, byte=1)
    ),
    delimited("UTF-16, declared", "a,b\n1,x\n2,é\n".encode("utf-16"), _BOTH, encoding="utf-16"),
    delimited("UTF-16 without a mark, declared", "a,b\n1,x\n2,é\n".encode("utf-16-be"), _BOTH, encoding="utf-16-be"),
    delimited(
        "UTF-16 without a mark, where one is needed",
        "a,b\n1,x\n".encode("utf-16-be"),
        defect(Defect.WRONG_ENCODING, row=1, byte=0),
        encoding="utf-16",
    ),
    delimited("text read as UTF-16", "a,b\n1,x\n", defect(Defect.WRONG_ENCODING, row=1, byte=0), encoding="utf-16"),
    delimited("an encoding of no text", "a,b\n1,2\n", defect(Defect.WRONG_ENCODING), encoding="hex"),
    delimited(
        "UTF-16 that ends in half a character",
        "a,b\n1,x\n".encode("utf-16") + b"\x31",
        defect(Defect.WRONG_ENCODING, byte=18),
        encoding="utf-16",
    ),
    delimited("cp1252 read as UTF-8", b"a,b\n1,x\n2,\xe9\n", defect(Defect.WRONG_ENCODING, row=3, column="b", byte=10)),
    delimited("cp1252 in a name read as UTF-8", b"a,b\xe9\n1,x\n", defect(Defect.WRONG_ENCODING, row=1, byte=3)),
    delimited(
        "cp1252 after a quoted delimiter read as UTF-8",
        b'a,b\n"x,y",\xe9\n',
        defect(Defect.WRONG_ENCODING, row=2, column="b", byte=10),
    ),
    delimited("cp1252, declared", b"a,b\n1,x\n2,\xe9\n", _BOTH, encoding="cp1252"),
    delimited(
        "a byte that cp1252 does not have",
        b"a,b\n1,x\n2,\x81\n",
        defect(Defect.WRONG_ENCODING, byte=10),
        encoding="cp1252",
    ),
    delimited(
        "a row that begins with a byte of no UTF-8",
        b"a,b\n1,x\n\xe9,y\n",
        defect(Defect.WRONG_ENCODING, row=3, column="a", byte=8),
    ),
    delimited(
        "the first row begins with a byte of no UTF-8",
        b"a,b\n\xe9,y\n",
        defect(Defect.WRONG_ENCODING, row=2, column="a", byte=4),
    ),
    delimited("an encoding that does not exist", "a,b\n1,2\n", defect(Defect.WRONG_ENCODING), encoding="utf-99"),
    delimited("UTF-8 with a byte order mark", _MARK + "a,b\n1,x\n2,é\n".encode(), _BOTH),
    delimited(
        "cp1252 after a byte order mark",
        _MARK + b"a,b\n1,\xe9\n",
        defect(Defect.WRONG_ENCODING, row=2, column="b", byte=9),
    ),
    delimited("a byte order mark and nothing else", _MARK, EMPTY),
    delimited(
        "UTF-8 cut in the middle of a character",
        "a,b\n1,x\n2,é".encode()[:-1],
        defect(Defect.WRONG_ENCODING, row=3, column="b", byte=10),
    ),
    delimited("an overlong sequence", b"a,b\n1,\xc0\xaf\n", defect(Defect.WRONG_ENCODING, row=2, column="b", byte=6)),
    delimited(
        "half a surrogate pair", b"a,b\n1,\xed\xa0\x80\n", defect(Defect.WRONG_ENCODING, row=2, column="b", byte=6)
    ),
]

CHARACTERS = [
    delimited(
        "control characters",
        "a,b\n1,\x01\x07\x1b[31m\x7f\n2,\x0b\x0c\n",
        exact(a=[1, 2], b=["\x01\x07\x1b[31m\x7f", "\x0b\x0c"]),
    ),
    delimited(
        "line ends of Unicode are no line ends",
        "a,b\n1,x\u2028y\u2029\n2,\x85\x1c\x1e\n",
        exact(a=[1, 2], b=["x\u2028y\u2029", "\x85\x1c\x1e"]),
    ),
    delimited("emoji beyond 16 bits", "😀,b\n👩‍👩‍👧,1\n", exact({"😀": ["👩‍👩‍👧"], "b": [1]})),
    delimited(
        "marks of direction and of no width",
        "a,b\n\u202eevil\u202c,1\n\u200bx,2\n",
        exact(a=["\u202eevil\u202c", "\u200bx"], b=[1, 2]),
    ),
    delimited(
        "composed and decomposed letters stay as they are", "a,b\né,1\ne\u0301,2\n", exact(a=["é", "e\u0301"], b=[1, 2])
    ),
    delimited("a byte order mark inside the rows", "a,b\n\ufeffx,1\n", exact(a=["\ufeffx"], b=[1])),
]

LENGTHS = [
    delimited(
        "a field of 1 MiB",
        lambda: b"a,b\n1," + b"x" * _MIB + b"\n",
        exact(lambda: exact(a=[1], b=["x" * _MIB]).table()),
    ),
    delimited(
        "a field of 2 MiB",
        lambda: b"a,b\n1,x\n2," + b"x" * (2 * _MIB) + b"\n",
        defect(Defect.FIELD_TOO_LONG, row=3, column="b", byte=10),
    ),
    delimited("a name of 2 MiB", lambda: b"a," + b"x" * (2 * _MIB) + b"\n1,2\n", defect(Defect.FIELD_TOO_LONG, row=1)),
]

ENDLESS = [
    delimited(
        "a line of 50 MB",
        lambda: b"a,b\n1," + b"x" * 50_000_000 + b"\n",
        defect(Defect.FIELD_TOO_LONG, row=2, column="b", byte=6),
    ),
    delimited(
        "a line of 70 MB that goes on",
        lambda: b"a,b\n1," + b"x" * 70_000_000,
        defect(Defect.FIELD_TOO_LONG, row=2, column="b", byte=6),
    ),
    delimited(
        "a quote that is not closed within 70 MB",
        lambda: b'a,b\n1,"' + b"1234567,x\n" * 7_000_000,
        defect(Defect.STRAY_QUOTE, row=2, byte=6),
    ),
]

OTHER_FORMATS = [
    delimited("gzip named .csv", gzip.compress(b"a,b\n1,2\n", mtime=0), defect(Defect.WRONG_ENCODING, row=1, byte=1)),
    delimited(
        "a web page named .csv",
        "<!DOCTYPE html>\n<html><body>Sorry, not found</body></html>\n",
        defect(Defect.RAGGED_ROW, row=2),
    ),
    HostileCase("an ending that no format has", "rows.dat", "a,b\n1,2\n", UNSUPPORTED),
    HostileCase("a file that does not exist", "rows.csv", None, Refused("source_not_found")),
    HostileCase(
        "text named .parquet, format declared",
        "rows.parquet",
        "a,b\n1,2\n",
        exact(a=[1], b=[2]),
        ReadOptions(DataFormat.CSV),
    ),
]

CASES: list[HostileCase] = [*NULS, *ENCODINGS, *CHARACTERS, *LENGTHS, *map(in_child, ENDLESS), *OTHER_FORMATS]
