"""Files named by the digest of what they hold: written whole or not at all, and never changed."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Store:
    """A folder of files; `folder` is made when the first one comes."""

    folder: Path

    def keep(self, content: bytes, extension: str, thumbnail: bytes | None) -> str:
        """Write a file, and its thumbnail beside it; returns its digest. Written before the row that names it: a
        file that no row names does no harm."""
        digest = hashlib.sha256(content).hexdigest()
        if thumbnail is not None:
            _write(self.thumbnail(digest), thumbnail)
        _write(self.path(digest, extension), content)
        return digest

    def path(self, digest: str, extension: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.{extension}"

    def thumbnail(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.thumbnail.webp"


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(content):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
