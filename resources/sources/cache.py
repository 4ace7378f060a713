"""Objects that were fetched before, kept on this machine, so that one whose ETag is unchanged is not sent again.

The source is asked on every read whether its object is unchanged. The kept bytes are copied and verified by their
SHA-256, and parsed again as they would be without a cache.

An entry, named by a hash of the address, holds ETag, digest and time; the bytes are stored by their digest and never
change. Both are written to a file of their own and renamed, so that several processes may share the folder.
"""

import datetime as dt
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

_LOG = logging.getLogger(__name__)
_BLOCK = 1 << 20
_ABANDONED_SECONDS = 86_400.0
_PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is known of a kept object.

    Attributes:
        etag: as the server sends it.
        address: hash of the address from which it came after all redirections, which may hold a signature.
        sha256: of the kept bytes.
        fetched: when, as ISO 8601 in UTC.
    """

    etag: str
    address: str
    sha256: str
    fetched: str


@dataclass(frozen=True, slots=True)
class KeptObject:
    """A kept object, open, so that it can be read even when another process removes it.

    Attributes:
        etag: as the server sent it.
        unchanged_since: when it was fetched.
        file: its bytes.
    """

    etag: str
    unchanged_since: dt.datetime
    file: IO[bytes]
    _entry: _Entry
    _path: Path

    def came_from(self, address: str) -> bool:
        """Whether it was fetched at this address; an ETag says nothing of the object at another one."""
        return self._entry.address == _hash(address)

    def copied_to(self, target: Path) -> bool:
        """Copy the bytes; False, with a warning, where they are not those that were kept."""
        digest = hashlib.sha256()
        with target.open("wb") as file:
            while block := self.file.read(_BLOCK):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() == self._entry.sha256:
            return True
        _LOG.warning("a kept source file was damaged and is fetched again: %s", self._path)
        self._path.unlink(missing_ok=True)
        return False


@dataclass(frozen=True, slots=True)
class SourceCache:
    """A folder of fetched objects of a bounded size.

    Attributes:
        folder: made when the first object is kept, for this user alone.
        most_bytes: of all kept objects; what was used longest ago goes first. Nothing is kept with 0.
    """

    folder: Path = Path()
    most_bytes: int = 0

    @contextmanager
    def kept(self, name: str) -> Iterator[KeptObject | None]:
        """Open what is kept under a name, for the length of a `with`; None where nothing is."""
        kept = self._opened(name) if self.most_bytes else None
        with kept.file if kept is not None else nullcontext():
            yield kept

    def keep(self, name: str, path: Path, *, etag: str, address: str = "") -> None:
        """Keep a copy of a file that is not larger than the cache; a full disk is no failure of the read."""
        if not self.most_bytes or path.stat().st_size > self.most_bytes or not is_strong(etag):
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            digest = self._put_bytes(path)
            entry = _Entry(etag, _hash(address), digest, dt.datetime.now(dt.UTC).isoformat())
            self._rename(json.dumps(asdict(entry)).encode(), self._entry_at(name))
            self._make_room()
        except OSError as error:
            _LOG.warning("a source file was not kept in %s: %s", self.folder, error.strerror or error)

    def _opened(self, name: str) -> KeptObject | None:
        path = self._entry_at(name)
        try:
            entry = _Entry(**json.loads(path.read_bytes()))
            since, kept = dt.datetime.fromisoformat(entry.fetched), self._bytes_at(entry.sha256)
            file = kept.open("rb")
            os.utime(file.fileno())
        except (FileNotFoundError, NotADirectoryError):  # never kept, or another process made room
            return None
        except (OSError, ValueError, TypeError) as error:
            _LOG.warning("a kept source file is damaged or not readable, so it is fetched again: %s, %s", path, error)
            return None
        return KeptObject(entry.etag, since, file, entry, kept)

    def _put_bytes(self, path: Path) -> str:
        partial, digest = self._partial(), hashlib.sha256()
        try:
            with path.open("rb") as file, partial.open("xb") as kept:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    kept.write(block)
            partial.replace(self._bytes_at(digest.hexdigest()))
        finally:
            partial.unlink(missing_ok=True)
        return digest.hexdigest()

    def _rename(self, content: bytes, target: Path) -> None:
        partial = self._partial()
        partial.write_bytes(content)
        partial.replace(target)

    def _make_room(self) -> None:
        """Remove what was used longest ago, entries without bytes, and what killed processes left."""
        used: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):  # another process makes room as well
                state = path.stat()
                if path.suffix == _PARTIAL and time.time() - state.st_mtime > _ABANDONED_SECONDS:
                    path.unlink()
                elif path.suffix == ".bytes":
                    used.append((state.st_mtime, state.st_size, path))
        size = sum(each[1] for each in used)
        for _, length, path in sorted(used):
            if size <= self.most_bytes:
                break
            path.unlink(missing_ok=True)
            size -= length
        self._remove_entries_without_bytes()

    def _remove_entries_without_bytes(self) -> None:
        for path in self.folder.glob("*.json"):
            with suppress(FileNotFoundError, ValueError, TypeError):
                if not self._bytes_at(_Entry(**json.loads(path.read_bytes())).sha256).exists():
                    path.unlink()

    def _entry_at(self, name: str) -> Path:
        return self.folder / f"{_hash(name)}.json"

    def _bytes_at(self, digest: str) -> Path:
        return self.folder / f"{digest}.bytes"

    def _partial(self) -> Path:
        return self.folder / f"{uuid4().hex}{_PARTIAL}"


NO_CACHE = SourceCache()


def is_strong(etag: str) -> bool:
    """Whether equal ETags say equal bytes: they are in quotes, without `W/`."""
    return len(etag) > len('""') and etag.startswith('"') and etag.endswith('"')


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
