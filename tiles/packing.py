"""Compression for the wire."""

import re
from functools import lru_cache

from isal import igzip

NO_WEIGHT = re.compile(r"q\s*=\s*0(?:\.0*)?")


@lru_cache(maxsize=1024)
def takes_gzip(accepted: str | None) -> bool:
    """Does `Accept-Encoding` allow gzip (RFC 9110, 12.5.3)? It must name it, for `*` alone comes from simple clients
    that do not unpack; a weight of 0 forbids it.
    """
    for part in (accepted or "").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name in ("gzip", "x-gzip"):
            return not any(NO_WEIGHT.fullmatch(one) for one in parameters)
    return False


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
