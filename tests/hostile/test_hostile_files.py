"""Every file of the corpus of hostile files gives exact data or a typed error with its location."""

import resource
from itertools import cycle

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hostile_corpus.cases import Exact, Refused
from hostile_corpus.corpus import CASES

from assay.data.written_values import with_values_read
from assay.errors import AssayError
from assay.reading.files import dialect_in, mapped_table, transcribe
from assay.reading.sandbox import transcribe_in_child
from assay.specs.dataset import DatasetSpec

IN_PROCESS = [case for case in CASES if not case.confined]
ENDINGS = (".csv", ".json", ".jsonl", ".xlsx", ".parquet", ".feather", ".gz", ".zip", ".zst")
SAMPLE = [
    next(case for case in IN_PROCESS if case.filename.endswith(ending) and isinstance(case.expected, kind))
    for ending, kind in zip(ENDINGS, cycle([Exact, Refused]), strict=False)
]
OF_A_KIND = {
    "a line of 50 MB",
    "a zip bomb: 1 GiB in 1 MB",
    "a zstd bomb: 1 GiB in 100 kB",
    "a bz2 bomb: 1 GiB in 50 kB",
    "a xz bomb: 1 GiB in 170 kB",
    "100,000 records inside each other",
    "lines: 100,000 lists inside each other",
    "one text 20,000 times: 1.3 GB in 252 bytes",
    "a buffer that claims fewer bytes than it has",
}
"""Cases that exhaust a machine as another case does."""
MOST_SECONDS = 14
"""Ten, what a file's size grants, and the start of an interpreter on a busy machine."""
MOST_KIBIBYTES = 1_150 << 10
"""The 1,024 MiB that a child's data may take, and its libraries."""


def named(case):
    return f"{case.filename}: {case.name}"


@pytest.fixture
def answer(tmp_path):
    """Return a function that reads a case's file: the table, or the refusal."""

    def read(case, *, confined):
        path, target = tmp_path / case.filename, tmp_path / "read.arrow"
        content = case.build()
        if content is not None:
            path.write_bytes(content)
        asked = {"name": case.filename, "layout": "arrow", **({"limits": case.limits} if confined else {})}
        reader = transcribe_in_child if confined else transcribe
        try:
            reader(path, case.options, target, **asked)
        except AssayError as error:
            assert not target.exists()
            return error
        table = mapped_table(target)
        return as_a_dataset_reads_it(table, dialect_in(table) or case.options.dialect)

    return read


def as_a_dataset_reads_it(table, dialect):
    """Texts in a dialect's own form of dates and numbers are converted once all files of a dataset are there."""
    if dialect.date_format is None and dialect.thousands is None:
        return table
    spec = DatasetSpec(source="rows.csv", target=table.column_names[-1], dialect=dialect)
    return with_values_read(table, spec, {})


@pytest.mark.parametrize("case", IN_PROCESS, ids=named)
def test_exact_or_refused(answer, case):
    require_expected(answer(case, confined=False), case.expected)


def require_expected(found, expected):
    if isinstance(expected, Exact):
        assert not isinstance(found, AssayError), str(found)
        require_same(found, expected.table())
        return
    assert isinstance(found, AssayError), f"read as {found.slice(0, 10).to_pydict()}"
    assert (found.code, getattr(found, "defect", None)) == (expected.code, expected.defect), str(found)
    location = getattr(found, "location", None)
    for part in ("row", "column", "byte"):
        wanted = getattr(expected, part)
        if wanted not in {None, ""}:
            assert getattr(location, part) == wanted, str(found)


def require_same(found, expected):
    assert found.schema.names == expected.schema.names
    assert found.schema.types == expected.schema.types
    assert found.num_rows == expected.num_rows
    for name, values, wanted in zip(expected.schema.names, found.columns, expected.columns, strict=True):
        assert bits(values).equals(bits(wanted)), f"{name}: {values[:10]} is not {wanted[:10]}"


def bits(values):
    """Return floats as integers, so that -0.0 is not 0.0, and NaN is NaN and not missing."""
    if not pa.types.is_floating(values.type):
        return values
    double = values.cast(pa.float64())
    one_nan = pc.if_else(pc.is_nan(double), pa.scalar(float("nan")), double)
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in one_nan.chunks])


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.full] if case.name in OF_A_KIND else []) for case in CASES if case.confined],
    ids=named,
)
def test_what_exhausts_a_machine_ends_in_its_child(answer, case):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    require_expected(answer(case, confined=True), case.expected)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MOST_SECONDS
    # a child's figure begins with what its parent held when it was started, and covers all earlier children
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after.ru_maxrss <= max(MOST_KIBIBYTES, before.ru_maxrss, held)


@pytest.mark.parametrize(
    "case", [*SAMPLE[:4], *(pytest.param(each, marks=pytest.mark.full) for each in SAMPLE[4:])], ids=named
)
def test_a_child_answers_as_its_parent_would(answer, case):
    require_expected(answer(case, confined=True), case.expected)
