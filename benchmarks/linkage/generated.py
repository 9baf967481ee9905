"""A made-up register of intakes and the permits' intakes, with the errors that real ones have, and the truth.

A place holds sites; a site has a holder and one intake, or a field of wells 30 to 300 m apart whose names
differ in their number alone. Each true intake may be in the register (A), on a permit (B), or in both, written
twice by different people: the error model below says how they differ.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from app.linkage.engine.records import RECORD
from benchmarks.linkage import words as w

METRES = 111_320.0
BLOCK = 100_000
"""Rows that are kept as Python objects at a time."""
ROWS_A_PLACE = 400
COUNTY_SPREAD = 0.12
"""Degrees that the places of a county lie from its middle."""


@dataclass(frozen=True)
class Errors:
    """How often what goes wrong, in parts of the rows."""

    offset: float = 0.10
    """Points 100 m and more off."""
    office: float = 0.02
    """Points at the holder's office, all of a holder at the same."""
    shifted: float = 0.015
    """Points in GCJ-02."""
    unplaced: float = 0.02
    renamed: float = 0.40
    """Names written differently."""
    nameless: float = 0.03
    new_holder: float = 0.05
    holder_written: float = 0.30
    renumbered: float = 1 / 30
    mistyped: float = 0.02
    no_permit_no: float = 0.35
    """Rows of the register that do not say their permit."""
    merged: float = 0.04
    """Well fields that the permit gives as one intake."""
    twice: float = 0.01
    """Intakes that are in the register twice."""
    only_a: float = 0.30
    only_b: float = 0.06


@dataclass(frozen=True)
class County:
    """Where places lie."""

    province: str
    city: str
    name: str
    code: int
    lon: float
    lat: float


@dataclass(frozen=True)
class Registers:
    a: pa.Table
    b: pa.Table
    truth: set[tuple[str, str]]
    """Pairs of ids that are the same intake."""


