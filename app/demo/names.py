"""Invented names, credit codes and permit numbers, made as the real ones are.

Towns, villages and holders are invented. An organisation code here begins with DEM, as no issued one does
(they are eight digits, or begin with MA), so that no holder can be taken for a real one.
"""

from datetime import date

import numpy as np
from stdnum.cn import uscc as stdnum_uscc

from app.registry.rules import organisation_check

Rng = np.random.Generator
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
FIRST = "东西南北新和安永长大兴福联丰明龙金玉清白双三同高平"
SECOND = "林河港桥庄湖口塘坝墩圩渡沟堡桥集垛舍湾滩荡洼岗坡"
LUCKY = "润泽华恒瑞昌盛丰源宏达康诚信远景天成博雅嘉禾"
TRADES = {
    "chemical": ("化工", "2611"),
    "textile": ("印染", "1713"),
    "food": ("食品", "1499"),
    "paper": ("纸业", "2221"),
    "metal": ("金属制品", "3311"),
    "electronics": ("光电科技", "3976"),
    "pharmacy": ("药业", "2710"),
    "building": ("建材", "3021"),
}


def rng(seed: int, *what: object) -> Rng:
    """A stream of its own for each thing, so that a change to one leaves the others as they are."""
    text = "|".join(str(part) for part in (seed, *what)).encode()
    return np.random.Generator(np.random.PCG64(list(text)))


def pick(random: Rng, letters: str) -> str:
    return letters[int(random.integers(len(letters)))]


def place_name(random: Rng) -> str:
    """Two characters that make a village: 新港, 三塘."""
    return pick(random, FIRST) + pick(random, SECOND)


def towns(seed: int, county: int, number: int) -> list[str]:
    """Different invented towns of a county."""
    random, found = rng(seed, "towns", county), list[str]()
    while len(found) < number:
        if (name := place_name(random) + "镇") not in found:
            found.append(name)
    return found


def company(random: Rng, trade: str) -> str:
    """A company's name: 扬州润泽印染有限公司."""
    return f"扬州{pick(random, LUCKY)}{pick(random, LUCKY)}{TRADES[trade][0]}有限公司"


def credit_code(random: Rng, registrar: str, county: int) -> str:
    """A 统一社会信用代码 with both check characters right. `registrar`: 91 company, 12 public institution, N2 village."""
    body = "DEM" + "".join(pick(random, ALPHABET) for _ in range(5))
    front = f"{registrar}{county:06d}{body}{organisation_check(body)}"
    return front + str(stdnum_uscc.calc_check_digit(front))


def permit_number(level: str, county: int, source: str, issued: date, serial: int) -> str:
    """Electronic form: D321084G2023-0037."""
    return f"{level}{county:06d}{source}{issued.year}-{serial:04d}"


def paper_number(county: int, source: str, year: int, serial: int) -> str:
    """The province's older form: 取水(扬州)字〔2016〕第A10840012号: A surface, B ground, prefecture, county, serial."""
    letter = "A" if source == "S" else "B"
    return f"取水(扬州)字〔{year}〕第{letter}{county % 10_000:04d}{serial:04d}号"
