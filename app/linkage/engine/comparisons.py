"""What of two records is compared, in which levels, and what each level is worth before data is seen.

One definition for everyone: Splink gets the levels as SQL over the measured columns (`settings_of`), the
engine itself reads them from arrays (`levels_of`), and reasons are told by them. A test holds both equal.

`m` is how often a level is seen among pairs that are the same intake, `u` among candidates that are not.
They are the team's judgement of registers as `domain.md` describes them (a tenth of the points off by
100 m and more, names written differently in two of five, one in thirty renumbered), of 2026-11; they count as
so many seen pairs (PRIOR_PAIRS) beside the data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

PRIOR_PAIRS = 60.0
Levels = npt.NDArray[np.int8]
Measures = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Level:
    """One level: measured values of at least (`rising`) or at most `bound` that no better level took."""

    name: str
    bound: float
    m: float
    u: float
    zh: str
    en: str
    """Both with {} where the measure belongs."""


@dataclass(frozen=True)
class Comparison:
    """One measure in levels, best first; NaN is no evidence (level -1)."""

    name: str
    rising: bool
    levels: Sequence[Level]

    @property
    def bounds(self) -> list[float]:
        return [level.bound for level in self.levels[:-1]]


def _levels(*rows: tuple[str, float, float, float, str, str]) -> tuple[Level, ...]:
    return tuple(Level(*row) for row in rows)


INF = float("inf")
COMPARISONS: tuple[Comparison, ...] = (
    Comparison("distance", False, _levels(
        ("10", 10, .42, .004, "相距 {} 米", "{} m apart"),
        ("30", 30, .20, .008, "相距 {} 米", "{} m apart"),
        ("60", 60, .13, .02, "相距 {} 米", "{} m apart"),
        ("100", 100, .09, .03, "相距 {} 米", "{} m apart"),
        ("200", 200, .06, .08, "相距 {} 米", "{} m apart"),
        ("400", 400, .05, .15, "相距 {} 米", "{} m apart"),
        ("800", 800, .04, .22, "相距 {} 米", "{} m apart"),
        ("2000", 2000, .03, .25, "相距 {} 米", "{} m apart"),
        ("10000", 10000, .015, .11, "相距 {} 米", "{} m apart"),
        ("far", INF, .015, .13, "相距 {} 米", "{} m apart"),
    )),
    Comparison("name", True, _levels(
        ("same", .97, .60, .012, "名称相同", "same name"),
        ("close", .85, .14, .012, "名称相近", "names nearly the same"),
        ("alike", .70, .10, .03, "名称相似", "similar names"),
        ("some", .50, .07, .08, "名称部分相同", "names share a part"),
        ("little", .30, .04, .20, "名称差别较大", "names differ much"),
        ("other", -INF, .05, .66, "名称不同", "different names"),
    )),
    Comparison("number", True, _levels(
        ("same", 3, .90, .12, "编号（井号）相同", "same well number"),
        ("listed", 2.5, .05, .01, "编号（井号）在所列范围内", "well number is among those listed"),
        ("shares", 2, .02, .05, "编号（井号）部分相同", "well numbers overlap"),
        ("one_sided", 1, .04, .20, "仅一方有井号", "only one has a number"),
        ("other", -INF, .01, .62, "编号（井号）不同", "different well numbers"),
    )),
    Comparison("holder", True, _levels(
        ("same", .97, .70, .06, "取水权人相同", "same holder"),
        ("close", .85, .10, .01, "取水权人相近", "holders nearly the same"),
        ("alike", .65, .06, .03, "取水权人相似", "similar holders"),
        ("some", .40, .04, .10, "取水权人部分相同", "holders share a part"),
        ("other", -INF, .10, .80, "取水权人不同", "different holders"),
    )),
    Comparison("uscc", True, _levels(
        ("same", 2, .90, .05, "信用代码相同", "same credit code"),
        ("near", 1, .03, .005, "信用代码仅差一位", "credit codes differ in one character"),
        ("other", -INF, .07, .945, "信用代码不同", "different credit codes"),
    )),
    Comparison("code", True, _levels(
        ("same", 4, .88, .02, "编号相同", "same number"),
        ("look_alike", 3, .02, .002, "编号仅形近字不同", "numbers differ in look-alike characters only"),
        ("near", 2, .03, .01, "编号仅差一位", "numbers differ in one character"),
        ("digits", 1, .02, .01, "编号数字部分相同", "same digits in the number"),
        ("other", -INF, .05, .958, "编号不同", "different numbers"),
    )),
    Comparison("source_type", True, _levels(
        ("same", 1, .95, .70, "水源类型相同", "same source type"),
        ("other", -INF, .05, .30, "水源类型不同", "different source types"),
    )),
    Comparison("water_body", True, _levels(
        ("same", .97, .70, .20, "水源名称相同", "same water body"),
        ("alike", .60, .18, .10, "水源名称相似", "similar water bodies"),
        ("other", -INF, .12, .70, "水源名称不同", "different water bodies"),
    )),
    Comparison("place", True, _levels(
        ("same", .97, .50, .10, "地址相同", "same place"),
        ("alike", .60, .30, .15, "地址相近", "similar places"),
        ("some", .35, .12, .20, "地址部分相同", "places share a part"),
        ("other", -INF, .08, .55, "地址不同", "different places"),
    )),
    Comparison("county", True, _levels(
        ("same", 1, .97, .80, "同一县区", "same county"),
        ("other", -INF, .03, .20, "县区不同", "different counties"),
    )),
    Comparison("purpose", True, _levels(
        ("same", 1, .90, .55, "用途相同", "same purpose"),
        ("other", -INF, .10, .45, "用途不同", "different purposes"),
    )),
    Comparison("volume", True, _levels(
        ("same", .99, .45, .05, "水量相同", "same volume"),
        ("close", .80, .25, .12, "水量相近", "volumes nearly the same"),
        ("half", .45, .15, .25, "水量相差不到一倍", "volumes within a factor of two"),
        ("other", -INF, .15, .58, "水量不同", "different volumes"),
    )),
)  # fmt: skip
BY_NAME = {comparison.name: comparison for comparison in COMPARISONS}


def levels_of(comparison: Comparison, measured: npt.NDArray[np.float32]) -> Levels:
    """Which level each measured value reaches, -1 where there is no evidence."""
    bounds = np.array(comparison.bounds, np.float32)
    if comparison.rising:
        found = np.searchsorted(-bounds, -measured, "left")
    else:
        found = np.searchsorted(bounds, measured, "left")
    return np.where(np.isnan(measured), -1, found).astype(np.int8)


def sql_of(comparison: Comparison) -> list[str]:
    """The condition of each level, best first, on columns that only the left row of a pair carries."""
    column, sign = f'"{comparison.name}_l"', ">=" if comparison.rising else "<="
    return [*(f"{column} {sign} {np.float32(bound)!s}" for bound in comparison.bounds), "ELSE"]


def settings_of(names: Sequence[str], weights: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The comparisons of those names as Splink wants them, with the m and u of `weights`."""
    found = []
    for name in names:
        comparison = BY_NAME[name]
        levels: list[dict[str, Any]] = [
            {"sql_condition": f'"{name}_l" IS NULL', "label_for_charts": "null", "is_null_level": True}
        ]
        for level, sql, m, u in zip(
            comparison.levels, sql_of(comparison), weights[name]["m"], weights[name]["u"], strict=True
        ):
            levels.append(
                {"sql_condition": sql, "label_for_charts": level.name, "m_probability": m, "u_probability": u}
            )
        found.append({"output_column_name": name, "comparison_levels": levels})
    return found
