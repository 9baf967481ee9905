"""Where archives are kept: a folder, or a bucket of S3 or a server that speaks its protocol.

What was opened stays the same file to its end, also if another replaces it meanwhile: a folder's is held open,
a bucket's is asked for by its tag.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import BaseError, PreconditionError
from obstore.store import S3Store

CHUNK = 1 << 20


class Unreachable(Exception):
    """The bucket does not answer, or refuses us."""


class Replaced(Exception):
    """Another archive took its place between asking and reading."""


class Opened(Protocol):
    """One archive, ready to be read."""

    size: int
    tag: str
    """Changes whenever the content does; a strong validator, without quotes."""
    modified: float
    """Seconds since 1970."""

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `stop`, in pieces. Raises Replaced or Unreachable before the first."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    async def open(self, key: str) -> Opened | None:
        """None if there is nothing of this key. Raises Unreachable."""
        ...

    def put(self, key: str, path: Path) -> str:
        """Keep a whole file under this key in one step, and return where it is. The file may be moved away.
        Raises Unreachable."""
        ...


def store_at(url: str | None, folder: Path) -> Store:
    """The store that the settings name: `s3://bucket/prefix`, or this folder."""
    return Bucket(url) if url else Folder(folder)


def move_over(path: Path, target: Path) -> None:
    """Put a file in the place of another, at once, from whichever disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.move(path, beside)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


# ── a folder ────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _File:
    file: FileIO
    size: int
    tag: str
    modified: float

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        return self._pieces(start, stop)

    async def _pieces(self, start: int, stop: int) -> AsyncIterator[bytes]:
        while start < stop:
            piece = await asyncio.to_thread(os.pread, self.file.fileno(), min(CHUNK, stop - start), start)
            if not piece:
                return
            yield piece
            start += len(piece)

    def close(self) -> None:
        self.file.close()


@dataclass(frozen=True)
class Folder:
    path: Path

    async def open(self, key: str) -> Opened | None:
        try:
            file = FileIO(self.path / key)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        facts = os.fstat(file.fileno())
        # A new file moved over the old one has another inode, be it as long and of the same moment.
        tag = f"{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"
        return _File(file, facts.st_size, tag, facts.st_mtime)

    def put(self, key: str, path: Path) -> str:
        move_over(path, self.path / key)
        return str(self.path / key)


# ── a bucket ────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Object:
    store: S3Store
    key: str
    size: int
    tag: str
    modified: float

    async def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        if start >= stop:
            return _nothing()
        try:
            answer = await obstore.get_async(
                self.store, self.key, options={"range": (start, stop), "if_match": f'"{self.tag}"'}
            )
        except (PreconditionError, FileNotFoundError):
            raise Replaced(self.key) from None
        except BaseError as error:
            raise Unreachable(str(error)) from error
        return _bytes_of(answer)

    def close(self) -> None:
        pass


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _bytes_of(answer: "obstore.GetResult") -> AsyncIterator[bytes]:
    async for piece in answer.stream(min_chunk_size=CHUNK):
        yield bytes(piece)


class Bucket:
    """`s3://bucket/prefix`; endpoint, region and keys come from the usual AWS_* variables."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._store = S3Store.from_url(self.url)

    async def open(self, key: str) -> Opened | None:
        try:
            facts = await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise Unreachable(str(error)) from error
        tag = (facts["e_tag"] or "").strip('"')
        return _Object(self._store, key, facts["size"], tag, facts["last_modified"].timestamp())

    def put(self, key: str, path: Path) -> str:
        """An object appears when its last part is in: until then the old one is served."""
        try:
            obstore.put(self._store, key, path)
        except BaseError as error:
            raise Unreachable(str(error)) from error
        path.unlink()
        return f"{self.url}/{key}"
