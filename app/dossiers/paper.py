"""A dossier as PDF: the sections, a picture of the map, photos, and the address under which it is found again."""

import io
import math
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from app.dossiers.sections import Dossier, Lang, Point, Section
from app.dossiers.words import Words
from app.errors import NotReady
from app.logging import get

log = get(__name__)
TEMPLATE = Path(__file__).with_name("dossier.typ")
FONTS = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Noto Serif CJK SC", "Droid Sans Fallback", "AR PL UMing CN",
)  # fmt: skip
"""Fonts with Chinese characters, the best first; scripts/install.sh brings one."""
NO_FONT = 3
"""How the typesetter ends where none of them is there."""
PATIENCE_S = 60
MAP_PX = (1044, 540)
"""Of the picture: 174 mm across at 152 dots an inch."""
RING = "#d01c8b"
EDGE_M = 20037508.342789244
LEAST_M = 12_000.0
"""Least width of the map: a place is known by what lies around it."""
MOST_PICTURES = 12
LINE, PADDING = 96.0, 2.0
"""Latin letters across the page, and what a cell leaves free."""
_CHINESE = re.compile(r"[\u2e80-\uffef]+")
_few_at_a_time = threading.BoundedSemaphore(2)
Box = tuple[float, float, float, float]
"""West, south, east, north in metres of Web Mercator."""


@dataclass(frozen=True)
class Picture:
    """A photo or image patch that belongs to it, as a file."""

    file: Path
    title: str


@dataclass(frozen=True)
class Sheet:
    """What goes on paper beside the dossier itself."""

    lang: Lang
    printed_by: str
    address: str
    """Where it is found again."""
    map_png: bytes | None
    pictures: Sequence[Picture] = ()


def box_of(points: Sequence[Point]) -> Box | None:
    """A box of the map's shape around these positions, with room at its edges; None without any."""
    if not points:
        return None
    places = [_mercator(point.lon, point.lat) for point in points]
    xs, ys = zip(*places, strict=True)
    middle = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    shape = MAP_PX[0] / MAP_PX[1]
    wide = max(LEAST_M, (max(xs) - min(xs)) * 1.25, (max(ys) - min(ys)) * 1.25 * shape)
    half, tall = wide / 2, wide / shape / 2
    return middle[0] - half, middle[1] - tall, middle[0] + half, middle[1] + tall


def _mercator(lon: float, lat: float) -> tuple[float, float]:
    return lon / 180 * EDGE_M, math.asinh(math.tan(math.radians(lat))) / math.pi * EDGE_M


def ringed(picture: bytes, points: Sequence[Point], box: Box) -> bytes:
    """The picture (PNG) with a ring around each position."""
    from PIL import Image, ImageDraw

    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    pen = ImageDraw.Draw(image)
    for point in points:
        at = _place(point, box)
        x, y = at["x"] * image.width, at["y"] * image.height
        for radius, colour, width in ((14, "#ffffff", 6), (12, RING, 3)):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=width)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pdf(dossier: Dossier, sheet: Sheet) -> bytes:
    """The pages. Raises NotReady if they cannot be set on this machine."""
    with _few_at_a_time, tempfile.TemporaryDirectory(prefix="shuitu-dossier-") as name:
        folder = Path(name)
        _lay_out(folder, dossier, sheet)
        _set(folder)
        return (folder / "dossier.pdf").read_bytes()