class Register:
    """Rows of one side; all but the last of them in Arrow's columns, a tenth of what they take as objects."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._blocks, self._rows = prefix, list[pa.Table](), list[dict[str, Any]]()
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, row: dict[str, Any]) -> str:
        """Take a row; returns the id that it gets."""
        key = f"{self._prefix}{self._n:07d}"
        self._rows.append({"id": key, **row})
        self._n += 1
        if len(self._rows) >= BLOCK:
            self._pack()
        return key

    def table(self) -> pa.Table:
        self._pack()
        return pa.concat_tables(self._blocks)

    def _pack(self) -> None:
        if self._rows:
            schema = pa.schema([RECORD.field(name) for name in self._rows[0]])
            self._blocks.append(pa.Table.from_pylist(self._rows, schema=schema))
            self._rows = []


class Maker:
    """Makes both registers, one site after another."""

    def __init__(self, seed: int, errors: Errors, dense: float) -> None:
        self.rng = np.random.default_rng(seed)
        self.pool = self.rng.random(1 << 16)
        self.at = 0
        self.errors = errors
        self.dense = dense
        self.a, self.b = Register("A"), Register("B")
        self.truth: set[tuple[str, str]] = set()
        self.permits = 0

    def chance(self) -> float:
        self.at += 1
        if self.at >= len(self.pool):
            self.pool, self.at = self.rng.random(1 << 16), 0
        return float(self.pool[self.at])

    def happens(self, p: float) -> bool:
        return self.chance() < p

    def one(self, of: Any) -> Any:
        return of[int(self.chance() * len(of))]

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.chance()

    def normal(self) -> float:
        return math.sqrt(-2 * math.log(1 - self.chance())) * math.cos(2 * math.pi * self.chance())

    # ── truth ────────────────────────────────────────────────────────────────────────────────────────

    def site(self, place: dict[str, Any]) -> None:
        """One holder's intakes at one spot."""
        field = self.happens(0.35)
        wells = 2 + int(self.chance() ** 2 * 9) if field else 1
        well = field or self.happens(0.45)
        village = self.village()
        holder = self.holder(place, village)
        lon, lat = (
            place["lon"] + self.normal() * 0.05 / self.dense,
            place["lat"] + self.normal() * 0.04 / self.dense,
        )
        office = place["lon"] + self.normal() * 0.01, place["lat"] + self.normal() * 0.01
        step = self.between(30, 80) if self.happens(0.4) else self.between(80, 300)
        angle = self.between(0, 6.28)
        base = village if self.happens(0.6) else holder["short"]
        permit = self.permit_no(place, "G" if well else "S")
        merged = field and self.happens(self.errors.merged)
        only_a = self.happens(self.errors.only_a)
        first = 1 + int(self.chance() ** 3 * 20)
        river = "" if well else self.one(w.RIVER)
        members: list[dict[str, Any]] = []
        for k in range(wells):
            members.append({
                "place": place, "village": village, "holder": holder, "office": office, "permit": permit, "well": well,
                "lon": lon + k * step * math.cos(angle) / METRES / math.cos(math.radians(lat)), "lat": lat + k * step * math.sin(angle) / METRES,
                "base": base, "number": first + k if field else (first if self.happens(0.3) else 0), "river": river,
                "kind": self.one(w.WELL) if well else self.one(("取水口", "泵站", "提水站", "闸", "抽水站")),
                "m3": round(10 ** self.between(3, 6.5)),
            })  # fmt: skip
        if only_a:
            for member in members:
                self.write_a(member, None)
        elif merged:
            b = self.write_b(
                {**members[0], "range": (first, first + wells - 1), "m3": sum(m["m3"] for m in members)}
            )
            for member in members:
                self.write_a(member, b)
        else:
            for member in members:
                b = self.write_b(member)
                if not self.happens(self.errors.only_b):
                    self.write_a(member, b)
                    if self.happens(self.errors.twice):
                        self.write_a(member, b)

    def village(self) -> str:
        return "".join(self.one(w.VILLAGE) for _ in range(1 + self.happens(0.4))) + self.one(w.VILLAGE_TAIL)

    def holder(self, place: dict[str, Any], village: str) -> dict[str, str]:
        kind = self.chance()
        if kind < 0.35:
            short = self.one(w.BRAND) + self.one(w.BRAND) + self.one(w.TRADE)
            name = place["county"] + short + self.one(w.COMPANY)
        elif kind < 0.65:
            short = village
            name = (
                f"{place['town']}{village}村民委员会"
                if not village.endswith("村")
                else f"{place['town']}{village}民委员会"
            )
        elif kind < 0.85:
            short = place["town"][:2] + self.one(w.PUBLIC)
            name = place["county"] + short
        else:
            short = name = (
                self.one(w.VILLAGE) + self.one(w.GIVEN) + (self.one(w.GIVEN) if self.happens(0.7) else "")
            )
        return {
            "short": short,
            "name": name,
            "uscc": self.uscc() if kind < 0.85 and self.happens(0.6) else "",
        }

    def uscc(self) -> str:
        return (
            "91"
            + "".join(self.one("0123456789") for _ in range(6))
            + "".join(self.one("0123456789ABCDEFGHJKLMNPQRTUWXY") for _ in range(10))
        )

    def permit_no(self, place: dict[str, Any], source: str) -> str:
        self.permits += 1
        return f"{self.one('BCDDDD')}{place['code']}{source}{2015 + int(self.chance() * 9)}-{self.permits % 10000:04d}"

    # ── two people write it down ─────────────────────────────────────────────────────────────────────

    def write_a(self, m: dict[str, Any], b: str | None) -> None:
        e = self.errors
        lon, lat = self.position(m, e)
        number = m["permit"]
        if b is None or self.happens(e.no_permit_no):
            number = ""
        elif self.happens(e.renumbered):
            number = self.permit_no(m["place"], number[7])
        elif self.happens(e.mistyped):
            number = self.typo(number)
        key = self.a.add({
            "name": self.name(m, e.renamed, formal=False), "holder": self.holder_text(m, e), "uscc": m["holder"]["uscc"] if self.happens(0.6) else "",
            "permit_no": number, "county_code": str(m["place"]["code"]), "town": m["place"]["town"], "place": m["village"] if self.happens(0.7) else "",
            "water_body": m["river"] if self.happens(0.7) else "", "lon": lon, "lat": lat, "source_type": self.source(m), "annual_m3": self.volume(m["m3"]),
        })  # fmt: skip
        if b is not None:
            self.truth.add((key, b))

    def write_b(self, m: dict[str, Any]) -> str:
        lon, lat = (m["lon"] + self.normal() * 4 / METRES, m["lat"] + self.normal() * 4 / METRES)
        if self.happens(0.01):
            lon = lat = None  # type: ignore[assignment]
        return self.b.add({
            "name": self.name(m, 0.15, formal=True), "holder": m["holder"]["name"], "uscc": m["holder"]["uscc"], "permit_no": m["permit"],
            "county_code": str(m["place"]["code"]), "town": m["place"]["town"], "place": m["village"], "water_body": m["river"], "lon": lon, "lat": lat,
            "source_type": self.source(m), "annual_m3": float(m["m3"]), "group": m["permit"],
        })  # fmt: skip

    def position(self, m: dict[str, Any], e: Errors) -> tuple[float | None, float | None]:
        kind = self.chance()
        lon, lat = m["lon"], m["lat"]
        if kind < e.unplaced:
            return None, None
        kind -= e.unplaced
        if kind < e.office:
            return m["office"]
        kind -= e.office
        if kind < e.shifted:
            return lon + 0.0048 + self.normal() * 5e-5, lat - 0.0019 + self.normal() * 5e-5
        kind -= e.shifted
        if kind < e.offset:
            far, angle = 100 * 10 ** (self.chance() ** 1.5), self.between(0, 6.28)
        else:
            far, angle = abs(self.normal()) * (8 if self.happens(0.6) else 28), self.between(0, 6.28)
        return lon + far * math.cos(angle) / METRES / math.cos(math.radians(lat)), lat + far * math.sin(
            angle
        ) / METRES

    def name(self, m: dict[str, Any], changed: float, *, formal: bool) -> str:
        place = m["place"]
        if not formal and self.happens(self.errors.nameless):
            return ""
        base, kind, river = m["base"], m["kind"], m["river"]
        plain = f"{base}{self.number(m, False)}{kind}"
        if not m["well"] and m["number"] == 0:
            plain = f"{base}{kind}"
        if not self.happens(changed):
            return place["prefix"] + place["town"] + plain if formal and self.happens(0.5) else plain
        how = self.chance()
        if how < 0.25:
            plain = f"{base}{self.number(m, True)}{self.one(w.WELL) if m['well'] else kind}"
        elif how < 0.40:
            plain = f"{place['county']}{place['town']}{plain}"
        elif how < 0.52:
            plain = f"{m['holder']['short']}{self.number(m, self.happens(0.5))}{kind}"
        elif how < 0.62 and river:
            plain = f"{river}{base}{kind}"
        elif how < 0.72:
            plain = "".join(w.HOMOPHONES.get(c, c) if self.happens(0.5) else c for c in plain)
        elif how < 0.80:
            plain = "".join(w.TRADITIONAL.get(c, c) for c in plain)
        elif how < 0.88 and len(base) > 2:
            cut = int(self.chance() * len(base))
            plain = f"{base[:cut]}{base[cut + 1 :]}{self.number(m, False)}{kind}"
        else:
            plain = f"{place['town'][:2]}{base}{self.number(m, self.happens(0.5))}{'井' if m['well'] else '取水点'}"
        if self.happens(0.2):
            plain = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in plain)
        return plain

    def number(self, m: dict[str, Any], other: bool) -> str:
        if "range" in m:
            first, last = m["range"]
            return f"{first}-{last}" if first < last else str(first)
        n = m["number"]
        if n == 0:
            return ""
        if not other:
            return str(n)
        return self.one((self.han(n), f"{n:02d}", f"第{self.han(n)}", str(n)))

    @staticmethod
    def han(n: int) -> str:
        tens, ones = divmod(n, 10)
        return ("" if tens < 2 else w.HAN[tens]) + ("十" if tens else "") + (w.HAN[ones] if ones else "")

    def holder_text(self, m: dict[str, Any], e: Errors) -> str:
        holder = m["holder"]
        if self.happens(0.05):
            return ""
        if self.happens(e.new_holder):
            return str(self.holder(m["place"], m["village"])["name"])
        if not self.happens(e.holder_written):
            return str(holder["name"])
        how = self.chance()
        if how < 0.4:
            return str(holder["short"])
        if how < 0.6:
            return str(m["place"]["prefix"] + holder["name"])
        if how < 0.8:
            return "".join(w.TRADITIONAL.get(c, c) for c in holder["name"])
        return "".join(w.HOMOPHONES.get(c, c) for c in holder["name"])

    def typo(self, text: str) -> str:
        at = int(self.chance() * len(text))
        how = self.chance()
        if how < 0.4:
            return text[:at] + text[at + 1 :]
        if how < 0.7:
            return text[:at] + self.one("0123456789") + text[at + 1 :]
        return text.replace("G", "6").replace("S", "5")

    def source(self, m: dict[str, Any]) -> str:
        true = m["well"] if not self.happens(0.02) else not m["well"]
        return "地下水" if true else "地表水"

    def volume(self, m3: float) -> float | None:
        how = self.chance()
        if how < 0.25:
            return None
        if how < 0.6:
            return float(m3)
        return float(m3) * 10 ** (self.normal() * 0.3)


