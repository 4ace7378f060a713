"""A parser that misbehaves ends in its child; the parent gets a typed refusal, and nothing half-written."""

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.errors import MalformedDataError, SourceError, SourceNotFoundError, error_to_json
from assay.reading import progress, sandbox
from assay.reading.batches import ReadOptions
from assay.reading.confined import Confinement
from assay.reading.files import mapped_table, transcribe
from assay.reading.sandbox import ChildEnd, _failure, exceeded_limit, transcribe_in_child
from assay.reading.sandbox_child import Request
from assay.specs.dataset import CsvDialect, DataFormat, JsonOrient, ReadLimits

CSV = "id,name\n1,ann\n2,bob\n"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "rows.arrow"


@pytest.fixture
def ask(source, target):
    """Return a function that has the source read in a child."""

    def run(**changes):
        asked = {"name": "s3://bucket/rows.csv", "layout": "arrow", "limits": ReadLimits(), **changes}
        path, options = asked.pop("path", source), asked.pop("options", ReadOptions())
        transcribe_in_child(path, options, target, **asked)

    return run


@pytest.fixture
def misbehaving(tmp_path, monkeypatch):
    """Return a function that makes the child's reader a piece of code: a `sitecustomize` on the parent's path."""
    folder = tmp_path / "first_on_the_path"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def replace(body):
        code = "import os, sys, time\nfrom pathlib import Path\nfrom assay.reading import files\n"
        code += "def transcribe(path, options, target, *, name, layout):\n" + textwrap.indent(body, "    ")
        (folder / "sitecustomize.py").write_text(code + "\nfiles.transcribe = transcribe\n")

    return replace


@pytest.fixture
def refused(ask, misbehaving, target):
    """Return a function that gives the refusal of a child with a piece of code, and sees that nothing is left."""

    def run(body, **changes):
        misbehaving(body)
        with pytest.raises(MalformedDataError) as caught:
            ask(**changes)
        assert caught.value.defect == "parser_limit"
        assert caught.value.where == "s3://bucket/rows.csv"
        assert caught.value.remedy
        assert list(target.parent.iterdir()) == []
        return caught.value

    return run


@pytest.mark.parametrize("layout", ["arrow", "parquet"])
def test_a_child_writes_what_the_reader_writes_here(ask, source, target, tmp_path, layout):
    ask(layout=layout)
    transcribe(source, ReadOptions(), tmp_path / "here", name="rows.csv", layout=layout)
    assert target.read_bytes() == (tmp_path / "here").read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["rows.arrow"]


def test_options_reach_the_child(ask, source, target):
    source.write_text("id;x\n007;1,5\n")
    options = ReadOptions(DataFormat.CSV, CsvDialect(delimiter=";", decimal=","), texts=frozenset({"id"}))
    ask(options=options, name="rows.dat")
    assert mapped_table(target).to_pylist() == [{"id": "007", "x": 1.5}]


def test_relative_paths_are_the_parents(ask, source, target, monkeypatch):
    monkeypatch.chdir(source.parent)
    transcribe_in_child(
        Path(source.name), ReadOptions(), Path("out/rows.arrow"), name="x.csv", layout="arrow", limits=ReadLimits()
    )
    assert mapped_table(target).num_rows == 2


def test_an_error_of_the_reader_comes_back_whole(ask, source, target):
    source.write_text("id,name\n1,ann\n2\n")
    with pytest.raises(MalformedDataError) as caught:
        ask()
    with pytest.raises(MalformedDataError) as here:
        transcribe(source, ReadOptions(), target, name="s3://bucket/rows.csv", layout="arrow")
    assert error_to_json(caught.value) == error_to_json(here.value)
    assert caught.value.location.row == 3
    assert not target.exists()


def test_a_missing_file_gives_the_readers_own_error(ask, tmp_path):
    with pytest.raises(SourceNotFoundError):
        ask(path=tmp_path / "absent.csv")


def test_a_missing_target_folder_is_a_source_error(source, tmp_path):
    with pytest.raises(SourceError, match="no space") as caught:
        transcribe_in_child(source, ReadOptions(), tmp_path / "no" / "x", name="n", layout="arrow", limits=ReadLimits())
    assert "No such file" in caught.value.found


