"""Texts made comparable: widths, scripts, accents, damage. Pure functions of one text."""

import re
import unicodedata
from functools import cache, lru_cache

import opencc

CJK = re.compile(r"[\u3400-\u9fff]")
DAMAGE = re.compile(r"[ÃÂâ]")
LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th"}
)
QUOTES = re.compile(r"[’‘`´ʼ′'\"“”«»]")


@lru_cache(maxsize=50_000)
def fold(text: str) -> str:
    """One spelling of what people see as the same text.

    Full-width to half-width (NFKC), traditional to simplified characters, lower case, no accents,
    no quotation marks; UTF-8 that was read as Latin-1 is mended; lost characters become U+FFFD.
    """
    if DAMAGE.search(text):
        text = _mended(text)
    text = unicodedata.normalize("NFKC", text).casefold()
    if CJK.search(text):
        text = simplified().convert(text)
    if not text.isascii():
        apart = unicodedata.normalize("NFD", text)
        text = "".join(c for c in apart if not unicodedata.combining(c)).translate(LETTERS)
    return QUOTES.sub("", text).strip()


def _mended(text: str) -> str:
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
    return text


@cache
def simplified() -> opencc.OpenCC:
    """Traditional to simplified."""
    return opencc.OpenCC("t2s")


def is_chinese(text: str) -> bool:
    """Whether it has a Chinese character."""
    return CJK.search(text) is not None
