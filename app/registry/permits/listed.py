"""What hangs on a permit's version: limits as rows, the intakes that it lists, the intakes of the register under it."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Row

from app.errors import InvalidInput
from app.regions import locate
from app.registry import rules
from app.registry.permits import queries
from app.registry.permits.schemas import LimitIn, PointIn
from app.registry.permits.step import Step
from app.registry.queries import beyond_scope

ALL_YEAR = {"period": "", "source_type": "all", "well_field": "", "purpose": "all"}
ROUNDING_M3 = 1.0


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────


def decide_limits(step: Step) -> None:
    """The limits and the annual total as they will be. Raises InvalidInput if they contradict each other."""
    before = step.before
    former = [] if before is None else queries.limits(step.session, before.id, before.version)
    annual = step.facts.annual_volume_m3
    if step.facts.limits is not None:
        step.limits = [limit.model_dump() for limit in step.facts.limits]
        total = total_of(step.limits)
        if annual is not None and total is not None and abs(annual - total) > ROUNDING_M3:
            raise InvalidInput(
                f"各项限额合计 {total:.6g} m³，与年最大取水量 {annual:.6g} m³ 不符 (the limits do not add up to the annual volume)",
                field="limits",
                expected=annual,
            )
        annual = annual if total is None else total
    elif annual is not None and len(former) > 1:
        raise InvalidInput(
            "许可证有多项限额，请逐项写明 (the permit has several limits: give them as rows)", field="limits"
        )
    elif annual is not None:
        row = former[0] if former else LimitIn().model_dump()
        step.limits = [row | {"annual_m3": annual}]
    else:
        step.limits, annual = former, step.former("annual_volume_m3")
    _check_limits(step.limits, annual)
    step.values["annual_volume_m3"] = annual
    if step.limits != former:
        step.changed.add("limits")
    if annual != step.former("annual_volume_m3"):
        step.changed.add("annual_volume_m3")


def total_of(limits: Sequence[dict[str, Any]]) -> float | None:
    """m³ a year: of the row that stands for all year, sources and uses, else the sum of all rows."""
    whole = [row for row in limits if ALL_YEAR.items() <= row.items()]
    known = [row["annual_m3"] for row in whole or limits if row["annual_m3"] is not None]
    return sum(known) if known else None


def _check_limits(limits: Sequence[dict[str, Any]], annual: float | None) -> None:
    keys = [tuple(row[name] for name in ALL_YEAR) for row in limits]
    if len(set(keys)) < len(keys):
        raise InvalidInput(
            "同一时段、水源、水源地、用途的限额重复 (a limit of the same period, source, field and use stands twice)",
            field="limits",
        )
    for row in limits:
        for day in row["period"].split("/") if row["period"] else ():
            _check_day(day)
    rows = [(row["annual_m3"], row["daily_m3"], row["flow_m3s"]) for row in limits] or [(annual, None, None)]
    for found in (rules.volume_problem(*row) for row in rows):
        if found is not None:
            raise InvalidInput(found.message, field="limits", reason=found.reason, expected=found.expected)


def _check_day(text: str) -> None:
    """A day of the year, MM-DD; 29 February is one."""
    try:
        date.fromisoformat(f"2000-{text}")
    except ValueError:
        raise InvalidInput(
            f"限额时段中没有 {text} 这一天 (the year has no such day)",
            field="limits",
            value=text,
            expected="MM-DD/MM-DD",
        ) from None


# ── the intakes that the permit lists ───────────────────────────────────────────────────────────────


def bring_points(step: Step, permit_id: int) -> dict[str, Any]:
    """List these intakes from the event's day on; what a correction changes was always so. Returns what was done."""
    if step.facts.points is None:
        return {}
    session = step.session
    wanted = _placed(step, step.facts.points)
    listed = {row["seq"]: row for row in queries.points(session, permit_id)}
    unknown = sorted({row["seq"] for row in wanted if row["seq"] is not None} - listed.keys())
    if unknown:
        raise InvalidInput(f"许可证没有第 {unknown[0]} 个取水口 (lists no such intake)", field="points", value=unknown[0])  # fmt: skip
    since = step.values["effective_on"] or step.today
    same = {row["seq"] for row in wanted if row["seq"] is not None and _alike(row, listed[row["seq"]])}
    correcting = step.given.event == "correct"
    corrected = {row["seq"] for row in wanted if row["seq"] is not None} - same if correcting else set()
    dropped = [row["id"] for seq, row in listed.items() if seq not in same | corrected]
    number = queries.next_seq(session, permit_id)
    added = [row for row in wanted if row["seq"] not in same | corrected]
    # A point may lie in another county: allowed, flagged; it belongs to the matching there.
    with beyond_scope(session):
        queries.drop_points(session, dropped, since)
        for row in wanted:
            if row["seq"] in corrected:
                queries.correct_point(session, listed[row["seq"]]["id"], row)
        queries.insert_points(
            session, permit_id, since, [row | {"seq": n} for n, row in enumerate(added, number)]
        )
    return {"points": {"added": len(added), "dropped": len(dropped), "corrected": len(corrected)}}


