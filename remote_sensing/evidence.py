"""What speaks for a finding: volume with its uncertainty, score, and reasons in words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remote_sensing import doubts
from remote_sensing.compare import Served
from remote_sensing.options import Quotas

M2_PER_MU = 10_000 / 15


def volumes(kind: str, area_m2: float, quotas: Quotas) -> tuple[float, float, float]:
    """Lowest, likely and highest yearly volume of an object, m³."""
    if kind == "water_body":
        low, likely, high = (area_m2 * depth for depth in quotas.depth_m)
    else:
        low, likely, high = (area_m2 / M2_PER_MU * m3 for m3 in quotas.irrigation_m3_per_mu)
    return low, likely, high


def squash(value: float) -> float:
    """Logistic function."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def log_odds(chance: float) -> float:
    """Logarithm of the odds of a chance, kept within 1 in 100."""
    kept = min(max(chance, 0.01), 0.99)
    return math.log(kept / (1 - kept))


SPECK, FAINT, FULL = (
    0.03,
    {"water_body": 0.2, "irrigated_land": 0.15},
    {"water_body": 0.3, "irrigated_land": 0.2},
)
"""Chance that an object of the smallest size is not what it seems (one of twice the size: half of it), and what
is added for one without contrast (none from a contrast of FULL on). On five dates of North Dakota ponds seven
objects were none (docs/accuracy.md): damp or shaded ground, all of them among the faintest of their date."""
UNSERVED_FIELD, NO_PERMIT = 0.9, 0.8
"""Chance that "no intake" is right of a field that none reaches, and "no permit" of what an intake serves without one:
judgement of 2026-11. Of water the positions of the intakes say it (`position`)."""


def score(
    kind: str, category: str, area_m2: float, least_m2: float, contrast: float, served: Served, short: float, codes: Sequence[str]
) -> float:  # fmt: skip
    """0 to 1, meant as the chance that a finding is right: the odds of its category, its clearness and its doubts.

    `contrast`: how clearly an object is what it seems, 0 to 1; `short`: permitted volume over the lowest estimate;
    `codes`: see `doubts`.
    """
    if category in ("no_intake", "new_since_last_date"):
        odds = log_odds(served.unclaimed if kind == "water_body" else UNSERVED_FIELD)
    elif category == "no_valid_permit":
        odds = log_odds(NO_PERMIT)
    else:
        odds = min(2.0, -math.log(max(short, 1e-3)))
    odds += doubts.odds(codes)
    if category == "new_since_last_date":
        odds += doubts.SUPPORTS["new"].log_odds
    unreal = SPECK * min(1.0, least_m2 / max(area_m2, 1e-9)) + FAINT[kind] * max(
        0.0, 1 - max(contrast, 0.0) / FULL[kind]
    )
    return round(min(0.99, squash(odds)) * (1 - unreal), 3)


def clearness(index: npt.NDArray[np.float64], limit: float) -> npt.NDArray[np.float64]:
    """How far the mean index of each water lies above the limit of the scene, as a share of what its water does.

    1 for the middle one of all. What barely passes where other water passes by far is damp or shaded ground as often.
    """
    finite = index[np.isfinite(index)]
    usual = float(np.median(finite)) - limit if finite.size else 0.0
    if usual <= 0:
        return np.ones(len(index))
    return np.asarray(np.clip(np.nan_to_num(index - limit) / usual, 0, 1))


GROWN = 0.8
"""An object of which less than this share was there at the earlier date has grown."""


def mu(area_m2: float) -> str:
    return f"{area_m2 / M2_PER_MU:.1f}"


KINDS = {"water_body": ("水体", "a water body"), "irrigated_land": ("灌溉植被", "irrigated vegetation")}
WHY = {
    "too_far": ("距离过远", "too far"),
    "not_in_use": ("未在用", "not in use"),
    "serves_nearer": ("更靠近另一水体", "another water is nearer to it"),
    "takes_groundwater": ("取用地下水", "takes groundwater"),
    "other_purpose": ("取水用途不是灌溉", "its purpose is not irrigation"),
    "other_bank": ("隔河", "a river lies between"),
}


