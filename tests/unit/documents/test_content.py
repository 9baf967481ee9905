"""A file is what it holds: pictures and PDFs of a bearable size, whole; nothing else."""

import contextlib
import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.documents import rules
from app.documents.content import examine
from app.errors import InvalidInput

GPS = {1: "N", 2: (32.0, 6.0, 0.0), 3: "E", 4: (119.0, 6.0, 36.0)}


def picture(form: str = "JPEG", size: tuple[int, int] = (64, 40), gps: Any = None, **more: Any) -> bytes:
    out = io.BytesIO()
    image = Image.effect_noise(size, 60).convert(more.pop("mode", "RGB"))
    exif = Image.Exif()
    if gps is not None:
        exif[0x8825] = gps
        exif[0x8769] = {0x9003: "2026:05:17 10:30:00"}
    if "orientation" in more:
        exif[0x0112] = more.pop("orientation")
    image.save(out, form, **({"exif": exif} if len(exif) else {}), **more)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("TIFF", "image/tiff")],
)
def test_a_picture_is_known_by_its_content_and_gets_a_thumbnail(form: str, media_type: str) -> None:
    found = examine(picture(form), 1)
    assert (found.media_type, found.width, found.height) == (media_type, 64, 40)
    with Image.open(io.BytesIO(found.thumbnail or b"")) as small:
        assert (small.format, small.size) == ("WEBP", (64, 40))


def test_a_photo_says_when_and_where_it_was_taken() -> None:
    found = examine(picture(gps=GPS), 1)
    assert found.place == pytest.approx((119.11, 32.1))
    assert str(found.taken_at) == "2026-05-17 10:30:00"


def test_a_photo_held_sideways_is_shown_upright() -> None:
    found = examine(picture(size=(64, 40), orientation=6), 1)
    assert (found.width, found.height) == (40, 64)
    with Image.open(io.BytesIO(found.thumbnail or b"")) as small:
        assert small.size == (40, 64)


@pytest.mark.parametrize("mode", ["L", "1", "P", "I;16", "CMYK"])
def test_scans_of_other_depths_have_thumbnails_too(mode: str) -> None:
    image = Image.new(mode, (50, 50))
    out = io.BytesIO()
    image.save(out, "TIFF")
    assert examine(out.getvalue(), 1).thumbnail


def test_a_pdf_is_one_if_it_is_whole() -> None:
    assert examine(b"%PDF-1.7\n1 0 obj\n%%EOF\n", 1).media_type == "application/pdf"
    with pytest.raises(InvalidInput, match="cut off"):
        examine(b"%PDF-1.7\n1 0 obj\n" + b"x" * 4000, 1)


GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg onload=alert(1)>", b"<html>", b"MZ\x90", b"\xff\xd8\xff", GIF, b"\x89PNG\r\n\x1a\n"],
)
def test_what_is_none_of_these_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        examine(content, 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_that_was_cut_off_is_refused(form: str) -> None:
    whole = picture(form, (300, 300))
    with pytest.raises(InvalidInput):
        examine(whole[: len(whole) // 2], 1)


def bomb(side: int) -> bytes:
    """A PNG whose head says side × side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(999)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [1_100, 9_000, 60_000, 2**31 - 1])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_by_its_head(side: int) -> None:
    with pytest.raises(InvalidInput):
        examine(bomb(side), 1)


@pytest.mark.filterwarnings("ignore::UserWarning")  # what Pillow says of spoilt EXIF
@settings(deadline=None, max_examples=80)
@given(st.data())
def test_a_spoilt_photo_is_a_document_or_refused_and_never_a_failure(data: st.DataObject) -> None:
    content = bytearray(picture(gps=GPS))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, min(600, len(content) - 1)))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidInput):
        examine(bytes(content), 1)


# ── what the camera wrote ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "gps",
    [
        {}, {1: "N", 2: (32.0, 6.0, 0.0)}, GPS | {2: (91.0, 0.0, 0.0)}, GPS | {3: "X"}, GPS | {4: None},
        GPS | {2: (float("nan"), 0.0, 0.0)}, {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, GPS | {2: (32.0,)},
    ],
)  # fmt: skip
def test_a_position_that_is_none_is_left_out(gps: dict[int, Any]) -> None:
    assert rules.position(gps) is None


def test_south_and_west_are_negative() -> None:
    assert rules.position(GPS | {1: "S", 3: "W"}) == pytest.approx((-119.11, -32.1))


def test_a_distance_is_that_of_the_globe() -> None:
    # A degree of latitude is 111.2 km; of longitude at 60° half of that.
    assert rules.distance_m((0, 0), (0, 1)) == pytest.approx(111_195, abs=1)
    assert rules.distance_m((0, 60), (1, 60)) == pytest.approx(55_597, rel=1e-3)


@pytest.mark.parametrize(
    "text", ["", "0000:00:00 00:00:00", "2026:13:01 00:00:00", "1900:01:01 00:00:00", None, 7]
)
def test_a_time_that_is_none_is_left_out(text: Any) -> None:
    assert rules.taken_at(text) is None
