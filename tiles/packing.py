"""Compression for the wire."""

from isal import igzip


def packed(plain: bytes) -> bytes:
    """gzip at its quickest level; nothing stays nothing.

    Without the time of day in its head: a strong tag names these very bytes, whenever and by whichever process
    they are made.
    """
    return igzip.compress(plain, 1, mtime=0) if plain else b""


def unpacked(zipped: bytes) -> bytes:
    """What was compressed."""
    plain: bytes = igzip.decompress(zipped)  # type: ignore[no-untyped-call]
    return plain
