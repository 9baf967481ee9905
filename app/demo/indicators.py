"""Control indicators of the pilot, scaled to its published use of 2021, and how counties share in them.

Published (扬州市水资源公报 2021): 36.10 亿m³: agriculture 21.67, industry 10.59 (power plants 8.89),
domestic 3.52, ecology 0.32; from surface water 35.62, groundwater 0.09, reclaimed water 0.39. How the
prefecture divides its real indicators among counties is not public, so a rule is invented:

- agriculture, ecology and surface water not otherwise counted: by land area (the county less the base map's waters);
- power plants: by the length of the Yangtze's bank;
- other industry, domestic use, groundwater and reclaimed water: half in equal parts, half by land area.

Level year 2025 is 5 % above the use of 2021, 2030 is 2 % above it. Groundwater levels and environmental flows are
left out: no published figure was found. Amounts are in 万m³; the counties' sum never exceeds the prefecture's.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.demo.ground import Ground

PUBLISHED_10K_M3 = {
    "agriculture": 216_700.0,
    "power": 88_900.0,
    "industry": 17_000.0,  # without the power plants
    "domestic": 35_200.0,
    "ecology": 3_200.0,
}
SOURCES_10K_M3 = {"groundwater": 900.0, "reclaimed": 3_900.0}
GROWTH = {2025: 1.05, 2030: 1.02}
YANGTZE = "长江"
KINDS = {
    "total_use_cap": "用水总量控制指标",
    "licensing_cap": "取水许可总量",
    "surface_cap": "地表取水",
    "groundwater_cap": "地下取水总量",
    "unconventional_min": "非常规最低利用量",
}
DOCUMENTS = {2025: "示例水资〔2022〕12号", 2030: "示例水资〔2026〕3号"}


@dataclass(frozen=True)
class Indicator:
    """One control indicator of a region, in 万m³."""

    region_code: int
    kind: str
    source: str
    purpose: str
    level_year: int
    value_10k_m3: float


def shares(grounds: Mapping[int, Ground]) -> dict[str, dict[int, float]]:
    """Each use's division among the counties (parts that sum to 1)."""
    land = _parts({code: g.land_km2 for code, g in grounds.items()})
    bank = _parts({code: s.length_m if (s := g.shore(YANGTZE)) else 0.0 for code, g in grounds.items()})
    half = {code: (1 / len(land) + part) / 2 for code, part in land.items()}
    return {
        "agriculture": land,
        "ecology": land,
        "power": bank,
        "industry": half,
        "domestic": half,
        "groundwater": half,
        "reclaimed": half,
    }


def _parts(amounts: dict[int, float]) -> dict[int, float]:
    total = sum(amounts.values())
    return {code: amount / total for code, amount in amounts.items()}


def of_county(code: int, grounds: Mapping[int, Ground], level_year: int = 2025) -> dict[str, float]:
    """The county's part of each use and source, in 万m³, cut (not rounded) to two decimals."""
    division = shares(grounds)
    amounts = PUBLISHED_10K_M3 | SOURCES_10K_M3
    return {
        use: math.floor(amount * GROWTH[level_year] * division[use][code] * 100) / 100
        for use, amount in amounts.items()
    }


def make(prefecture: int, grounds: Mapping[int, Ground]) -> list[Indicator]:
    """The prefecture's and each county's indicators for both level years."""
    made: list[Indicator] = []
    for year, growth in GROWTH.items():
        whole = {use: amount * growth for use, amount in (PUBLISHED_10K_M3 | SOURCES_10K_M3).items()}
        made += _indicators(prefecture, year, whole)
        for code in grounds:
            made += _indicators(code, year, of_county(code, grounds, year))
    return made


def _indicators(region: int, year: int, part: dict[str, float]) -> list[Indicator]:
    uses = {
        "农业": part["agriculture"],
        "工业": part["industry"] + part["power"],
        "生活": part["domestic"],
        "生态": part["ecology"],
    }
    total = sum(uses.values())
    ground, reclaimed = part["groundwater"], part["reclaimed"]
    rows = [
        ("total_use_cap", "全部", "全部", total),
        *(("total_use_cap", "全部", use, amount) for use, amount in uses.items()),
        ("licensing_cap", "全部", "全部", total - reclaimed),
        ("surface_cap", "地表水", "全部", total - ground - reclaimed),
        ("groundwater_cap", "地下水", "全部", ground),
        ("unconventional_min", "再生水", "全部", reclaimed),
    ]
    return [Indicator(region, kind, source, use, year, round(value, 2)) for kind, source, use, value in rows]
