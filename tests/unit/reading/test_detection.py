"""A dialect that the pipeline leaves open is found once, and only where it is sure."""

import pytest

from assay.errors import MalformedDataError
from assay.reading.batches import ReadOptions
from assay.reading.delimited.detection import detect_dialect
from assay.reading.files import dialect_in, read_table
from assay.specs.dataset import CsvDialect

OPEN = CsvDialect(detect=True)


@pytest.fixture
def find(tmp_path):
    def found(content, dialect=OPEN, delimiter=","):
        path = tmp_path / "rows.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return detect_dialect(path, dialect, delimiter=delimiter)

    return found


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        ("a,b\n1,2\n", {"delimiter": ","}),
        ("a;b\n1,5;2\n", {"delimiter": ";", "decimal": ","}),
        ("a;b\n1,5;x, y\n2,5;z\n", {"delimiter": ";", "decimal": ","}),
        ("a;b\n0,125;x\n1,250;y\n", {"decimal": ","}),
        ("a\tb\n1.5\t2\n", {"delimiter": "\t", "decimal": "."}),
        ("a|b\nx,y|2\n", {"delimiter": "|"}),
        ("a;b\n1.234.567,5;2\n", {"decimal": ",", "thousands": "."}),
        ("a;b\n1,234.5;2\n", {"decimal": ".", "thousands": ","}),
        ("a;b\n1'234'567;2\n", {"thousands": "'"}),
        ("a,b\n1,NA\n2,3\n?,4\n", {"null_words": ("?", "NA"), "null_values": ("",)}),
        ("a;b\n31.12.2020;1\n1.1.2021;2\n", {"date_format": "%d.%m.%Y"}),
        ("a,b\n12/31/2020,1\n1/13/2021,2\n", {"date_format": "%m/%d/%Y"}),
        ("a,b\n31/12/2020 18:30,1\n", {"date_format": "%d/%m/%Y %H:%M"}),
        ("\ufeffa,b\n1,é\n", {"encoding": "utf-8"}),
        ("a;b\n1;é\n".encode("cp1252"), {"encoding": "cp1252", "delimiter": ";"}),
        ("a;b\n1;é\n".encode("utf-16"), {"encoding": "utf-16", "delimiter": ";"}),
    ],
)
def test_what_the_rows_show_is_found(find, content, finding):
    found = find(content).model_dump()
    assert {name: found[name] for name in finding} == finding
    assert not found["detect"]


@pytest.mark.parametrize(
    ("content", "untouched"),
    [
        ("a;b\n1.234;2\n", {"decimal": ".", "thousands": None}),
        ("a;b\n1,234;2.5\n", {"decimal": ".", "thousands": None}),
        ("a,b\n1/2/2020,x\n3/4/2020,y\n", {"date_format": None}),
        ("a,b\nNA,x\nNamibia,y\n", {"null_values": ("",), "null_words": ()}),
        ("a,b\n2020-01-31,x\n", {"date_format": None}),
    ],
)
def test_what_two_dialects_would_explain_is_left_as_it_is(find, content, untouched):
    found = find(content).model_dump()
    assert {name: found[name] for name in untouched} == untouched


def test_what_the_pipeline_says_is_kept(find):
    said = CsvDialect(delimiter=",", decimal=".", null_values=("-",), date_format="%Y", detect=True)
    found = find("a;b,c\n1,5\nNA,6\n", said)
    assert (found.delimiter, found.decimal, found.null_values, found.date_format) == (",", ".", ("-",), "%Y")
    assert not found.null_words


def test_rows_that_no_delimiter_explains_are_refused(find):
    with pytest.raises(MalformedDataError, match="wrong_delimiter"):
        find("a,b;c\n1\n2;3,4,5\n")


def test_the_finding_travels_with_the_rows_and_reads_them(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("prix;mot\n1,5;é\n".encode("cp1252"))
    table = read_table(path, ReadOptions(dialect=OPEN))
    assert table.to_pydict() == {"prix": [1.5], "mot": ["é"]}
    assert dialect_in(table) == CsvDialect(delimiter=";", decimal=",", encoding="cp1252")
    assert dialect_in(read_table(path, ReadOptions(dialect=dialect_in(table)))) is None