def test_more_memory_than_allowed_is_refused(refused):
    error = refused("kept = bytearray(400 << 20)", limits=ReadLimits(memory_mb=256))
    assert "memory" in error.what
    assert error.expected == "at most 256 MiB"
    assert "MiB in use" in error.found
    assert "dataset.limits.memory_mb" in error.remedy


def test_more_arrow_memory_than_allowed_is_refused_though_the_reader_calls_it_damage(refused):
    body = """
        import pyarrow as pa
        from assay.errors import AssayError, EmptyDataError, MalformedDataError, SourceError, SourceNotFoundError, error_to_json
        try:
            pa.allocate_buffer(400 << 20)
        except pa.ArrowException as error:
            raise MalformedDataError("damaged") from error
    """
    assert "memory" in refused(textwrap.dedent(body), limits=ReadLimits(memory_mb=256)).what


def test_arrow_memory_within_the_limit_is_granted(refused):
    body = "import pyarrow as pa\nkept = pa.allocate_buffer(100 << 20)\nraise KeyError('done')"
    assert "KeyError" in refused(body, limits=ReadLimits(memory_mb=256)).found


def test_a_library_that_aborts_for_want_of_memory_is_a_memory_refusal(refused):
    body = "sys.stderr.write(\"terminate called after throwing an instance of 'std::bad_alloc'\\n\")\nos.abort()"
    assert "memory" in refused(body).what


def test_an_endless_loop_is_ended_for_its_processor_time(refused):
    error = refused("while True: pass", limits=ReadLimits(seconds=0.5))
    assert "processor time" in error.what
    assert error.expected == "at most 1 s for data of its size"
    assert "dataset.limits.seconds" in error.remedy


def test_a_loop_that_ignores_the_signal_is_ended_too(refused):
    body = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert "processor time" in refused(body, limits=ReadLimits(seconds=0.5)).what


def test_a_parser_that_the_machine_killed_gets_a_remedy_of_its_own(refused):
    assert "give the machine more memory" in refused("os.kill(os.getpid(), 9)").remedy
    assert "give the machine more memory" not in refused("os.abort()").remedy


def test_a_reader_that_waits_for_ever_is_ended(refused, monkeypatch):
    monkeypatch.setattr(Confinement, "wall_seconds", property(lambda _: 1.0))
    error = refused("time.sleep(600)")
    assert "more time" in error.what
    assert error.expected == "at most 1 s of wall-clock time"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("os.abort()", "SIGABRT"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
    ],
)
def test_a_parser_that_dies_is_reported_with_its_signal(refused, body, name):
    assert refused(body).what == f"the parser died with {name}"


def test_a_half_written_target_of_a_dead_child_is_gone(refused):
    refused("target.write_bytes(b'half')\nPath(target).with_name('more').write_bytes(b'x')\nos.abort()")


def test_a_child_that_ends_without_an_answer_is_refused(refused):
    error = refused("os._exit(0)")
    assert error.what == "the parser ended without an answer"
    assert "exit code 0" in error.found


def test_an_answer_without_a_file_is_refused(refused):
    assert refused("pass").what == "the parser ended without an answer"


def test_an_unforeseen_error_gives_type_and_position_in_the_code_but_no_value(refused):
    error = refused("raise KeyError('swordfish')")
    assert error.what == "the parser failed"
    assert error.found.startswith("KeyError in sitecustomize.py, line ")
    assert "swordfish" not in str(error)


def test_a_file_larger_than_allowed_is_not_written(refused, monkeypatch):
    monkeypatch.setattr("assay.reading.confined._LEAST_WRITTEN", 1 << 20)
    error = refused("Path(target).write_bytes(b'x' * (3 << 20))")
    assert "disk space" in error.what


def test_what_a_library_prints_is_no_answer(ask, misbehaving, target):
    misbehaving("print('{\"error\": 1}')\nos.write(1, b'junk')\ntarget.write_bytes(b'whole')")
    ask()
    assert target.read_bytes() == b"whole"


