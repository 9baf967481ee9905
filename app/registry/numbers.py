"""Numbers of permits 取水许可证编号 and identifiers of electronic licences 证照标识: texts in, their parts out.

Nothing about place or jurisdiction follows from a number: the numbers of provinces and prefectures carry a county's
code, and the permit of one county takes in three (宁水审发〔2025〕171号).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from stdnum.iso7064 import mod_37_36

from app.imports.values import BadValue
from app.registry.rules import credit_code

LEVELS = {"A": "basin", "B": "province", "C": "prefecture", "D": "county"}
SOURCES = {"S": "surface_water", "G": "groundwater"}
LOOK_ALIKE = {"6": "G", "5": "S", "0": "O", "1": "I"}
"""Seen: C15030362021-0093, G read as 6. Repaired at the source position only: elsewhere a digit is a digit."""
ELECTRONIC = re.compile(r"([A-D])(\d{6})([A-Z0-9])((?:19|20)\d{2})(-?)(\d{4,9})")
PAPER = re.compile(r"取水\(([^()\[\]]{1,20})\)字[(\[]?((?:19|20)\d{2})[)\]]?第?([A-Z]?\d{1,12})号?")
# 宁水资〔2007〕308号: A surface or B ground, 2 digits of the prefecture, 2 of the county, a serial of 4 that does not
# begin anew each year. A renewal changes the year alone.
LASTING_SERIAL = re.compile(r"([AB])(\d{2})(\d{2})(\d{4})")
APPLICATION = re.compile(r"申字|申请")
PREFIX = re.compile(r"^(?:取水)?(?:许可)?(?:证书?)?(?:编号|编码|号)?:?(?=取水\(|[A-D]\d)")
CHARACTERS = str.maketrans(
    dict.fromkeys("－—–―‐‑‒−﹣", "-") | {"〔": "[", "〕": "]", "【": "[", "】": "]", "「": "[", "」": "]", "《": "[", "》": "]"}
)  # fmt: skip
EXAMPLES = "B640104G2023-0037 / 取水(国长)字[2015]第01001号"


@dataclass(frozen=True)
class PermitNumber:
    """A permit's number in its one spelling, and what it says."""

    text: str
    form: Literal["electronic", "paper"]
    year: int
    serial: str
    level: str | None = None
    """Of the issuer: basin, province, prefecture or county."""
    region_code: int | None = None
    """As the number says; neither the issuer's place nor the intake's."""
    source: str | None = None
    """The letter: S surface, G ground; others are taken with a warning."""
    place: str | None = None
    """Of paper numbers: the characters in brackets."""
    repaired: tuple[str, ...] = ()
    """What was mended, in words."""

    @cached_property
    def source_type(self) -> str:
        if self.form == "paper" and LASTING_SERIAL.fullmatch(self.serial):
            return "surface_water" if self.serial[0] == "A" else "groundwater"
        return SOURCES.get(self.source or "", "unknown")

    @cached_property
    def key(self) -> str:
        """The same for numbers that a renewal told apart by the year alone; else the number."""
        if self.form == "paper" and LASTING_SERIAL.fullmatch(self.serial):
            return f"取水({self.place})字第{self.serial}号"
        return self.text

    @property
    def warnings(self) -> list[BadValue]:
        """What a person should look at."""
        found = []
        if self.repaired:
            words = "、".join(self.repaired)
            found.append(
                BadValue(
                    "permit_number_repaired",
                    f"已改写为 {self.text}：{words} (the number was mended)",
                    self.text,
                )
            )
        if self.form == "electronic" and self.source not in SOURCES:
            found.append(
                BadValue(
                    "unusual_source_letter",
                    f"{self.text} 的水源代码 {self.source} 不是 S 或 G，请核对 (the source letter is neither S nor G)",
                    "S / G",
                )
            )
        return found