def make(
    rows: int,
    seed: int = 1,
    errors: Errors | None = None,
    dense: float = 1.0,
    counties: Sequence[County] = (),
) -> Registers:
    """Registers whose A has about `rows` rows: of a few counties side by side, or of these where they are."""
    maker = Maker(seed, errors or Errors(), dense)
    places = [_place(maker, k, counties) for k in range(max(6, len(counties), rows // ROWS_A_PLACE))]
    while len(maker.a) < rows:
        maker.site(maker.one(places))
    return Registers(maker.a.table(), maker.b.table(), maker.truth)


def _place(maker: Maker, k: int, counties: Sequence[County]) -> dict[str, Any]:
    of = counties[k % len(counties)] if counties else None
    province, city, county, code = (
        (of.province, of.city, of.name, of.code) if of else w.COUNTIES[k % len(w.COUNTIES)]
    )
    town = "".join(maker.one(w.TOWN) for _ in range(2)) + ("镇" if k % 3 else "乡")
    prefix = province + city + county if maker.happens(0.7) else city + county
    if of:
        lon, lat = (at + maker.normal() * COUNTY_SPREAD for at in (of.lon, of.lat))
    else:
        lon = 100 + (k % 50) * 0.32 + maker.between(0, 0.1)
        lat = 25 + (k // 50 % 50) * 0.3 + maker.between(0, 0.1)
    return {"prefix": prefix, "county": county, "code": code, "town": town, "lon": lon, "lat": lat}
