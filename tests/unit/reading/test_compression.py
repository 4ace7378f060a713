"""Compressed files, and the file inside an archive."""

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib

import pyarrow as pa
import pytest

from assay.errors import MalformedDataError, UnsupportedFormatError
from assay.reading import compression
from assay.reading.batches import ReadOptions
from assay.reading.compression import unpacked
from assay.reading.defects import Defect, named
from assay.reading.files import read_table

CSV = b"a,b\n1,2\n" * 50


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


def zipped(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def unpack(tmp_path):
    def of(content, name, member=None):
        path, folder = tmp_path / "packed", tmp_path / "scratch"
        path.write_bytes(content)
        folder.mkdir(exist_ok=True)
        with named(name):
            plain, inner = unpacked(path, name, folder, member)
        return plain.read_bytes(), inner

    return of


ROUND_TRIPS = {
    "gzip": (gzip.compress(CSV), "s3://b/a.csv.gz", "s3://b/a.csv"),
    "gzip of several streams": (gzip.compress(CSV[:100]) + gzip.compress(CSV[100:]), "a.CSV.GZ", "a.CSV"),
    "gzip padded with zeros": (gzip.compress(CSV) + b"\0" * 100, "a.csv.gz", "a.csv"),
    "bz2 of several streams": (bz2.compress(CSV[:100]) + bz2.compress(CSV[100:]), "a.csv.bz2", "a.csv"),
    "xz padded with zeros": (lzma.compress(CSV) + bytes(3 << 20), "a.csv.xz", "a.csv"),
    "zstd": (zstd(CSV), "a.csv.zst", "a.csv"),
    "zstd of several frames": (zstd(CSV[:100]) + zstd(CSV[100:]), "a.csv.zst", "a.csv"),
    "zstd with a frame to skip": (struct.pack("<II", 0x184D2A50, 1) + b"x" + zstd(CSV), "a.csv.zst", "a.csv"),
    "zip": (zipped([("in/", b""), ("in/x.tsv", CSV)]), "a.zip", "in/x.tsv"),
    "zip, stored": (zipped([("x.tsv", CSV)], zipfile.ZIP_STORED), "a.zip", "x.tsv"),
    "zip of a file without an ending": (zipped([("data", CSV)]), "a.csv.zip", "data"),
    "zip with what a Mac adds": (zipped([("x.csv", CSV), ("__MACOSX/._x.csv", b"?")]), "a.zip", "x.csv"),
    "zip with a hostile name": (zipped([("../../x.csv", CSV)]), "a.zip", "../../x.csv"),
    "no compression": (CSV, "a.xlsx", "a.xlsx"),
}


@pytest.mark.parametrize("case", ROUND_TRIPS)
def test_what_is_inside_comes_out(unpack, case):
    content, name, inner = ROUND_TRIPS[case]
    assert unpack(content, name) == (CSV, inner)


def test_nothing_is_written_where_a_member_says(unpack, tmp_path):
    unpack(zipped([("../escaped.csv", CSV)]), "a.zip")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["packed", "scratch", "unpacked"]


@pytest.mark.parametrize("member", ["in/day.csv", "day.csv"])
def test_a_member_is_taken_by_its_name(unpack, member):
    assert unpack(zipped([("Readme.txt", b"?"), ("in/day.csv", CSV)]), "a.zip", member) == (CSV, "in/day.csv")


def encrypted_zip():
    content = bytearray(zipped([("x.csv", CSV)]))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    return bytes(content)


def with_declared_size(size, checked):
    """An archive whose member says that it is shorter than it is, with the checksum of the short one."""
    content = zipped([("x.csv", CSV)])
    short = struct.pack("<I", size)
    content = content.replace(struct.pack("<I", len(CSV)), short)
    return content.replace(struct.pack("<I", zlib.crc32(CSV)), struct.pack("<I", zlib.crc32(checked)))


def flipped(content, position):
    changed = bytearray(content)
    changed[position] ^= 0x10
    return bytes(changed)


REFUSED = {
    "no gzip": (CSV, "a.csv.gz", Defect.UNREADABLE),
    "half a gzip": (gzip.compress(CSV)[:-8], "a.csv.gz", Defect.UNREADABLE),
    "gzip with a changed checksum": (flipped(gzip.compress(CSV), -6), "a.csv.gz", Defect.CHECKSUM_MISMATCH),
    "gzip with a changed length": (flipped(gzip.compress(CSV), -3), "a.csv.gz", Defect.CHECKSUM_MISMATCH),
    "gzip with text after it": (gzip.compress(CSV) + b"3,4\n", "a.csv.gz", Defect.UNREADABLE),
    "no zstd": (CSV, "a.csv.zst", Defect.UNREADABLE),
    "half a zstd": (zstd(CSV)[:-1], "a.csv.zst", Defect.UNREADABLE),
    "zstd with a byte after it": (zstd(CSV) + b"x", "a.csv.zst", Defect.UNREADABLE),
    "no zip": (CSV, "a.zip", Defect.UNREADABLE),
    "half a zip": (zipped([("x.csv", CSV)])[:-30], "a.zip", Defect.UNREADABLE),
    "bytes after a zip": (zipped([("x.csv", CSV)]) + b"x", "a.zip", Defect.UNREADABLE),
    "zip with a changed byte": (
        flipped(zipped([("x.csv", CSV)], zipfile.ZIP_STORED), 60),
        "a.zip",
        Defect.CHECKSUM_MISMATCH,
    ),
    "zip that hides its end": (with_declared_size(8, CSV[:8]), "a.zip", Defect.CHECKSUM_MISMATCH),
    "zip that hides its size": (with_declared_size(8, CSV), "a.zip", Defect.UNREADABLE),
    "zip of positions before its beginning": (
        zipped([("x.csv", CSV)]).replace(b"PK\x05\x06", b"PK\x05\x06" + bytes(8) + b"\xff" * 8, 1),
        "a.zip",
        Defect.UNREADABLE,
    ),
    "encrypted zip": (encrypted_zip(), "a.zip", Defect.ENCRYPTED),
    "empty zip": (zipped([]), "a.zip", Defect.ARCHIVE_AMBIGUOUS),
    "gzip bomb": (gzip.compress(bytes(17 << 20)), "a.csv.gz", Defect.TOO_LARGE),
    "zstd bomb": (zstd(bytes(17 << 20)), "a.csv.zst", Defect.TOO_LARGE),
    "bz2 bomb": (bz2.compress(bytes(1 << 20)) * 17, "a.csv.bz2", Defect.TOO_LARGE),
    "xz bomb": (lzma.compress(bytes(1 << 20)) * 17, "a.csv.xz", Defect.TOO_LARGE),
    "zip bomb": (zipped([("x.csv", bytes(17 << 20))]), "a.zip", Defect.TOO_LARGE),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(unpack, case):
    content, name, defect = REFUSED[case]
    with pytest.raises(MalformedDataError) as caught:
        unpack(content, name)
    assert caught.value.defect == defect
    assert caught.value.where.startswith(name)


def test_unpacking_stops_at_the_limit(unpack, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_LEAST_LIMIT", 3 << 20)
    with pytest.raises(MalformedDataError):
        unpack(gzip.compress(bytes(16 << 20)), "a.csv.gz")
    assert (tmp_path / "scratch" / "unpacked").stat().st_size <= 3 << 20


def test_several_members_are_listed(unpack):
    with pytest.raises(MalformedDataError) as caught:
        unpack(zipped([("Readme.txt", b"?"), ("day.csv", CSV)]), "a.zip")
    assert caught.value.defect == Defect.ARCHIVE_AMBIGUOUS
    assert caught.value.found == "Readme.txt, day.csv"
    assert "dataset.member" in caught.value.remedy


def test_an_absent_member_has_its_neighbour_named(unpack):
    with pytest.raises(MalformedDataError, match=r"did you mean 'day\.csv'") as caught:
        unpack(zipped([("Readme.txt", b"?"), ("day.csv", CSV)]), "a.zip", "dya.csv")
    assert caught.value.defect == Defect.ARCHIVE_AMBIGUOUS


def test_a_member_of_two_folders_is_not_guessed(unpack):
    with pytest.raises(MalformedDataError, match="more than once") as caught:
        unpack(zipped([("1/day.csv", CSV), ("2/day.csv", CSV)]), "a.zip", "day.csv")
    assert caught.value.found == "1/day.csv, 2/day.csv"


@pytest.mark.parametrize(
    ("content", "name"),
    [(zipped([("x.zip", zipped([("x.csv", CSV)]))]), "a.zip"), (gzip.compress(gzip.compress(CSV)), "a.csv.gz.gz")],
    ids=["zip in zip", "gzip in gzip"],
)
def test_what_is_compressed_twice_is_not_supported(unpack, content, name):
    with pytest.raises(UnsupportedFormatError, match="compressed again"):
        unpack(content, name)


def test_a_folder_is_left_alone(tmp_path):
    assert unpacked(tmp_path, "day.zip", tmp_path) == (tmp_path, "day.zip")


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
@pytest.mark.parametrize("step", [7, 1 << 20])
def test_a_later_stream_is_as_strict_as_the_first(unpack, monkeypatch, pack, step):
    """Python's own files skip a damaged stream after a whole one, and with it the rows in it."""
    monkeypatch.setattr(compression, "_STEP", step)
    ending = "bz2" if pack is bz2.compress else "xz"
    first, second = pack(CSV[:100]), pack(CSV[100:])
    assert unpack(first + bytes(512) + second, f"a.csv.{ending}") == (CSV, "a.csv")
    for damaged in (flipped(second, 0), flipped(second, len(second) // 2), second[:-6]):
        with pytest.raises(MalformedDataError):
            unpack(first + damaged, f"a.csv.{ending}")


TEXTS = {
    "csv": b"a,b\n1,x\n",
    "tsv": b"a\tb\n1\tx\n",
    "json": b'[{"a": 1, "b": "x"}]',
    "jsonl": b'{"a": 1, "b": "x"}\n',
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress], ids=["bz2", "xz"])
def test_every_text_format_is_read_packed(tmp_path, name, pack):
    path = tmp_path / f"rows.{name}.{'bz2' if pack is bz2.compress else 'xz'}"
    path.write_bytes(pack(TEXTS[name]))
    assert read_table(path, ReadOptions()).to_pydict() == {"a": [1], "b": ["x"]}
