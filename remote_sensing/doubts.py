"""The usual false alarms: how each is recognised, what it takes from the score, and how it is told.

Nothing is hidden for a doubt: a finding keeps its place in the list, lower, and its reasons say why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

Array = npt.NDArray[Any]
POLYGON = 3
"""shapely's number of the type."""
LONG = 6.0
"""Length over width from which water looks like a river or canal."""
ROUND = 0.85
"""Share of the smallest circle around that a centre pivot fills; a square fills 0.64."""
PIVOT_M2 = 50_000.0
STRIP = 4.0
EVEN_SIDED = 0.75
"""Share of its smallest rectangle that a dug pond fills; a natural one fills less."""
POND_M2 = (1_500.0, 60_000.0)
CLUSTER, CLUSTER_M = 3, 300.0
"""A dug pond with this many dug ponds so near is one of a fishery's."""
LAKE_M2 = 200_000.0
VILLAGE_M2 = 10_000.0
BRIGHT_RED = 0.2
"""Reflectance in red of what is no plain water: ice, snow, foam, or the sun's glint."""
RISEN = 1.5
"""A scene with this many times the water of the earlier date shows a flood, or another season."""
REGULATED = (0.3, 0.95)
"""Share of a body that was there before: between these its level has changed, not its owner."""
RIPARIAN = 4.0
SHADED = 0.3


@dataclass(frozen=True)
class Doubt:
    """One kind of false alarm."""

    log_odds: float
    """What it adds to the logarithm of the odds that the finding is right. Judgement of 2026-11, until decisions calibrate."""
    zh: str
    en: str


DOUBTS: Mapping[str, Doubt] = {
    "shadow": Doubt(-1.2, "可能是阴影（云影、山影或建筑影），请核对", "May be shadow of cloud, hill or building: check"),
    "snow": Doubt(-1.0, "水面异常明亮，可能是冰雪、泡沫或太阳耀斑", "Bright for water: may be snow, ice, foam or glint"),
    "adjoins_served": Doubt(-0.8, "紧邻有登记取水口的较大水体，可能是其一部分", "All but touches larger water that has a registered intake: may be part of it"),
    "river_like": Doubt(-0.8, "形状狭长，可能是河道或渠道", "Long and narrow: may be a river or canal"),
    "at_edge": Doubt(-0.3, "位于影像边缘，面积可能不完整", "At the image's edge: its area may be incomplete"),
    "flood": Doubt(-0.7, "全景水面较上期大增，可能是洪水或丰水期积水", "All water of the scene has grown much since the earlier date: may be flood"),
    "regulation": Doubt(-0.5, "原有水面水位变化，可能是水库调度或季节涨落", "A known body at another level: may be regulation of a reservoir, or the season"),
    "natural_lake": Doubt(-0.4, "面积大且岸线不规则，可能是天然湖泊，有水不等于取水", "Large with an irregular shore: may be a natural lake, and water is no abstraction"),
    "fish_ponds": Doubt(-0.3, "成片规则水面，可能为鱼塘；由公共供水或灌区补水的无需单独办证", "One of many dug ponds: may be a fishery on public or district supply, which needs no permit of its own"),
    "village_pond": Doubt(-0.3, "小型水面，可能属农村集体经济组织自有水塘，依条例第四条无需办证", "Small: may be a collective's own pond, exempt by article 4"),
    "neighbours_green": Doubt(-0.8, "周边同样青绿，可能为雨养作物（含雨养水稻）或草地", "The surroundings are as green: may be rain-fed crops, rain-fed paddy or grass"),
    "rain_fed": Doubt(-1.5, "各期长势与周边一致，可能为雨养", "On every date as green as its surroundings: may be rain-fed"),
    "evergreen": Doubt(-1.5, "全年常绿，可能为林地或果园", "Green all year round: may be woods or an orchard"),
    "riparian": Doubt(-0.9, "沿水体分布的狭长植被，可能为河岸林草", "A narrow band of green along water: may be riparian"),
    "district": Doubt(-0.2, "未加载渠系和灌区范围，可能由较远的渠首供水", "No canals or districts were loaded: may be served by a headworks far away"),
}  # fmt: skip
SUPPORTS: Mapping[str, Doubt] = {
    "pivot": Doubt(0.7, "圆形地块，似中心支轴式喷灌", "A circle, as a centre pivot waters"),
    "strip": Doubt(0.1, "长条形地块", "A strip, as fields are laid out"),
    "dry_green": Doubt(1.2, "旱期长势明显好于周边", "Far greener than its surroundings while these were dry"),
    "new": Doubt(0.5, "", ""),
}
"""What speaks for a finding, in the same measure; "new" is told with its share."""


