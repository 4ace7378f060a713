"""Reports about files that change while they are read: 4,750 of 40,000 rows were taken as whole."""

import pytest

from assay.errors import MalformedDataError, SourceChangedError
from assay.reading.files import transcribe
from assay.reading.source_files import read_rows, unchanged
from assay.shell.main import main
from assay.specs.dataset import DatasetSpec
from resources.sources.interface import FetchedFile

pytestmark = pytest.mark.confined
HALF, REST = "a,y\n1,2\n", "3,4\n"


def append(path):
    with path.open("a") as file:
        file.write(REST)


def reading(path, change, *, fails=False):
    def transcriber(*arguments, **options):
        change()
        if fails:
            raise MalformedDataError("cut", where=str(path))
        transcribe(*arguments, **options)

    file = FetchedFile(path, str(path), "1")
    return read_rows([file], DatasetSpec(source=str(path), target="y"), where="x", transcriber=transcriber)


def test_a_file_that_grows_while_it_is_read_is_refused_and_a_retry_reads_the_whole(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(HALF)
    with pytest.raises(SourceChangedError, match="changed while it was read") as caught:
        reading(path, lambda: append(path))
    assert caught.value.transient
    assert "8 bytes before, 12 bytes after" in str(caught.value)
    assert reading(path, lambda: None).partition(None, where="x").table.num_rows == 2


def test_a_folder_with_a_part_that_grows_while_it_is_read_is_refused(tmp_path):
    part = tmp_path / "rows.parquet" / "k=1" / "part-0.parquet"
    part.parent.mkdir(parents=True)
    part.write_text(HALF)
    with pytest.raises(SourceChangedError), unchanged(tmp_path / "rows.parquet", name="rows.parquet"):
        append(part)


@pytest.mark.parametrize("text", [HALF, "a,y\n9,2\n", ""], ids=["same bytes", "same size", "truncated"])
def test_a_file_that_is_rewritten_or_deleted_while_it_is_read_is_refused(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text(HALF)
    with pytest.raises(SourceChangedError):
        reading(path, lambda: path.write_text(text))


def test_damage_by_a_writer_is_no_verdict_on_the_data(tmp_path):
    """Half of a file may look malformed; the retry decides."""
    path = tmp_path / "rows.csv"
    path.write_text(HALF)
    with pytest.raises(SourceChangedError):
        reading(path, lambda: append(path), fails=True)
    with pytest.raises(MalformedDataError):
        reading(path, lambda: None, fails=True)


def test_ingest_from_the_shell_refuses_it_too(tmp_path, monkeypatch, capsys):
    path = tmp_path / "rows.csv"
    path.write_text(HALF)

    def grows(*arguments, **options):
        options.pop("limits")
        transcribe(*arguments, **options)
        append(path)

    monkeypatch.setattr("assay.shell.ingest.transcribe_in_child", grows)
    assert main(["ingest", "--source", str(path), "--output-uri", str(tmp_path / "out.parquet")]) == 2
    assert "[source_changed]" in capsys.readouterr().err
    assert not (tmp_path / "out.parquet").exists()
