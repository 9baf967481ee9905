"""Names and numbers on a picture: none over another, each with its halo."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.ogc.legacy.views import Floats

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
CHINESE = (
    "NotoSansCJK-Regular*", "SourceHanSansSC-Regular*", "SourceHanSansCN-Regular*", "wqy-microhei*",
    "wqy-zenhei*", "NotoSerifCJK-Regular*", "DroidSansFallback*", "uming*", "ukai*",
)  # fmt: skip
"""Files of fonts with Chinese characters, the best first."""


@cache
def chinese_font() -> Path | None:
    """A font of this machine that has Chinese characters, if there is one."""
    for pattern in CHINESE:
        for folder in FOLDERS:
            found = sorted(Path(folder).rglob(pattern))
            if found:
                return found[0]
    return None


@lru_cache(maxsize=64)
def _font(size: float) -> ImageFont.FreeTypeFont:
    # Without a Chinese font digits are still drawn, in the font that matplotlib brings.
    file = chinese_font() or Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(file, size)


@lru_cache(maxsize=4096)
def _size(text: str, size: float) -> tuple[float, float]:
    left, top, right, bottom = _font(size).getbbox(text)
    return right - left, bottom - top


def _legible(text: str) -> bool:
    return bool(text) and (text.isascii() or chinese_font() is not None)


@dataclass
class Lettering:
    """The texts of a picture, drawn above everything else."""

    width: int
    height: int
    _boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    _layer: Image.Image | None = None

    def place(
        self, texts: Sequence[str], at: Floats, sizes: Sequence[float], colour: str, halo: str, halo_px: float
    ) -> None:
        """Put each text around its position (pixels, y downwards), unless another is there."""
        for text, (x, y), size in zip(texts, at.tolist(), sizes, strict=True):
            if not _legible(text) or not (0 <= x <= self.width and 0 <= y <= self.height):
                continue
            wide, high = _size(text, size)
            box = (x - wide / 2 - 2, y - high / 2 - 2, x + wide / 2 + 2, y + high / 2 + 2)
            if not self._free(box):
                continue
            self._boxes.append(box)
            if self._layer is None:
                self._layer = Image.new("RGBA", (self.width, self.height))
            ImageDraw.Draw(self._layer).text(
                (x, y), text, colour, _font(size), anchor="mm",
                stroke_width=halo_px, stroke_fill=_hex(halo),
            )  # fmt: skip

    def _free(self, box: tuple[float, float, float, float]) -> bool:
        if not self._boxes:
            return True
        w, n, e, s = np.array(self._boxes).T
        return not bool(np.any((w < box[2]) & (e > box[0]) & (n < box[3]) & (s > box[1])))

    def on(self, image: Image.Image) -> Image.Image:
        """The picture with its texts."""
        if self._layer is not None:
            image.alpha_composite(self._layer)
        return image


def _hex(colour: str) -> str | tuple[int, int, int, int]:
    if not colour.startswith("rgba("):
        return colour
    red, green, blue, alpha = colour[5:-1].split(",")
    return int(red), int(green), int(blue), round(float(alpha) * 255)
