"""What a strong tag names is the same bytes at any time."""

import gzip

from tiles.packing import packed


def test_packed_bytes_hold_no_time_and_unpack_to_what_went_in() -> None:
    made = packed(b"intakes" * 100)
    assert made[4:8] == bytes(4)  # RFC 1952: MTIME, 0 for no time stamp
    assert gzip.decompress(made) == b"intakes" * 100


def test_nothing_stays_nothing() -> None:
    assert packed(b"") == b""
