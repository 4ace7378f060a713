"""Compressed files: damaged, ambiguous, encrypted, with wrong sizes, or far larger inside."""

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable

import pyarrow as pa
from hostile_corpus.cases import EMPTY, UNSUPPORTED, Content, Exact, HostileCase, Refused, defect, exact

from assay.reading.batches import ReadOptions
from assay.reading.defects import Defect

ROWS = b"a,b\n1,x\n2,y\n"
TABLE = exact(a=[1, 2], b=["x", "y"])
_MIB = 1 << 20
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def zeros_deflated(mebibytes: int) -> bytes:
    """Return a raw deflate stream of zeros: one compressed block, again and again, for it needs nothing before it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * mebibytes + packer.flush(zlib.Z_FINISH)


def zip_of(*members: tuple[str, bytes]) -> bytes:
    """Return an archive of these names and contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _zip_of_link() -> bytes:
    file, link = io.BytesIO(), zipfile.ZipInfo("rows.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "folder/a.csv\nfolder/b.csv\n")
    return file.getvalue()


def zip_declaring(packed: bytes, size: int, name: str = "rows.csv", crc: int = 0, flags: int = 0) -> bytes:
    """Return an archive of one deflated member with the given declarations of itself."""
    fields = struct.pack("<HHHHHIIIHH", 20, flags, 8, 0, 0x21, crc, len(packed), size, len(name.encode()), 0)
    local = b"PK\x03\x04" + fields + name.encode() + packed
    central = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name.encode()
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def _gzip(level: int = 9) -> bytes:
    return gzip.compress(ROWS, level, mtime=0)


def _flipped(content: bytes, number: int) -> bytes:
    return content[:number] + bytes([content[number] ^ 1]) + content[number + 1 :]


def _zstd(content: bytes) -> bytes:
    return pa.compress(content, "zstd", asbytes=True)


def _zstd_zeros() -> bytes:
    frame = _zstd(bytes(64 * _MIB))
    return frame * 16


def _packed(
    name: str,
    filename: str,
    content: Content,
    expected: Exact | Refused,
    member: str | None = None,
    *,
    confined: bool = False,
) -> HostileCase:
    return HostileCase(name, filename, content, expected, ReadOptions(member=member), confined)


_UNREADABLE = defect(Defect.UNREADABLE)
_CHANGED = defect(Defect.CHECKSUM_MISMATCH)
_TOO_LARGE = defect(Defect.TOO_LARGE)
_AMBIGUOUS = defect(Defect.ARCHIVE_AMBIGUOUS)

GZIP = [
    _packed("gzip", "rows.csv.gz", _gzip(), TABLE),
    _packed(
        "gzip of two parts",
        "rows.csv.gz",
        gzip.compress(ROWS[:7], mtime=0) + gzip.compress(ROWS[7:], mtime=0),
        TABLE,
    ),
    _packed("gzip padded with zeros", "rows.csv.gz", _gzip() + bytes(512), TABLE),
    _packed("gzip cut off", "rows.csv.gz", _gzip()[:-12], _UNREADABLE),
    _packed("gzip without its last byte", "rows.csv.gz", _gzip()[:-1], _UNREADABLE),
    _packed("gzip with a changed byte", "rows.csv.gz", _flipped(_gzip(0), 20), _CHANGED),
    _packed("gzip with a wrong checksum", "rows.csv.gz", _flipped(_gzip(), len(_gzip()) - 8), _CHANGED),
    _packed("gzip with a wrong length", "rows.csv.gz", _flipped(_gzip(), len(_gzip()) - 4), _CHANGED),
    _packed("gzip and something after it", "rows.csv.gz", _gzip() + b"a,b\n", _UNREADABLE),
    _packed("text named .gz", "rows.csv.gz", ROWS, _UNREADABLE),
    _packed("gzip of nothing", "rows.csv.gz", gzip.compress(b"", mtime=0), EMPTY),
    _packed("an empty file named .gz", "rows.csv.gz", b"", EMPTY),
    _packed("gzip inside gzip", "rows.csv.gz.gz", gzip.compress(_gzip(), mtime=0), UNSUPPORTED),
    _packed(
        "a gzip bomb: 1 GiB in 1 MB",
        "rows.csv.gz",
        lambda: _GZIP_HEADER + zeros_deflated(1024) + bytes(8),
        _TOO_LARGE,
        confined=True,
    ),
]

ZIP = [
    _packed("zip of one file", "rows.csv.zip", zip_of(("rows.csv", ROWS)), TABLE),
    _packed("zip whose name does not say the format", "rows.zip", zip_of(("rows.csv", ROWS)), TABLE),
    _packed("zip of two files, none named", "rows.zip", zip_of(("a.csv", ROWS), ("b.csv", b"c\n1\n")), _AMBIGUOUS),
    _packed(
        "zip of two files, one named", "rows.zip", zip_of(("a.csv", b"c\n1\n"), ("in/b.csv", ROWS)), TABLE, "b.csv"
    ),
    _packed("zip that lacks the named file", "rows.zip", zip_of(("rows.csv", ROWS)), _AMBIGUOUS, "row.csv"),
    _packed(
        "zip of two files of one name, which is named",
        "rows.zip",
        zip_of(("in/a.csv", ROWS), ("out/a.csv", ROWS)),
        _AMBIGUOUS,
        "a.csv",
    ),
    _packed(
        "zip with what macOS adds", "rows.zip", zip_of(("rows.csv", ROWS), ("__MACOSX/._rows.csv", b"\0\1")), TABLE
    ),
    _packed("zip of nothing", "rows.zip", zip_of(), _AMBIGUOUS),
    _packed("zip of a folder only", "rows.zip", zip_of(("folder/", b"")), _AMBIGUOUS),
    _packed("zip of a symbolic link", "rows.zip", _zip_of_link(), defect(Defect.UNREADABLE)),
    _packed("zip of an empty file", "rows.zip", zip_of(("rows.csv", b"")), EMPTY),
    _packed("zip of a file that climbs out of its folder", "rows.zip", zip_of(("../evil.csv", ROWS)), TABLE),
    _packed("zip of a file with a root", "rows.zip", zip_of(("/etc/evil.csv", ROWS)), TABLE),
    _packed(
        "zip with a password",
        "rows.zip",
        zip_declaring(b"0123456789ab" + _deflated(ROWS), len(ROWS), flags=1),
        defect(Defect.ENCRYPTED),
    ),
    _packed(
        "zip that declares too few bytes",
        "rows.zip",
        zip_declaring(_deflated(ROWS), 4, crc=zlib.crc32(ROWS)),
        _UNREADABLE,
    ),
    _packed(
        "zip of a file without a name",
        "rows.csv.zip",
        zip_declaring(_deflated(ROWS), len(ROWS), name="", crc=zlib.crc32(ROWS)),
        _UNREADABLE,
    ),
    _packed(
        "zip of a file whose name is no text",
        "rows.csv.zip",
        zip_declaring(_deflated(ROWS), len(ROWS), name="é", crc=zlib.crc32(ROWS), flags=0x800).replace(
            "é".encode(), b"\xe9,"
        ),
        _UNREADABLE,
    ),
    _packed(
        "zip that declares too many bytes",
        "rows.zip",
        zip_declaring(_deflated(ROWS), 4000, crc=zlib.crc32(ROWS)),
        _UNREADABLE,
    ),
    _packed("zip with a wrong checksum", "rows.zip", zip_declaring(_deflated(ROWS), len(ROWS), crc=1), _CHANGED),
    _packed("zip cut off", "rows.zip", zip_of(("rows.csv", ROWS))[:-30], _UNREADABLE),
    _packed("zip and something after it", "rows.zip", zip_of(("rows.csv", ROWS)) + b"more", _UNREADABLE),
    _packed("text named .zip", "rows.zip", ROWS, _UNREADABLE),
    _packed("gzip inside zip", "rows.zip", zip_of(("rows.csv.gz", _gzip())), UNSUPPORTED),
    _packed("zip inside zip", "rows.zip", zip_of(("rows.zip", zip_of(("rows.csv", ROWS)))), UNSUPPORTED),
    _packed(
        "a zip bomb: 1 GiB in 1 MB",
        "rows.zip",
        lambda: zip_declaring(zeros_deflated(1024), 1024 * _MIB),
        _TOO_LARGE,
        confined=True,
    ),
    _packed(
        "a zip bomb that declares ten bytes",
        "rows.zip",
        lambda: zip_declaring(zeros_deflated(256), 10),
        _TOO_LARGE,
        confined=True,
    ),
]

ZSTD = [
    _packed("zstd", "rows.csv.zst", lambda: _zstd(ROWS), TABLE),
    _packed("zstd of two frames", "rows.csv.zst", lambda: _zstd(ROWS[:7]) + _zstd(ROWS[7:]), TABLE),
    _packed("zstd cut off", "rows.csv.zst", lambda: _zstd(ROWS)[:-4], _UNREADABLE),
    _packed("zstd and something after it", "rows.csv.zst", lambda: _zstd(ROWS) + b"more", _UNREADABLE),
    _packed("text named .zst", "rows.csv.zst", ROWS, _UNREADABLE),
    _packed("a zstd bomb: 1 GiB in 100 kB", "rows.csv.zst", _zstd_zeros, _TOO_LARGE, confined=True),
]


def _of_kind(kind: str, pack: Callable[[bytes], bytes], bomb: Callable[[], bytes], packed: str) -> list[HostileCase]:
    """Return the cases of a compression whose Python module skips what is damaged after the first stream."""
    filename, two = f"rows.csv.{kind}", pack(ROWS[:8]) + pack(ROWS[8:])
    second = len(pack(ROWS[:8]))
    return [
        _packed(kind, filename, pack(ROWS), TABLE),
        _packed(f"{kind} of two streams", filename, two, TABLE),
        _packed(f"{kind} padded with zeros", filename, two + bytes(512), TABLE),
        _packed(f"{kind} cut off", filename, pack(ROWS)[:-6], _UNREADABLE),
        _packed(f"{kind} of two streams, the second cut off", filename, two[:-6], _UNREADABLE),
        _packed(
            f"{kind} of two streams, the second damaged at its first byte", filename, _flipped(two, second), _UNREADABLE
        ),
        _packed(f"{kind} with a changed byte", filename, _flipped(pack(ROWS), len(pack(ROWS)) // 2), _UNREADABLE),
        _packed(f"{kind} and something after it", filename, pack(ROWS) + b"3,z\n", _UNREADABLE),
        _packed(f"text named .{kind}", filename, ROWS, _UNREADABLE),
        _packed(f"an empty file named .{kind}", filename, b"", EMPTY),
        _packed(f"{kind} of nothing", filename, pack(b""), EMPTY),
        _packed(f"gzip inside {kind}", f"rows.csv.gz.{kind}", pack(_gzip()), UNSUPPORTED),
        _packed(f"a {kind} bomb: 1 GiB in {packed}", filename, bomb, _TOO_LARGE, confined=True),
    ]


BZ2 = _of_kind("bz2", bz2.compress, lambda: bz2.compress(bytes(_MIB)) * 1024, "50 kB")
XZ = _of_kind("xz", lzma.compress, lambda: lzma.compress(bytes(16 * _MIB)) * 64, "170 kB")

CASES: list[HostileCase] = [*GZIP, *BZ2, *XZ, *ZIP, *ZSTD]
