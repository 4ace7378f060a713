"""Delimited text whose dialect is detected: only where exactly one fits."""

import datetime as dt
from typing import Any

from hostile_corpus.cases import EMPTY, Content, Exact, HostileCase, Refused, defect, delimited, exact

from assay.reading.defects import Defect


def detected(name: str, content: Content, expected: Exact | Refused, **dialect: Any) -> HostileCase:
    """Return a case that is read with a found dialect; further keys are declared."""
    return delimited(f"detected: {name}", content, expected, detect=True, **dialect)


_BOTH = exact(a=[1, 2], b=["x", "é"])

CASES: list[HostileCase] = [
    detected("semicolons and decimal commas", "a;b\n1,5;x\n-0,25;y\n", exact(a=[1.5, -0.25], b=["x", "y"])),
    detected("tabs", "a\tb\n1\tx\n2\té\n", _BOTH),
    detected("bars", "a|b\n1|x\n2|é\n", _BOTH),
    detected("semicolons, and commas in texts", "a;b\n1;x,y\n2;z\n", exact(a=[1, 2], b=["x,y", "z"])),
    detected("semicolons inside quotes are no delimiters", 'a,b\n1,"x;y"\n2,"z;"\n', exact(a=[1, 2], b=["x;y", "z;"])),
    detected("cp1252", "a,b\n1,x\n2,é\n".encode("cp1252"), _BOTH),
    detected(
        "cp1252 after a mebibyte",
        lambda: b"a,b\n" + b"1,%s\n" % (b"x" * 100) * 20_000 + b"2,\xe9\n",
        exact(lambda: exact(a=[1] * 20_000 + [2], b=["x" * 100] * 20_000 + ["é"]).table()),
    ),
    detected("UTF-16", "a,b\n1,x\n2,é\n".encode("utf-16"), _BOTH),
    detected("bytes that neither UTF-8 nor cp1252 has", b"a,b\n1,\x81\n", defect(Defect.WRONG_ENCODING, byte=6)),
    detected("an encoding that does not exist", "a,b\n1,2\n", defect(Defect.WRONG_ENCODING), encoding="utf-99"),
    detected("NA among numbers", "a,b\n1,x\nNA,y\n", exact(a=[1, None], b=["x", "y"])),
    detected("NA among texts stays a text", "a,b\nx,1\nNA,2\n", exact(a=["x", "NA"], b=[1, 2])),
    detected(
        "NA among numbers, and among texts, where it is one",
        "n,country,day\n1,NA,2020-01-31\nNA,DE,NA\n3,,2020-02-29\n",
        exact(
            n=[1, None, 3],
            country=["NA", "DE", None],
            day=[dt.date(2020, 1, 31), None, dt.date(2020, 2, 29)],
        ),
    ),
    detected(
        "NA among numbers, and dates in a declared format",
        "day,n\n31.12.2020,NA\nNA,2\n",
        exact(day=[dt.date(2020, 12, 31), None], n=[None, 2]),
        date_format="%d.%m.%Y",
    ),
    detected(
        "thousands commas that decimal commas would explain too",
        "a;b\n1,234;1.5\n2,345;2.5\n",
        exact(a=["1,234", "2,345"], b=[1.5, 2.5]),
    ),
    detected(
        "commas and semicolons in equal number in every row",
        "a,b;c\n1,5;2\n2,5;3\n",
        defect(Defect.WRONG_DELIMITER),
    ),
    detected(
        "decimal commas without a header, which commas would cut too",
        "1,5;2,5\n3,5;4,5\n",
        defect(Defect.WRONG_DELIMITER),
        header=False,
    ),
    detected("thousands of two marks", "a;b\n1.234.567,5;x\n2,5;y\n", exact(a=[1234567.5, 2.5], b=["x", "y"])),
    detected(
        "one mark that may be decimal or thousands", "a,b\n1.234,x\n5.678,y\n", exact(a=[1.234, 5.678], b=["x", "y"])
    ),
    detected(
        "days first",
        "a,b\n31/12/2021,1\n01/02/2021,2\n",
        exact(a=[dt.date(2021, 12, 31), dt.date(2021, 2, 1)], b=[1, 2]),
    ),
    detected(
        "dates that two formats explain stay texts",
        "a,b\n01/02/2021,1\n03/04/2021,2\n",
        exact(a=["01/02/2021", "03/04/2021"], b=[1, 2]),
    ),
    detected("rows of different lengths", "a,b\n1,2\n3\n", defect(Defect.WRONG_DELIMITER)),
    detected("a line separator of Unicode inside a text", "a,b\n1,x\u2028y\n", exact(a=[1], b=["x\u2028y"])),
    detected(
        "a field of 200,000 bytes",
        lambda: b"a,b\n1," + b"x" * 200_000 + b"\n",
        exact(lambda: exact(a=[1], b=["x" * 200_000]).table()),
    ),
    detected(
        "a field of 200,000 bytes, delimiter declared",
        lambda: b"a;b\n1;" + b"x" * 200_000 + b"\n",
        exact(lambda: exact(a=[1], b=["x" * 200_000]).table()),
        delimiter=";",
    ),
    detected("a quote that is not closed", 'a,b\n1,"x\n2,y\n', defect(Defect.STRAY_QUOTE), delimiter=","),
    detected("a NUL", "a,b\n1,\0\n", defect(Defect.NUL_BYTE, row=2, byte=6)),
    detected("an empty file", b"", EMPTY),
    detected("a header only", "a;b\n", EMPTY),
]