def _placed(step: Step, points: Sequence[PointIn]) -> list[dict[str, Any]]:
    """Each with the county in which it lies, else the permit's."""
    home, basin = step.values["county_code"], step.values["basin_id"]
    rows = [{**point.model_dump(), "county_code": home, "basin_id": basin} for point in points]
    for row in rows:
        if (row["lon"] is None) != (row["lat"] is None):
            raise InvalidInput("经纬度须同时给出 (give both longitude and latitude)", field="points")
    at = [row for row in rows if row["lon"] is not None]
    if not at:
        return rows
    counties = locate.load(step.session)
    found = counties.county_of(np.array([row["lon"] for row in at]), np.array([row["lat"] for row in at]))
    for row, code in zip(at, found.tolist(), strict=True):
        if code and code != home:
            row["county_code"] = code
            _elsewhere(step, "points", row["name"], code)
    return rows


def _alike(row: dict[str, Any], listed: dict[str, Any]) -> bool:
    return all(row[name] == listed[name] for name in (*queries.POINT, "lon", "lat"))


def _elsewhere(step: Step, name: str, what: str, county: int) -> None:
    step.warn(
        "intake_elsewhere",
        name,
        f"取水口“{what}”位于 {county}，不在许可证所在县 {step.values['county_code']} "
        "(the intake lies in another county than the permit)",
    )


# ── the intakes of the register under it ────────────────────────────────────────────────────────────


def bring_intakes(step: Step, permit_id: int) -> dict[str, Any]:
    """Link these intakes from the event's day on, and end the links of others. Returns what was done."""
    if step.facts.intakes is None:
        return {}
    session = step.session
    wanted = {row.id: row for row in _named(step, step.facts.intakes)}
    now = queries.linked(session, permit_id)
    since = step.values["effective_on"] or step.today
    dropped = sorted(now.keys() - wanted.keys())
    added = [row for number, row in wanted.items() if number not in now]
    queries.unlink(session, permit_id, dropped, since)
    queries.link(session, permit_id, added, since)
    for row in wanted.values():
        if row.county_code != step.values["county_code"]:
            _elsewhere(step, "intakes", row.name, row.county_code)
    return {"intakes": {"added": [row.id for row in added], "dropped": dropped}}


def _named(step: Step, given: Sequence[int | str]) -> list[Row[Any]]:
    ids = [one for one in given if isinstance(one, int)]
    codes = [one for one in given if isinstance(one, str)]
    if any(not 0 < one < 2**63 for one in ids):
        raise InvalidInput("取水口 id 超出范围 (an id is out of range)", field="intakes")
    rows = queries.intakes_named(step.session, ids, codes)
    held = [row.code for row in rows if row.code in codes and row.id not in ids]
    lacking = [*(i for i in ids if i not in {row.id for row in rows}), *(c for c in codes if c not in {row.code for row in rows})]  # fmt: skip
    if lacking:
        raise InvalidInput(
            f"没有取水口 {lacking[0]}，或不在您的辖区内 (no such intake, or outside your jurisdiction)",
            field="intakes",
            value=lacking[0],
        )
    twice = next((code for code in held if held.count(code) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"编码 {twice} 有多个取水口，请用 id 指明 (several intakes have this code: name the id)",
            field="intakes",
            value=twice,
        )
    return rows
