"""Rules of credit codes and volumes, and the codes of the register. Plain values in, plain values out."""

import re

from stdnum.cn import uscc as stdnum_uscc

from app.imports.values import BadValue

SECONDS_A_DAY, DAYS_A_YEAR = 86_400, 366
SLACK = 1.05
"""Permits round their daily and flow limits; a twentieth is not a contradiction. A guess of 2026-11."""
LARGEST_INTAKE_M3 = 3e10
"""Above the yearly take of the largest diversion; beyond it is a unit slip. A guess of 2026-11."""
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def credit_code(text: str) -> str:
    """统一社会信用代码 (GB 32100), both check digits verified.

    Raises BadValue `bad_credit_code` or `credit_code_check`.
    """
    code = re.sub(r"[\s-]", "", text).upper()
    if not re.fullmatch(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}", code):
        raise BadValue(
            "bad_credit_code",
            f"{text!r} 不是18位统一社会信用代码 (is no 18-character credit code)",
            "91321084MA1XXXXXXX",
        )
    # Not stdnum's own validate: it wants a digit first, which would refuse village collectives (N2…).
    expected = stdnum_uscc.calc_check_digit(code[:-1])
    if code[-1] != expected:
        raise BadValue(
            "credit_code_check",
            f"{text!r} 校验码应为 {expected} (the check character should be {expected})",
            code[:-1] + expected,
        )
    if organisation_check(code[8:16]) != code[16]:
        raise BadValue(
            "credit_code_check",
            f"{text!r} 的组织机构代码校验位不符 (the organisation code's check digit is wrong)",
            organisation_check(code[8:16]),
        )
    return code


def organisation_check(body: str) -> str:
    """Check character of an organisation code (GB 11714): 8 characters in, A = 10 … Z = 35."""
    total = sum(
        int(character, 36) * weight for character, weight in zip(body, ORGANISATION_WEIGHTS, strict=True)
    )
    return {10: "X", 11: "0"}.get(check := 11 - total % 11, str(check))


def volume_problem(
    annual_m3: float | None, daily_m3: float | None, flow_m3s: float | None
) -> BadValue | None:
    """Contradictions between the limits of one permit or intake (daily = flow × 86,400; annual ≤ 366 × daily)."""
    if annual_m3 is None:
        return None
    if annual_m3 > LARGEST_INTAKE_M3:
        return BadValue(
            "volume_impossible",
            f"年水量 {annual_m3:.6g} m³ 超过任何取水口 (more than any intake takes)",
            "万m³ / m³?",
        )
    for most, name, reason in (
        (daily_m3 and daily_m3 * DAYS_A_YEAR, "日最大 × 366 (daily × 366)", "volume_exceeds_daily"),
        (
            flow_m3s and flow_m3s * SECONDS_A_DAY * DAYS_A_YEAR,
            "流量 × 86400 × 366 (flow × 86,400 × 366)",
            "volume_exceeds_flow",
        ),
    ):
        if most and annual_m3 > most * SLACK:
            slip = (
                "，像是 m³ 与万m³ 混淆 (looks like m³ taken for 万m³)"
                if 3_000 < annual_m3 / most < 3e7
                else ""
            )
            return BadValue(
                reason, f"年水量 {annual_m3:.6g} m³ 大于 {name} = {most:.6g} m³{slip}", f"≤ {most:.6g} m3"
            )
    return None


PURPOSES = {
    "domestic": ("生活", "居民生活", "农村生活"),
    "public_supply": ("公共供水", "城镇供水", "自来水", "municipal"),
    "industry": ("工业", "火(核)电", "一般工业", "火核电", "industrial"),
    "irrigation": ("农业灌溉", "灌溉", "农业", "农业用水"),
    "aquaculture": ("养殖", "水产养殖", "渔业"),
    "ecology": ("生态", "生态环境", "生态补水"),
    "hydropower": ("水力发电", "发电"),
    "other": ("其他", "其它"),
}
SOURCES = {
    "surface_water": ("地表水", "surface water", "surface", "s"),
    "groundwater": ("地下水", "ground water", "ground", "g"),
    "unconventional_water": ("非常规水", "非常规", "再生水", "矿坑水", "雨水", "淡化海水", "reclaimed"),
    "unknown": ("不详", "未知"),
}
WELL_STATUSES = {
    "in_use": ("在用", "使用", "active"),
    "emergency_reserve": ("应急备用", "备用"),
    "sealed": ("封存",),
    "backfilled": ("封填", "报废", "封填(报废)"),
    "ended": ("停用", "注销", "inactive"),
}
PERMIT_STATUSES = {
    "valid": ("有效", "在用", "active"),
    "expired": ("到期", "过期"),
    "cancelled": ("注销",),
    "annulled": ("撤销",),
    "revoked": ("吊销",),
    "pending": ("办理中", "申请中"),
}
MODES = {
    "gravity": ("自流", "引", "自流(引)"),
    "pump": ("提", "抽", "抽提", "提(抽)", "提水"),
    "storage": ("蓄",),
    "well": ("井",),
}
LEVELS = {
    "basin": ("流域", "流域机构", "部", "A"),
    "province": ("省", "省级", "B"),
    "prefecture": ("市", "市级", "C"),
    "county": ("县", "县级", "D"),
}
