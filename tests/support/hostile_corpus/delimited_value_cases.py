"""Delimited text whose values a lenient reader changes: numbers, words, dates, missing values."""

import datetime as dt

import pyarrow as pa
from hostile_corpus.cases import HostileCase, delimited, exact

NAN, INF = float("nan"), float("inf")
_LATE = 200_000


def _texts_late() -> bytes:
    return ("code,x\n" + "1,0.5\n" * _LATE + "A1,0.5\n").encode()


def _texts_late_table() -> pa.Table:
    return pa.table({"code": ["1"] * _LATE + ["A1"], "x": [0.5] * (_LATE + 1)})


def _late_after_blocks(first: str, last: str) -> bytes:
    # several blocks of the reader, so that the types of the first do not fit the last
    return (
        f"a,b\n{f'{first},x' + chr(10)}".encode() + f"{first},xxxxxxxxxx\n".encode() * 600_000 + f"{last},y\n".encode()
    )


def _late_fractions_table() -> pa.Table:
    return pa.table({"a": [12345.0] * 600_001 + [0.5], "b": ["x"] + ["xxxxxxxxxx"] * 600_000 + ["y"]})


def _late_zero_table() -> pa.Table:
    return pa.table({"a": ["12345"] * 600_001 + ["00012"], "b": ["x"] + ["xxxxxxxxxx"] * 600_000 + ["y"]})


def _late_big_table() -> pa.Table:
    return pa.table({"a": ["0.5"] * 600_001 + ["9007199254740993"], "b": ["x"] + ["xxxxxxxxxx"] * 600_000 + ["y"]})


def texts(name: str, *values: str) -> HostileCase:
    """Return a case of one column that must stay text, beside one of whole numbers."""
    rows = "".join(f"{value},{number}\n" for number, value in enumerate(values))
    return delimited(name, f"v,n\n{rows}", exact(v=list(values), n=list(range(len(values)))))


TEXTS = [
    texts("leading zeros", "00123", "7"),
    texts("a leading zero in a quoted column is text too", "0123", "7"),
    texts("hexadecimal", "0x1F", "7"),
    texts("a number past the floats", "1e400", "1.5"),
    texts("a number too small for a float", "1e-400", "0.0", "1.5"),
    texts("a whole number without a float of its own, written as a fraction", "9007199254740993.0", "0.5"),
    texts("a leap second", "2016-12-31T23:59:60", "2016-12-31T23:59:59"),
    texts("midnight at the end of a day", "2016-12-31 24:00:00", "2016-12-31 23:59:59"),
    texts("a minus sign that is no hyphen", "\u22125", "7"),
    texts("underscores between digits", "1_000", "7"),
    texts("whole numbers past 64 bits", "9223372036854775808", "1"),
    texts("a whole number without a float of its own, among fractions", "9007199254740993", "0.5"),
    texts("NA", "NA", "1"),
    texts("NULL and None", "NULL", "None"),
    texts("N/A and a dash", "N/A", "-"),
    texts("yes and no", "yes", "no"),
    texts("true among numbers", "true", "1"),
    texts("T and F", "T", "F"),
    texts("30 February", "2021-02-30", "2021-02-28"),
    texts("dates of two formats", "2021-03-04", "03/04/2021"),
    texts("days first, format not declared", "31/12/2021", "01/02/2021"),
    texts("times without a date", "25:00", "x"),
    texts("formula injection", "=cmd|' /C calc'!A0", "@SUM(1+1)"),
    texts("percent and currency", "5%", "€7"),
    texts("digits of another script", "١٢٣", "7"),
    texts("blanks around texts", "  x", "y  "),
    texts("a text that says nan among words", "nan", "word"),
    texts("version numbers", "1.10", "1.10.1"),
]