def test_junk_in_the_answer_is_no_answer(refused):
    body = "for handle in range(3, 12):\n    try: os.write(handle, b'junk')\n    except OSError: pass"
    assert refused(body).what == "the parser ended without an answer"


@pytest.mark.parametrize("answer", [{"error": {"code": "none"}}, {"error": 3}, {}, {"error": {}}])
def test_an_answer_that_is_no_errors_is_no_answer(answer):
    error = _failure(ChildEnd(0, 0.1, 0, False, answer, ""), Confinement.of(ReadLimits(), 0), "rows.csv")
    assert error.what == "the parser ended without an answer"


def test_the_child_gets_no_environment(ask, misbehaving, target, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "swordfish")
    misbehaving("import json\ntarget.write_text(json.dumps(dict(os.environ)))")
    ask()
    assert not set(json.loads(target.read_text())) - {
        "PYTHONPATH",
        "PYTHONUTF8",
        "LC_ALL",
        "LC_CTYPE",
        "TMPDIR",
        "MALLOC_ARENA_MAX",
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
    }


def test_the_child_loads_no_heavy_library(ask, misbehaving, target):
    misbehaving("target.write_text(' '.join(sys.modules))")
    ask()
    loaded = set(target.read_text().split())
    assert "pyarrow" in loaded
    assert "assay.specs.dataset" in loaded
    assert not loaded & {
        "assay.specs.pipeline",
        "pandas",
        "pandera",
        "duckdb",
        "sklearn",
        "scipy",
        "dagster",
        "mlflow",
        "openpyxl",
    }


def alive(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def eventually(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_child_dies_with_its_parent(misbehaving, source, target, tmp_path):
    misbehaving(f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()) + '.')\ntime.sleep(600)")
    code = (
        "import sys; from pathlib import Path; from assay.reading.batches import ReadOptions\n"
        "from assay.reading.sandbox import transcribe_in_child; from assay.specs.dataset import ReadLimits\n"
        f"transcribe_in_child(Path({str(source)!r}), ReadOptions(), Path({str(target)!r}), name='x.csv',"
        " layout='arrow', limits=ReadLimits())"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], env={"PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        assert eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("."))
        child = int((tmp_path / "pid").read_text()[:-1])
        assert alive(child)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not alive(child))
    assert not target.exists()


def test_a_request_survives_the_pipe():
    options = ReadOptions(
        DataFormat.XLSX,
        CsvDialect(delimiter="\t", null_values=("", "NA"), detect=True),
        member="a/b.csv",
        sheet="Blatt 1",
        orient=JsonOrient.SPLIT,
        texts=frozenset({"a\ud800", "b"}),
    )
    path = Path(os.fsdecode(b"/data/\xff.xlsx"))
    request = Request(path, Path("/out/x"), "name", "parquet", options, Confinement(1, 2, 3), 4)
    assert Request.from_values(json.loads(request.to_json())) == request


def test_processor_time_grows_with_the_file():
    small, large = Confinement.of(ReadLimits(seconds=10), 0), Confinement.of(ReadLimits(seconds=10), 400 << 20)
    assert (small.cpu_seconds, large.cpu_seconds) == (10, 410)
    assert small.memory_bytes == large.memory_bytes == 1024 << 20
    assert (small.file_bytes, large.file_bytes) == (1 << 30, 64 * 400 << 20)


def test_a_long_read_says_how_far_it_is(ask, monkeypatch, caplog):
    monkeypatch.setattr(sandbox, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, logger="assay.reading"):
        ask(name="https://user:secret@example.org/rows.csv")
    assert caplog.messages[0] == "reading https://example.org/rows.csv: 0 s so far, 0.0 MB of rows written"


def test_a_child_that_waited_is_not_said_to_have_used_little_of_what_it_exceeded():
    end = ChildEnd(code=-9, cpu_seconds=0.31, peak_bytes=0, timed_out=True, answer={}, tail="")
    found = exceeded_limit(end, SimpleNamespace(wall_seconds=60.0))
    assert (found.found, found.limit) == ("more, with 0.3 s of processor time", "at most 60 s of wall-clock time")
