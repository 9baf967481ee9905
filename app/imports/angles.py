"""Angles as people type them: decimal degrees, or degrees-minutes-seconds in any spelling.

What separates the numbers is not trusted (registers write 15`38`15`, 09° 39` 50.__``, 14*47*03*,
16`` 47``, 14-54-30, 东经119°26′30″); their count, range and order are.
"""

import math
import re
import unicodedata
from dataclasses import dataclass

NUMBER = re.compile(r"\d+(?:\.\d+)?")
BARE = re.compile(r"^\s*[+-]?\d+\s*$")
HOLE = re.compile(r"_")
WEST_SOUTH = re.compile(r"[WwSs西南]|^\s*-")
HEMISPHERE = re.compile(r"[NSEWnsew]|[东西]经|[南北]纬|[东西南北]|经度|纬度|度分秒")
LETTERS = re.compile(r"[A-Za-z\u4e00-\u9fff]")
WORDS_OF_ANGLES = re.compile(r"[度分秒]")
ORDINALS = str.maketrans("ºª˚", "°°°")  # NFKC would make letters of what stands for a degree sign


@dataclass(frozen=True, slots=True)
class AngleError(ValueError):
    """Why a text is no angle: a code for counting, and a sentence."""

    reason: str
    message: str

    def __str__(self) -> str:
        return self.message


def parse_angle(text: str, limit: float) -> float:
    """Degrees in [-limit, limit] (90 for latitudes, 180 for longitudes).

    Raises AngleError: `missing_coordinate`, `not_an_angle`, `incomplete_angle` (placeholders left
    open, or nothing but whole degrees), `run_together` (more numbers than an angle has), `angle_out_of_range`.
    """
    plain = unicodedata.normalize("NFKC", text.translate(ORDINALS)).strip()
    if not NUMBER.search(plain):
        raise AngleError("missing_coordinate", "没有坐标 (no coordinate)")
    if LETTERS.search(WORDS_OF_ANGLES.sub("", HEMISPHERE.sub("", plain))):
        raise AngleError("not_an_angle", f"{text!r} 不是角度 (is not an angle)")
    parts = [float(number) for number in NUMBER.findall(_without_holes(plain, text))]
    degrees = _sum(parts, plain, text)
    if degrees > limit:
        raise AngleError("angle_out_of_range", f"{text!r} 超过 {limit:g}° (is beyond {limit:g}°)")
    return -degrees if WEST_SOUTH.search(plain) else degrees


def _without_holes(plain: str, text: str) -> str:
    """Placeholders of a form: `50.__` is 50 with no decimals; `7_` is a number half written."""
    kept = re.sub(r"(?<=\d)\._+", "", plain)  # no decimals given
    kept = re.sub(r"(\.\d+)_+", r"\1", kept)  # fewer decimals than the form has room for
    if HOLE.search(kept):
        raise AngleError("incomplete_angle", f"{text!r} 未填写完整 (is not filled in)")
    return kept


def _sum(parts: list[float], plain: str, text: str) -> float:
    if len(parts) > 3:
        raise AngleError(
            "run_together",
            f"{text!r} 含 {len(parts)} 个数，角度最多3个 (has {len(parts)} numbers, an angle has 3 at most)",
        )
    if len(parts) == 1 and "." not in plain and not BARE.match(text):
        raise AngleError("incomplete_angle", f"{text!r} 只有整度 (gives whole degrees only)")
    if any(part != int(part) and any(parts[i + 1 :]) for i, part in enumerate(parts)):
        raise AngleError(
            "not_an_angle", f"{text!r} 只有最后一段可带小数 (only the last part may have decimals)"
        )
    if any(part >= 60 for part in parts[1:]):
        raise AngleError(
            "angle_out_of_range", f"{text!r} 的分、秒应小于60 (minutes and seconds are below 60)"
        )
    return math.fsum(part / 60**i for i, part in enumerate(parts))


def coarseness_km(text: str) -> float:
    """How far an angle may be off because it is given to whole degrees or minutes only; 0 if it is finer."""
    numbers = NUMBER.findall(unicodedata.normalize("NFKC", text.translate(ORDINALS)))
    if any("." in number for number in numbers):
        return 0.0
    return {1: 111.0, 2: 1.9}.get(len(numbers), 0.0)