NUMBERS = [
    delimited(
        "infinity and not-a-number as words",
        "a,b\nnan,1\ninf,2\n-inf,3\n,4\n",
        exact(a=[NAN, INF, -INF, None], b=[1, 2, 3, 4]),
    ),
    delimited("minus zero, whole", "a,b\n-0,x\n1,y\n", exact(a=[0, 1], b=["x", "y"])),
    delimited("minus zero, a fraction", "a,b\n-0.0,x\n0.0,y\n", exact(a=[-0.0, 0.0], b=["x", "y"])),
    delimited(
        "the largest whole numbers", "a\n9223372036854775807\n-9223372036854775808\n", exact(a=[2**63 - 1, -(2**63)])
    ),
    delimited(
        "a whole number beyond the floats, and a missing one",
        "a,b\n9007199254740993,1\n,2\n",
        exact(a=[2**53 + 1, None], b=[1, 2]),
    ),
    delimited("an exponent", "a,b\n1e5,x\n2E-3,y\n", exact(a=[100000.0, 0.002], b=["x", "y"])),
    delimited(
        "a float of many digits",
        "a\n0.1000000000000000055511151231257827\n0.30000000000000004\n",
        exact(a=[0.1, 0.1 + 0.2]),
    ),
    delimited("the smallest float", "a\n5e-324\n1.0\n", exact(a=[5e-324, 1.0])),
    delimited("a plus sign", "a,b\n+5,x\n7,y\n", exact(a=[5.0, 7.0], b=["x", "y"])),
    delimited("blanks around numbers", "a,b\n 5,x\n7 ,y\n", exact(a=[5, 7], b=["x", "y"])),
    delimited("quoted numbers", 'a,b\n"1","2.5"\n"3","4.5"\n', exact(a=[1, 3], b=[2.5, 4.5])),
    delimited("quoted leading zeros", 'a,b\n"01","2.5"\n"3","4.5"\n', exact(a=["01", "3"], b=[2.5, 4.5])),
    delimited(
        "decimal commas, declared",
        "a;b\n1,5;x\n-0,25;y\n",
        exact(a=[1.5, -0.25], b=["x", "y"]),
        delimiter=";",
        decimal=",",
    ),
    delimited("decimal commas, not declared", "a;b\n1,5;x\n2;y\n", exact(a=["1,5", "2"], b=["x", "y"]), delimiter=";"),
    delimited("thousands marks, not declared", 'a,b\n"1,234",x\n7,y\n', exact(a=["1,234", "7"], b=["x", "y"])),
    delimited(
        "thousands marks, declared",
        'a,b\n"1,234,567",x\n7,y\n,z\n',
        exact(a=[1234567, 7, None], b=["x", "y", "z"]),
        thousands=",",
    ),
    delimited(
        "thousands points and decimal commas, declared",
        "a;b\n1.234,50;x\n7,25;y\n",
        exact(a=[1234.5, 7.25], b=["x", "y"]),
        delimiter=";",
        decimal=",",
        thousands=".",
    ),
    delimited(
        "thousands marks that group no thousands",
        'a,b\n"1,2",x\n7,y\n',
        exact(a=["1,2", "7"], b=["x", "y"]),
        thousands=",",
    ),
]

MISSING = [
    delimited(
        "an empty field is missing, a quoted one is not", 'a,b\n,1\n"",2\nx,3\n', exact(a=[None, "", "x"], b=[1, 2, 3])
    ),
    delimited("a column without any value", "a,b\n,1\n,2\n", exact(a=pa.nulls(2), b=[1, 2])),
    delimited(
        "NA, declared as missing", "a,b\nNA,x\n1,NA\n", exact(a=[None, 1], b=["x", None]), null_values=("", "NA")
    ),
    delimited(
        "NA in quotes is a text though NA is missing",
        'a,b\n"NA",1\nNA,2\n',
        exact(a=["NA", None], b=[1, 2]),
        null_values=("NA",),
    ),
    delimited(
        "true, True, TRUE and a missing one",
        "a,b\ntrue,1\nTRUE,2\nFalse,3\n,4\n",
        exact(a=[True, True, False, None], b=[1, 2, 3, 4]),
    ),
]

DATES = [
    delimited(
        "dates, and 29 February",
        "a,b\n2024-02-29,1\n1900-01-01,2\n",
        exact(a=[dt.date(2024, 2, 29), dt.date(1900, 1, 1)], b=[1, 2]),
    ),
    delimited(
        "days first, format declared",
        "a,b\n31/12/2021,1\n01/02/2021,2\n",
        exact(a=[dt.date(2021, 12, 31), dt.date(2021, 2, 1)], b=[1, 2]),
        date_format="%d/%m/%Y",
    ),
    delimited(
        "a day that does not exist, format declared",
        "a,b\n30/02/2021,1\n01/02/2021,2\n",
        exact(a=["30/02/2021", "01/02/2021"], b=[1, 2]),
        date_format="%d/%m/%Y",
    ),
    delimited(
        "times of two zones are the same moments in UTC",
        "a,b\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:00+02:00,2\n",
        exact(
            a=pa.array([1704067200_000000, 1704060000_000000], pa.timestamp("us", "UTC")),
            b=[1, 2],
        ),
    ),
    texts("times with and without a zone", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00"),
    delimited(
        "nanoseconds",
        "a,b\n2024-01-01T00:00:00.123456789,1\n2024-01-01T00:00:00,2\n",
        exact(a=pa.array([1704067200_123456789, 1704067200_000000000], pa.timestamp("ns")), b=[1, 2]),
    ),
]

LATE = [
    delimited("whole numbers, and a text in row 200,002", _texts_late, exact(_texts_late_table)),
    delimited(
        "whole numbers, and a fraction blocks later",
        lambda: _late_after_blocks("12345", "0.5"),
        exact(_late_fractions_table),
    ),
    delimited(
        "whole numbers, and a leading zero blocks later",
        lambda: _late_after_blocks("12345", "00012"),
        exact(_late_zero_table),
    ),
    delimited(
        "fractions, and a number without a float blocks later",
        lambda: _late_after_blocks("0.5", "9007199254740993"),
        exact(_late_big_table),
    ),
]

CASES: list[HostileCase] = [*TEXTS, *NUMBERS, *MISSING, *DATES, *LATE]
