"""What speaks for a finding: volume with its uncertainty, score, and reasons in words."""

import math
from typing import Any

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


def score(
    *, kind: str, area_m2: float, least_m2: float, contrast: float, category: str, distance_m: float | None, reach_m: float,
    flags: dict[str, Any],
) -> float:  # fmt: skip
    """0 to 1: how much a finding is worth a look. Larger, clearer, farther from any intake, newer: higher.

    Long narrow water is a river or canal as likely as a pond; water that all but touches registered water is
    likely part of it; shadow lowers, and never hides. The weights are judgement, of 2026-11, until
    decisions of people calibrate them.
    """
    clear = squash(0.9 * math.log2(max(area_m2 / least_m2, 1.0)) + 3 * min(max(contrast, 0.0), 0.4) - 1.2)
    far = 1.0 if distance_m is None else squash(2.5 * (distance_m / reach_m - 1.6))
    weight = {
        "new_since_last_date": 1.0,
        "no_intake": 0.85,
        "no_valid_permit": 0.75,
        "permit_too_small": 0.6,
    }[category]
    unserved = far if category in ("no_intake", "new_since_last_date") else 0.9
    made = clear * weight * (0.35 + 0.65 * unserved)
    if kind == "water_body" and flags["elongation"] > LONG:
        made *= 0.55
    if flags["adjoins_served_m2"]:
        made *= 0.2 if area_m2 < 0.1 * flags["adjoins_served_m2"] else 0.5
    if flags["at_edge"]:
        made *= 0.85
    return round(min(0.99, made * (1 - 0.4 * float(flags["shadow_share"]))), 3)


LONG = 6.0
"""Length over width from which water looks like a river or canal."""
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
}


def reasons(
    kind: str, category: str, area_m2: float, served: Served, volume: tuple[float, float, float], permitted_m3: float,
    before_share: float | None, flags: dict[str, Any],
) -> list[dict[str, str]]:  # fmt: skip
    """Sentences for the person who decides, Chinese and English, the strongest first."""
    zh, en = KINDS[kind]
    found = [
        _r(
            "area",
            f"影像上有{zh}，面积 {area_m2:,.0f} m²（{mu(area_m2)} 亩）",
            f"The image shows {en} of {area_m2:,.0f} m²",
        )
    ]
    if category in ("no_intake", "new_since_last_date"):
        if served.nearest_m is None:
            found.append(_r("no_register", "登记册在此范围内没有取水口", "The register has no intake here"))
        else:
            d = served.nearest_m
            found.append(
                _r(
                    "no_intake",
                    f"可供水范围内无登记取水口，最近的在 {d:,.0f} m 外",
                    f"No registered intake could serve it; the nearest is {d:,.0f} m away",
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
        found.append(
            _r(
                "no_valid_permit",
                "能供水的取水口没有在有效期内的许可",
                "The intakes that could serve it have no permit in force",
            )
        )
    if category == "permit_too_small":
        found.append(
            _r("permit_too_small", f"许可水量 {permitted_m3 / 1e4:.4g} 万m³，低于按面积估算的下限 {volume[0] / 1e4:.4g} 万m³",
               f"{permitted_m3:,.0f} m³ are permitted, less than the lowest estimate of {volume[0]:,.0f} m³")
        )  # fmt: skip
    for refused in served.refused[:2]:
        wzh, wen = WHY[refused["why"]]
        found.append(
            _r(
                "refused",
                f"取水口 {refused['id']}（{refused['distance_m']:,.0f} m）不能供水：{wzh}",
                f"Intake {refused['id']} ({refused['distance_m']:,.0f} m) cannot serve it: {wen}",
            )
        )
    if flags.get("shadow_share", 0) > 0.3:
        found.append(_r("shadow", "可能是阴影，请核对", "May be shadow: check"))
    if flags.get("adjoins_served_m2"):
        found.append(
            _r(
                "adjoins_served",
                "紧邻有登记取水口的较大水体，可能是其一部分",
                "All but touches larger water that has a registered intake: may be part of it",
            )
        )
    if kind == "water_body" and flags.get("elongation", 0) > LONG:
        found.append(
            _r("river_like", "形状狭长，可能是河道或渠道", "Long and narrow: may be a river or canal")
        )
    if flags.get("at_edge"):
        found.append(
            _r("at_edge", "位于影像边缘，面积可能不完整", "At the image's edge: its area may be incomplete")
        )
    return found


def _r(code: str, zh: str, en: str) -> dict[str, str]:
    return {"code": code, "zh": zh, "en": en}