def permit_number(text: str) -> PermitNumber:
    """The number that a text says. Keep the raw text beside it; there is no check digit, so none is proof.

    Raises BadValue `application_number` for an application's, `bad_permit_number` for what is none.
    """
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text.translate(CHARACTERS))).upper()
    plain = PREFIX.sub("", plain.translate(CHARACTERS))
    if APPLICATION.search(plain):
        raise BadValue(
            "application_number",
            f"{text!r} 是申请编号，不是许可证编号 (is an application's number, not a permit's)",
            EXAMPLES,
        )
    if match := ELECTRONIC.fullmatch(plain.removesuffix("号")):
        return _electronic(match, text)
    if match := PAPER.fullmatch(plain):
        place, year, serial = match.groups()
        return PermitNumber(f"取水({place})字[{year}]第{serial}号", "paper", int(year), serial, place=place)
    raise _not_a_number(text)


def _electronic(match: re.Match[str], text: str) -> PermitNumber:
    level, region, source, year, dash, serial = match.groups()
    letter, repaired = LOOK_ALIKE.get(source, source), []
    if not letter.isalpha():
        raise _not_a_number(text)
    if letter != source:
        repaired.append(f"水源代码 {source}→{letter}")
    if not dash:
        repaired.append("补“-” (dash)")
    return PermitNumber(
        f"{level}{region}{letter}{year}-{serial}",
        "electronic",
        int(year),
        serial,
        LEVELS[level],
        int(region),
        letter,
        repaired=tuple(repaired),
    )


def _not_a_number(text: str) -> BadValue:
    return BadValue(
        "bad_permit_number", f"{text!r} 不是取水许可证编号 (is no permit number)", EXAMPLES
    )  # fmt: skip


# ── electronic licences ─────────────────────────────────────────────────────────────────────────────

LICENCE_ROOT = "1.2.156.3005.2"
"""The object identifier of electronic licences (GB/T 36904—2018)."""
LICENCE_BODY = re.compile(r"([0-9A-Z]{18})(\d{3})([0-9A-Z]{18})([0-9A-Z]{1,32})(\d{3})([0-9A-Z])")
LICENCE_EXAMPLE = "1.2.156.3005.2.11100000000013338W002.11320482014138860P.201807250201.001.M"


@dataclass(frozen=True)
class LicenceIdentifier:
    """证照标识: what kind of licence, who issued it, its serial and version, and a check character."""

    type_owner: str
    """Credit code of the body that defined this type of licence."""
    type_serial: str
    issuer: str
    """Credit code of the issuing body."""
    serial: str
    version: str
    check: str

    @cached_property
    def text(self) -> str:
        """In its one spelling."""
        kind = self.type_owner + self.type_serial
        return ".".join((LICENCE_ROOT, kind, self.issuer, self.serial, self.version, self.check))


def licence_identifier(text: str) -> LicenceIdentifier:
    """The identifier that a text says, with or without root and separators; check character and credit codes hold.

    The check character is ISO 7064 MOD 37,36 over type, issuer, serial and version (GB/T 36904—2018). Raises BadValue
    `bad_licence_identifier` or `licence_check`.
    """
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).upper()
    body = re.sub(r"[.|\-_/,]", "", plain.removeprefix(LICENCE_ROOT))
    match = LICENCE_BODY.fullmatch(body)
    if match is None:
        raise BadValue(
            "bad_licence_identifier",
            f"{text!r} 不是电子证照标识 (is no identifier of an electronic licence)",
            LICENCE_EXAMPLE,
        )
    found = LicenceIdentifier(*match.groups())
    expected = mod_37_36.calc_check_digit(body[:-1])
    if found.check != expected:
        raise BadValue(
            "licence_check",
            f"电子证照标识 {text!r} 校验码应为 {expected} (the check character should be {expected})",
            expected,
        )
    for code, whose in ((found.type_owner, "类型定义机构"), (found.issuer, "颁发机构")):
        try:
            credit_code(code)
        except BadValue as bad:
            message = f"电子证照标识中{whose}代码 {code} 有误：{bad.message}"
            raise BadValue("licence_check", message, bad.expected) from None
    return found
