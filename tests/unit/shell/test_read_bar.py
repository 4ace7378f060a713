"""The progress of a long read: a bar on a terminal, lines in a log."""

import io
import logging
import os

import pytest
from terminals import Terminal, states_of

from assay.reading import progress
from assay.reading.progress import ReadProgress, ReadSoFar, reads_shown_by, share_read
from assay.shell.read_bar import reads_on

pytestmark = pytest.mark.usefixtures("coloured")


@pytest.fixture
def follow(tmp_path, monkeypatch):
    """Follow a read of 1,000 bytes, of which some are read after each of some seconds."""
    path, written = tmp_path / "rows.csv", tmp_path / "rows"
    path.write_bytes(b"x" * 1000)
    written.write_bytes(b"y" * 250_000)

    def follow(*states):
        followed = ReadProgress("s3://key:secret@bucket/rows.csv", path, written)
        for seconds, share in states:
            monkeypatch.setattr(progress, "share_read", lambda _pid, _path, share=share: share)
            followed(1, seconds)
        followed.ended()

    return follow


def test_a_read_of_a_second_and_more_has_a_bar_that_disappears(follow):
    out = Terminal()
    with reads_on(out):
        follow((0.5, 0.1), (1.0, 0.5), (12.0, 0.999))
        out.write("INFO the next line\n")
    assert states_of(out) == [
        "",
        f"{'━' * 20} reading 50 % of rows.csv, 1 s, 0.2 MB of rows\r",
        f"{'━' * 20} reading 99 % of rows.csv, 12 s, 0.2 MB of rows\r",
        "INFO the next line\n",
    ]


def test_a_read_without_a_known_share_has_a_text_alone(follow):
    out = Terminal()
    with reads_on(out):
        follow((2.0, None))
    assert states_of(out)[1] == "reading rows.csv, 2 s, 0.2 MB of rows\r"


def test_a_share_that_is_not_known_for_a_moment_is_the_last_one(follow):
    out = Terminal()
    with reads_on(out):
        follow((2.0, 0.5), (2.5, None), (3.0, 0.1))
    assert [state[20:36] for state in states_of(out)[1:4]] == [
        " reading 50 % of",
        " reading 50 % of",
        " reading 10 % of",
    ]


def test_a_short_read_leaves_the_terminal_alone(follow):
    out = Terminal()
    with reads_on(out):
        follow((0.5, 0.9))
    assert out.getvalue() == ""


def test_a_log_has_a_line_every_ten_seconds(follow, caplog):
    with caplog.at_level(logging.INFO, logger="assay.reading"), reads_on(io.StringIO()):
        follow((0.5, 0.0), (9.9, 0.1), (10.1, 0.2), (15.0, 0.3), (20.0, 0.4))
    assert [line.partition("so far, ")[2] for line in caplog.messages] == [
        "20 % of the file, 0.2 MB of rows written",
        "40 % of the file, 0.2 MB of rows written",
    ]


def test_no_line_is_logged_where_a_bar_is_drawn(follow, caplog):
    with caplog.at_level(logging.INFO, logger="assay.reading"), reads_on(Terminal()):
        follow((30.0, 0.2))
    assert caplog.messages == []


def test_what_showed_reads_before_shows_them_again(follow):
    outer, inner = [], []
    with reads_shown_by(outer.append):
        with reads_shown_by(inner.append):
            follow((1.0, 0.5))
        follow((2.0, 0.5))
    assert [each and each.seconds for each in inner] == [1.0, None]
    assert [each and each.seconds for each in outer] == [2.0, None]


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, ", 0 % of the file"), (0.996, ", 99 % of the file"), (1.0, ", 100 % of the file"), (None, "")],
)
def test_all_of_a_file_is_said_of_all_of_it_alone(share, said):
    text = ReadSoFar("a.csv", 3.0, share, 1_500_000).text
    assert text == f"reading a.csv: 3 s so far{said}, 1.5 MB of rows written"


def test_the_share_is_the_position_of_the_open_file(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"x" * 1000)
    assert share_read(os.getpid(), path) is None
    with path.open("rb", buffering=0) as file:
        file.read(250)
        assert share_read(os.getpid(), path) == 0.25


@pytest.mark.parametrize("pid", [-1, 1 << 30])
def test_a_process_that_has_ended_has_no_share(tmp_path, pid):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"x")
    assert share_read(pid, path) is None
    assert share_read(os.getpid(), tmp_path) is None
    assert share_read(os.getpid(), tmp_path / "missing") is None