def reasons(
    kind: str, category: str, area_m2: float, served: Served, volume: tuple[float, float, float],
    permitted_m3: float | None, before_share: float | None, codes: Sequence[str], water: Mapping[str, Any] | None = None,
) -> list[dict[str, str]]:  # fmt: skip
    """Sentences for the person who decides, Chinese and English: what was found, what explains it not, what may.

    `water`: its kind and measures (`judge.Water`).
    """
    zh, en = KINDS[kind]
    found = [
        _r(
            "area",
            f"影像上有{zh}，面积 {area_m2:,.0f} m²（{mu(area_m2)} 亩）",
            f"The image shows {en} of {area_m2:,.0f} m²",
        )
    ]
    if water:
        found.append(_kind_of_water(water))
    if category in ("no_intake", "new_since_last_date"):
        if served.nearest_m is None:
            found.append(_r("no_register", "登记册在此范围内没有取水口", "The register has no intake here"))
        else:
            d = served.nearest_m
            found.append(
                _r(
                    "no_intake",
                    f"可供水范围内无登记取水口，最近的（{served.nearest_called}）在 {d:,.0f} m 外",
                    f"No registered intake could serve it; the nearest ({served.nearest_called}) is {d:,.0f} m away",
                )
            )
    if category == "new_since_last_date" and before_share is not None:
        found.append(
            _r(
                "new",
                f"上期影像同一位置仅 {before_share:.0%} 为{zh}",
                f"At the earlier date only {before_share:.0%} of it was {en}",
            )
        )
    elif before_share is not None and before_share < GROWN:
        found.append(
            _r(
                "grown",
                f"较上期影像扩大约 {area_m2 * (1 - before_share):,.0f} m²",
                f"It has grown by about {area_m2 * (1 - before_share):,.0f} m² since the earlier date",
            )
        )
    if category == "no_valid_permit":
        zh_all, en_all = _some(served.serving_called)
        found.append(
            _r(
                "no_valid_permit",
                f"能供水的取水口（{zh_all}）没有在有效期内的许可",
                f"The intakes that could serve it ({en_all}) have no permit in force",
            )
        )
    if category == "permit_too_small":
        found.append(_too_small(permitted_m3 or 0.0, volume[0], served.serving_called))
    if served.by:
        zh_by, en_by = BY[served.by]
        found.append(_r(f"by_{served.by}", zh_by, en_by))
    for refused in served.refused[:2]:
        wzh, wen = WHY[refused["why"]]
        found.append(
            _r(
                "refused",
                f"取水口 {refused['called']}（{refused['distance_m']:,.0f} m）不能供水：{wzh}",
                f"Intake {refused['called']} ({refused['distance_m']:,.0f} m) cannot serve it: {wen}",
            )
        )
    return found + doubts.words(codes)


BY = {
    "canal": ("能供水的取水口在流经此处的渠道上游", "An intake that could serve it stands up the canal that runs by"),
    "area": ("位于取水口的供水范围或灌区内", "It lies in the service area of an intake, or in its irrigation district"),
}  # fmt: skip


def _too_small(permitted_m3: float, lowest_m3: float, called: Sequence[str]) -> dict[str, str]:
    zh, en = _some(called)
    return _r(
        "permit_too_small",
        f"取水口（{zh}）可用于此处的许可水量 {permitted_m3 / 1e4:.4g} 万m³，低于估算下限 {lowest_m3 / 1e4:.4g} 万m³",
        f"Of what is permitted to {en}, {permitted_m3:,.0f} m³ are left for it, less than the lowest estimate of {lowest_m3:,.0f} m³",
    )


WATERS = {
    "river": ("河流", "a river"),
    "canal": ("渠道", "a canal"),
    "lake": ("湖泊", "a lake"),
    "reservoir": ("水库", "a reservoir"),
    "pond": ("坑塘", "a pond"),
}
TOLD_BY = {
    "network": ("按水系图", "by the map of rivers and canals"),
    "dam": ("按坝址", "by its dam"),
    "shape": ("按形状，未经水系图或坝址核对", "by shape alone, no map of rivers and no dam says so"),
}


def _kind_of_water(water: Mapping[str, Any]) -> dict[str, str]:
    (zh, en), (zh_by, en_by) = WATERS[water["kind"]], TOLD_BY[water["by"]]
    length, widest = water["length_m"], water["widest_m"]
    return _r(
        f"water_{water['kind']}",
        f"水体类别：{zh}（{zh_by}），长约 {length:,.0f} m，最宽约 {widest:,.0f} m",
        f"The water is {en} ({en_by}), some {length:,.0f} m long and {widest:,.0f} m at the widest",
    )


NAMED = 2
"""Intakes that a sentence names; the rest are counted."""


def _some(called: Sequence[str]) -> tuple[str, str]:
    more = len(called) - NAMED
    zh, en = "、".join(called[:NAMED]), ", ".join(called[:NAMED])
    return (f"{zh} 等 {len(called)} 处", f"{en} and {more} more") if more > 0 else (zh, en)


def _r(code: str, zh: str, en: str) -> dict[str, str]:
    return {"code": code, "zh": zh, "en": en}
