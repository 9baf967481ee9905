"""The number of a well, plant or gate in its name: 3号井, 二号泵站, No. 3, #3, Well III are all 3.

The number is decisive: wells of one field differ in nothing else. It is read apart from the name, and
taken out of it, so that 3号井 and 4号井 do not count as nearly the same name.
"""

import re

DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "壹": 1, "贰": 2, "叁": 3, "肆": 4, "伍": 5, "陆": 6, "柒": 7, "捌": 8, "玖": 9}  # fmt: skip
UNITS = {"十": 10, "拾": 10, "百": 100}
HAN = "零〇一二三四五六七八九十百两壹贰叁肆伍陆柒捌玖拾"
COUNTED = "号#井泵站机组口期库闸渠支厂水塘坝段排眼台"
HAN_NUMBER = re.compile(
    rf"第([{HAN}]+)|([{HAN}]+)(?=[{COUNTED}])|(?<=[井站厂闸泵口])([{HAN}]+)(?![{HAN}\u4e00-\u9fff])"
)
ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10, "xi": 11, "xii": 12}  # fmt: skip
WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
}  # fmt: skip
MARKED = re.compile(r"(?:\bno\.?|\bnr\.?|\bnum(?:ero|ber)?\.?|\bn[°o]\.?|№|#)\s*(?=[a-z]?\d|[ivx]+\b)")
NUMBER = re.compile(r"\d+")
JOINED = re.compile(r"(\d+)\s*(?:[-~～]|至|到)\s*(\d+)(?=\s*[号#])")
LONGEST = 5
"""Longer runs of digits are codes or telephone numbers, not the number of a well."""


def split_number(name: str) -> tuple[str, tuple[str, ...]]:
    """The name without its numbers, and the numbers as texts without leading zeros, in order.

    `name` is folded. A range (1-3号井) gives every number in it. Single letters and Roman numerals of Latin
    names count as numbers where they end the name.
    """
    text = HAN_NUMBER.sub(_han, name)
    text = JOINED.sub(_range, text)
    text = MARKED.sub(" ", text)
    found: list[str] = []

    def take(match: re.Match[str]) -> str:
        digits = match.group()
        if len(digits) > LONGEST:
            return digits
        found.append(digits.lstrip("0") or "0")
        return " "

    rest = NUMBER.sub(take, text)
    words = rest.split()
    if len(words) > 1 and words[-1].strip(".,()") in ROMAN and words[-1] != "x":
        found.append(str(ROMAN[words.pop().strip(".,()")]))
    elif len(words) > 1 and len(words[-1]) == 1 and words[-1].isascii() and words[-1].isalpha():
        found.append(words.pop())
    kept = []
    for word in words:
        if word in WORDS and len(words) > 1:
            found.append(str(WORDS[word]))
        else:
            kept.append(word)
    return " ".join(kept), tuple(found)


def _han(match: re.Match[str]) -> str:
    return f" {han_number(next(g for g in match.groups() if g))} "


def _range(match: re.Match[str]) -> str:
    first, last = int(match.group(1)), int(match.group(2))
    if not 0 < last - first < 50:
        return match.group()
    return " ".join(str(n) for n in range(first, last + 1))


def han_number(text: str) -> int:
    """十二 → 12, 二十 → 20, 一〇三 → 103."""
    if not any(c in UNITS for c in text):
        return int("".join(str(DIGITS[c]) for c in text))
    total, digit = 0, 0
    for c in text:
        if c in UNITS:
            total += (digit or 1) * UNITS[c]
            digit = 0
        else:
            digit = DIGITS[c]
    return total + digit
