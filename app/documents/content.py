"""What a file is, by its content and never by its name: one of a few types, whole, and of a bearable size."""

from __future__ import annotations

import io
import struct
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.documents import rules
from app.errors import InvalidInput

if TYPE_CHECKING:  # loaded when the first picture comes
    from PIL import Image

IMAGES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
}
PDF = "application/pdf"
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/tiff": "tif", PDF: "pdf"}
THUMBNAIL_PX = 480
BROKEN = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, OverflowError, ZeroDivisionError)  # fmt: skip
"""What reading a spoilt picture may raise, besides the refusal of one that is too large."""
# A picture in memory is some hundred megabytes: one at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    media_type: str
    width: int | None = None
    height: int | None = None
    taken_at: datetime | None = None
    place: tuple[float, float] | None = None
    """Longitude and latitude, as the camera wrote them."""
    thumbnail: bytes | None = None
    """A small WebP; pictures have one."""

    @property
    def extension(self) -> str:
        return EXTENSIONS[self.media_type]


def examine(content: bytes, megapixels: int) -> Content:
    """Raises InvalidInput for what is none of the types, broken, or has more pixels than that."""
    if content.startswith(b"%PDF-"):
        return _pdf(content)
    with _one_at_a_time:
        return _picture(content, megapixels)


def _pdf(content: bytes) -> Content:
    # It is kept and handed out as it is, never opened here; what was cut off lacks its end.
    if b"%%EOF" not in content[-2048:]:
        raise InvalidInput("PDF 文件不完整 (the PDF is cut off)", field="file")
    return Content(PDF)


def _picture(content: bytes, megapixels: int) -> Content:
    from PIL import Image, ImageOps

    try:
        image = Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP", "TIFF"))
    except Image.DecompressionBombError:
        raise _too_many(megapixels) from None
    except BROKEN:
        raise InvalidInput(
            "文件不是 JPEG、PNG、WebP、TIFF 图片或 PDF (the file is no JPEG, PNG, WebP or TIFF picture and no PDF)",
            field="file",
            expected=", ".join(EXTENSIONS),
        ) from None
    with image:
        # Only the head has been read so far: a bomb is refused before it is unpacked.
        if image.width * image.height > megapixels * 1_000_000:
            raise _too_many(megapixels)
        exif = _exif(image)
        media_type = IMAGES[str(image.format)]
        try:
            image.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
            turned = ImageOps.exif_transpose(image)
            sideways = exif.get("orientation") in (5, 6, 7, 8)
            width, height = reversed(exif["size"]) if sideways else exif["size"]
            thumbnail = _thumbnail(turned)
        except Image.DecompressionBombError:
            raise _too_many(megapixels) from None
        except BROKEN as error:
            raise InvalidInput(
                f"图片不完整或已损坏 (the picture is cut off or broken): {str(error)[:100]}", field="file"
            ) from None
        return Content(media_type, width, height, exif.get("taken"), exif.get("place"), thumbnail)


def _thumbnail(image: Image.Image) -> bytes:
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    if image.mode.startswith("I"):  # 16 bits a pixel, as some scanners have it
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    out = io.BytesIO()
    (image if image.mode in ("RGB", "L") else image.convert("RGB")).save(out, "WEBP", quality=78)
    return out.getvalue()


def _exif(image: Image.Image) -> dict[str, Any]:
    """What the camera wrote; what cannot be read of it is left out."""
    from PIL import ExifTags

    found: dict[str, Any] = {"size": image.size}
    try:
        exif = image.getexif()
        found["orientation"] = exif.get(ExifTags.Base.Orientation)
        found["taken"] = rules.taken_at(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal))
        found["place"] = rules.position(exif.get_ifd(ExifTags.IFD.GPSInfo))
    except BROKEN:
        pass
    return found


def _too_many(megapixels: int) -> InvalidInput:
    return InvalidInput(
        f"图片超过{megapixels}百万像素 (the picture has more than {megapixels} million pixels)",
        field="file",
        expected=f"≤ {megapixels} MP",
    )