def of_water(
    i: int, shapes: Array, area: Array, facts: Mapping[str, Any], risen: float, dug: npt.NDArray[np.int64]
) -> list[str]:
    """Codes of the doubts about one body of water. `facts`: see `judge`; `risen`: all water now against before."""
    share = facts["before_share"]
    told = {
        "shadow": facts["shadow_share"] > SHADED,
        "snow": facts["red"] is not None and facts["red"] > BRIGHT_RED,
        "adjoins_served": facts["adjoins_served_m2"] is not None,
        "river_like": facts["elongation"] > LONG,
        "at_edge": facts["at_edge"],
        "flood": share is not None and share < REGULATED[0] and risen > RISEN,
        "regulation": share is not None and REGULATED[0] <= share < REGULATED[1],
        "natural_lake": area[i] >= LAKE_M2
        and facts["even_sided"] < EVEN_SIDED
        and not (share is not None and share < REGULATED[0]),
        "fish_ponds": dug[i] >= CLUSTER,
        "village_pond": area[i] < VILLAGE_M2,
    }
    return [code for code, holds in told.items() if holds]


def of_field(facts: Mapping[str, Any], near_water: bool, ground_known: bool) -> list[str]:
    """Codes of the doubts about one field, and of what speaks for it."""
    told = {
        "at_edge": facts["at_edge"],
        "riparian": near_water and facts["elongation"] > RIPARIAN,
        "district": not ground_known,
        "pivot": facts["round"] >= ROUND and facts["area_m2"] >= PIVOT_M2,
        "strip": facts["elongation"] > STRIP and not near_water,
    }
    return [code for code, holds in told.items() if holds]


def dug_neighbours(shapes: Array, even: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.int64]:
    """How many dug ponds lie within CLUSTER_M of each that is one itself; -1 for others. `even`: as `even_sided`."""
    area = shapely.area(shapes)
    even = even_sided(shapes) if even is None else even
    dug = np.flatnonzero((area >= POND_M2[0]) & (area <= POND_M2[1]) & (even >= EVEN_SIDED))
    made = np.full(len(shapes), -1, np.int64)
    if len(dug):
        a, _ = shapely.STRtree(shapes[dug]).query(shapes[dug], predicate="dwithin", distance=CLUSTER_M)
        made[dug] = np.bincount(a, minlength=len(dug)) - 1
    return made


def even_sided(shapes: Array, boxes: Array | None = None) -> npt.NDArray[np.float64]:
    """Share of the smallest rectangle around (`boxes`, where known) that a shape fills."""
    box = shapely.area(shapely.minimum_rotated_rectangle(shapes) if boxes is None else boxes)
    return np.asarray(shapely.area(shapes) / np.maximum(box, 1e-9), np.float64)


def elongation(shapes: Array, boxes: Array) -> npt.NDArray[np.float64]:
    """Length over width of the smallest rectangle around, corrected for how much of it is filled."""
    points, of = shapely.get_coordinates(boxes, return_index=True)
    first = np.searchsorted(of, np.arange(len(boxes)))
    drawn = (shapely.get_type_id(boxes) == POLYGON) & (shapely.area(shapes) > 0)
    sides = np.zeros((2, len(boxes)))
    for k in (0, 1):
        step = points[first[drawn] + k + 1] - points[first[drawn] + k]
        sides[k, drawn] = np.hypot(*step.T)
    longer = sides.max(axis=0)
    return np.where(drawn, longer**2 / np.where(drawn, shapely.area(shapes), 1.0), 1.0)


def roundness(shapes: Array) -> npt.NDArray[np.float64]:
    """Share of the smallest circle around that a shape fills."""
    circle = np.pi * shapely.minimum_bounding_radius(shapes) ** 2
    return np.asarray(shapely.area(shapes) / np.maximum(circle, 1e-9), np.float64)


def odds(codes: Sequence[str]) -> float:
    """What all of them add to the logarithm of the odds."""
    return sum((DOUBTS.get(code) or SUPPORTS[code]).log_odds for code in codes)


def words(codes: Sequence[str]) -> list[dict[str, str]]:
    """Sentences, Chinese and English: what speaks for the finding first, then the strongest doubt."""
    every = {**SUPPORTS, **DOUBTS}
    told = sorted((c for c in codes if every[c].zh), key=lambda c: (c in DOUBTS, -abs(every[c].log_odds)))
    return [{"code": code, "zh": every[code].zh, "en": every[code].en} for code in told]