def _set(folder: Path) -> None:
    try:
        subprocess.run(  # noqa: S603 - our own module, on a folder of our own
            [sys.executable, "-m", "app.dossiers.typeset", str(folder)],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
            cwd=Path(__file__).parents[2],
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        if getattr(error, "returncode", None) == NO_FONT:
            raise NotReady(
                "服务器没有中文字体，无法排版；请管理员运行 scripts/install.sh fonts "
                "(this machine has no Chinese font: have your operator run scripts/install.sh fonts)"
            ) from None
        log.error("a dossier could not be set", error=str(error), said=(error.stderr or b"").decode()[-2000:])
        raise NotReady("档案无法排版，详见日志 (the dossier could not be set; see the log)") from None


def _lay_out(folder: Path, dossier: Dossier, sheet: Sheet) -> None:
    """The files that the template reads."""
    import segno

    shutil.copy(TEMPLATE, folder / "dossier.typ")
    segno.make(sheet.address, error="m").save(str(folder / "qr.svg"), border=0, scale=4)
    pictures = []
    for number, picture in enumerate(sheet.pictures[:MOST_PICTURES]):
        name = f"{number}{picture.file.suffix}"
        shutil.copy(picture.file, folder / name)
        pictures.append({"file": name, "title": picture.title})
    box = box_of(dossier.points)
    shown = None
    if box is not None and sheet.map_png is not None:
        (folder / "map.png").write_bytes(sheet.map_png)
        shown = {
            "width": MAP_PX[0],
            "height": MAP_PX[1],
            "points": [_place(point, box) for point in dossier.points],
        }
    words = Words(sheet.lang)
    content = {
        **dossier.model_dump(include={"kind", "name", "number", "state_text", "demo"}),
        "sections": [_section(words, section, pictures) for section in dossier.sections],
        "lang": sheet.lang, "fonts": FONTS, "printed_by": sheet.printed_by, "address": sheet.address, "map": shown,
        "words": _words(words, sheet),
    }  # fmt: skip
    (folder / "dossier.json").write_bytes(orjson.dumps(content))


def _place(point: Point, box: Box) -> dict[str, float]:
    """Where on the picture a position lies, as shares from its upper left corner."""
    x, y = _mercator(point.lon, point.lat)
    return {"x": (x - box[0]) / (box[2] - box[0]), "y": (box[3] - y) / (box[3] - box[1])}


def _section(words: Words, section: Section, pictures: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    found = section.model_dump(include={"title", "note", "empty", "facts", "table"})
    if found["table"] is not None:
        found["table"]["widths"] = widths(section)
    return found | {
        "nothing": section.is_empty,
        "entries": [entry.model_dump() | {"at": words.moment(entry.at)} for entry in section.entries],
        "pictures": pictures if section.id in ("documents", "chips") else [],
        "large": section.id == "chips",
    }


def widths(section: Section) -> list[float]:
    """Shares of the page's width for the columns of a table: first what no line can break, then by how much there is."""
    assert section.table is not None  # noqa: S101 - asked for tables alone
    columns = [
        [heading, *(row[i].text for row in section.table.rows)]
        for i, heading in enumerate(section.table.columns)
    ]
    least = [max(_breadth(part) for text in column for part in _parts(text)) + PADDING for column in columns]
    much = [math.sqrt(min(80, max(_breadth(text) for text in column))) for column in columns]
    left = max(0.0, LINE - sum(least))
    return [one + left * share / sum(much) for one, share in zip(least, much, strict=True)]


def _parts(text: str) -> list[str]:
    """What stays on one line: words and numbers with their units, a long Chinese text by its characters."""
    parts = text.split() or [""]
    return [piece for part in parts for piece in ([part] if _breadth(part) <= 14 else _CHINESE.split(part))]


def _breadth(text: str) -> float:
    """How wide a text is, in Latin letters: a Chinese character is two."""
    return sum(2.0 if ord(character) > 0x2E7F else 1.0 for character in text)


def _words(words: Words, sheet: Sheet) -> dict[str, str]:
    now = words.moment(datetime.now(UTC))
    return {
        "printed": words.pick(f"{sheet.printed_by} 打印于 {now}", f"Printed by {sheet.printed_by}, {now} (UTC+8)"),
        "address": words.pick("档案地址", "Found again at"),
        "map": words.pick("圆圈处为所在位置（CGCS2000）；底图为打印时的一张图", "The rings show where it lies (CGCS2000), on the one map as it was when this was printed"),
        "demo": words.pick("示例数据", "Demo data"),
        "field": words.pick("项目", "Field"),
        "before": words.pick("原为", "Before"),
        "after": words.pick("改为", "After"),
    }  # fmt: skip
