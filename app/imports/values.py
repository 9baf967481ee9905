"""Texts of a file as typed values. Each parser takes one text and raises BadValue with a reason code."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

NULLS = {"", "-", "--", "—", "/", "无", "空", "null", "none", "nan", "n/a", "na", "#n/a"}
LONGEST_NULL = max(map(len, NULLS))
M3_PER_UNIT = {
    "m3": 1.0,
    "m³": 1.0,
    "立方米": 1.0,
    "方": 1.0,
    "万m3": 1e4,
    "万m³": 1e4,
    "万立方米": 1e4,
    "万方": 1e4,
    "亿m3": 1e8,
    "亿m³": 1e8,
    "亿立方米": 1e8,
    "acre-foot": 1233.48183754752,  # 43,560 ft³ of 0.3048 m
    "l": 1e-3,
    "ml": 1e-6,
    "megalitre": 1e3,
}
M3S_PER_UNIT = {"m3/s": 1.0, "m³/s": 1.0, "m3/h": 1 / 3600, "m³/h": 1 / 3600, "m3/d": 1 / 86400, "l/s": 1e-3}
DATE_FORMS = (
    re.compile(
        r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$"
    ),
    re.compile(r"^(\d{4})年(\d{1,2})月(\d{1,2})日?$"),
    re.compile(r"^(\d{4})(\d{2})(\d{2})$"),
)
NUMBER = re.compile(r"^[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?$")
TRAILING_UNIT = re.compile(r"^(?P<number>[+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\d.,\s].*)$")
YES = {"1", "true", "yes", "y", "t", "是", "√", "有"}
NO = {"0", "false", "no", "n", "f", "否", "×", "无"}
EXCEL_EPOCH = date(1899, 12, 30)


@dataclass(eq=False)  # not frozen: whatever passes an exception on sets its traceback
class BadValue(ValueError):
    """Why a text is not a value of its field."""

    reason: str
    message: str
    expected: str = ""

    def __str__(self) -> str:
        return self.message


def clean(text: str) -> str:
    """One spelling of characters (full-width to half), no blanks around; `` for what means nothing."""
    plain = text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()
    return "" if len(plain) <= LONGEST_NULL and plain.lower() in NULLS else plain


def number(text: str) -> float:
    """A finite number; thousands may be grouped by commas."""
    if not NUMBER.match(text) or not any(c.isdigit() for c in text):
        raise BadValue("not_a_number", f"{text!r} 不是数 (is not a number)", "number")
    value = float(text.replace(",", ""))
    if value in (float("inf"), float("-inf")):
        raise BadValue("not_a_number", f"{text!r} 过大 (is too large)", "number")
    return value


def quantity(text: str, unit: str, units: dict[str, float]) -> float:
    """A quantity ≥ 0 in the base unit; a unit written behind the number wins over the column's."""
    if (match := TRAILING_UNIT.match(text)) and (written := match["unit"].strip().lower()) in units:
        text, unit = match["number"], written
    value = number(text) * units[unit]
    if value < 0:
        raise BadValue("negative", f"{text!r} 为负 (is negative)", "≥ 0")
    return value


def day(text: str) -> date:
    """A date: 2024-04-22, 2024/4/22, 20240422, 2024年4月22日, or a spreadsheet's day number."""
    for form in DATE_FORMS:
        if match := form.match(text):
            try:
                return date(int(match[1]), int(match[2]), int(match[3]))
            except ValueError:
                raise BadValue(
                    "impossible_date", f"{text!r} 不是存在的日期 (is no date that exists)", "YYYY-MM-DD"
                ) from None
    if re.fullmatch(r"\d{5}(?:\.0+)?", text) and 20_000 <= float(text) <= 80_000:
        return EXCEL_EPOCH + timedelta(days=int(float(text)))
    raise BadValue("not_a_date", f"{text!r} 不是日期 (is not a date)", "YYYY-MM-DD")


def boolean(text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise BadValue("not_a_boolean", f"{text!r} 应为 是/否 (should be yes or no)", "是 / 否")


def whole(text: str) -> int:
    value = number(text)
    if value != int(value):
        raise BadValue("not_a_whole_number", f"{text!r} 不是整数 (is not a whole number)", "whole number")
    return int(value)


def region_code(text: str) -> int:
    """A GB/T 2260 code; 12-digit statistical codes are cut to their county."""
    digits = text.removesuffix(".0")
    if re.fullmatch(r"\d{12}", digits):
        digits = digits[:6]
    if not re.fullmatch(r"[1-9]\d{5}", digits):
        raise BadValue(
            "bad_region_code", f"{text!r} 不是6位行政区划代码 (is no 6-digit GB/T 2260 code)", "6 digits"
        )
    return int(digits)
