"""Permit numbers and other codes as evidence: one spelling, look-alikes, what is left without letters."""

import re

from app.linkage.engine.texts import fold

OTHER = re.compile(r"[^0-9a-z\u4e00-\u9fff]+")
ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
LOOK_ALIKE = str.maketrans("oilsbgz", "0115862")
DIGITS = re.compile(r"[0-9]+")


def clean_code(text: str) -> str:
    """Letters and digits alone, no leading zeros in a run of digits: B640104G2023-0037 → b640104g2023-37 joined."""
    parts = [ZEROS.sub("", part) for part in OTHER.split(fold(text)) if part]
    return "".join(ZEROS.sub("", part) for part in parts)


def look_alike(code: str) -> str:
    """Letters that are read as digits written as those digits (O/0, I/1, S/5, B/8, G/6, Z/2)."""
    return code.translate(LOOK_ALIKE)


def digits(code: str) -> str:
    """Its digits alone, if they are enough to say anything."""
    found = "".join(DIGITS.findall(code)).lstrip("0")
    return found if len(found) >= 3 else ""
