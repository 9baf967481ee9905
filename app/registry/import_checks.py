"""What the rows of intakes and permits are checked for beside their single values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from app.imports.datums import to_wgs84
from app.imports.kind import Issue
from app.imports.staging import numeric
from app.regions.locate import Counties
from app.registry.lifecycle import LONGEST_YEARS, after_years
from app.registry.rules import volume_problem

if TYPE_CHECKING:
    import pandas as pd

NEAR_CHINA = (73.0, 136.0, 3.0, 54.0)
Floats = npt.NDArray[np.float64]


def place(rows: pd.DataFrame, counties: Counties, known: Any, unread: set[int]) -> list[Issue]:
    """The county exists, lies in the jurisdiction, and holds the position.

    `unread`: rows whose coordinates have an issue already.
    """
    issues = codes(rows, counties, known)
    lon, lat = numeric(rows["lon"]), numeric(rows["lat"])
    missing = np.isnan(lon) | np.isnan(lat)
    for n, no_lon in zip(rows.index[missing], np.isnan(lon)[missing], strict=True):
        field = "lon" if no_lon else "lat"
        if n not in unread:
            issues.append(
                Issue(
                    int(n),
                    "reject",
                    field,
                    "",
                    "missing_coordinate",
                    "缺少坐标 (the coordinates are missing)",
                    "CGCS2000 度 (degrees)",
                )
            )
    if known.mapping.bounds is not None:
        issues += _beyond(rows, lon, lat, ~missing, known.mapping.bounds)
    if known.mapping.check_region:
        issues += _positions(rows, counties, lon, lat, ~missing)
    return issues


def _beyond(
    rows: pd.DataFrame,
    lon: Floats,
    lat: Floats,
    present: npt.NDArray[np.bool_],
    bounds: tuple[float, float, float, float],
) -> list[Issue]:
    """Positions outside the bounds that the mapping gives."""
    west, south, east, north = bounds
    within = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    swapped = (lat >= west) & (lat <= east) & (lon >= south) & (lon <= north)
    return [
        _issue(
            rows,
            i,
            lon,
            lat,
            "reject",
            "swapped_coordinates",
            "经纬度颠倒 (longitude and latitude are swapped)",
        )
        if swapped[i]
        else _issue(
            rows,
            i,
            lon,
            lat,
            "reject",
            "outside_bounds",
            f"位置超出登记范围 {west:g}–{east:g}°E，{south:g}–{north:g}°N (the position lies beyond the register's bounds)",
        )
        for i in np.flatnonzero(present & ~within).tolist()
    ]


def codes(rows: pd.DataFrame, counties: Counties, known: Any) -> list[Issue]:
    """Each stated county is one, and lies in the jurisdiction."""
    issues = []
    for code, at in _by_county(numeric(rows["county_code"])):
        if not known.scope.covers(code):
            reason, message, expected = (
                "outside_jurisdiction",
                f"{code} 不在辖区内 (is outside your jurisdiction)",
                "",
            )
        elif known.mapping.check_region and code not in counties.known:
            reason, expected = "unknown_region", "GB/T 2260"
            message = f"区划代码 {code} 不存在 (no such region); 开发区等统计代码请改用所在县代码"
        else:
            continue
        issues += [
            Issue(int(n), "reject", "county_code", str(code), reason, message, expected)
            for n in rows.index[at]
        ]
    return issues


def _by_county(county: Floats) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Each county code that is stated, with the positions of its rows in their order."""
    stated = np.flatnonzero(~np.isnan(county))
    if not len(stated):  # of which numpy would make one group all the same
        return
    order = stated[np.argsort(county[stated], kind="stable")]
    different, starts = np.unique(county[order], return_index=True)
    yield from zip(different.astype(int).tolist(), np.split(order, starts[1:]), strict=True)


def _positions(
    rows: pd.DataFrame, counties: Counties, lon: Floats, lat: Floats, present: npt.NDArray[np.bool_]
) -> list[Issue]:
    issues: list[Issue] = []
    for code, at in _by_county(np.where(present, numeric(rows["county_code"]), np.nan)):
        if counties.shape(code) is None:
            continue
        out = at[~counties.inside(code, lon[at], lat[at])]
        if not len(out):
            continue
        near = counties.inside(code, lon[out], lat[out], near=True)
        name = counties.names.get(code, str(code))
        message = f"位置在{name}界外不足500 m，边界精度有限，请核对 (just outside the county: check)"
        issues += [_issue(rows, i, lon, lat, "warning", "near_border", message) for i in out[near]]
        issues += [_outside(rows, i, lon, lat, counties, code, name) for i in out[~near]]
    return issues


def _outside(
    rows: pd.DataFrame, i: int, lon: Floats, lat: Floats, counties: Counties, code: int, name: str
) -> Issue:
    """Far from its county: swapped, offset by an encrypted datum, or simply elsewhere."""
    x, y = float(lon[i]), float(lat[i])
    if counties.inside(code, np.array([y]), np.array([x]), near=True)[0]:
        return _issue(
            rows,
            i,
            lon,
            lat,
            "reject",
            "swapped_coordinates",
            f"经纬度颠倒，互换后位于{name} (longitude and latitude are swapped)",
        )
    west, east, south, north = NEAR_CHINA
    if west < x < east and south < y < north:
        for datum in ("GCJ-02", "BD-09"):
            moved = to_wgs84(x, y, datum)
            if counties.inside(code, np.array([moved[0]]), np.array([moved[1]]), near=True)[0]:
                return _issue(
                    rows,
                    i,
                    lon,
                    lat,
                    "reject",
                    "suspected_gcj02",
                    f"疑似 {datum} 坐标：转换后位于{name}；请在映射中声明 datum (looks like {datum}: declare it in the mapping)",
                )
    return _issue(
        rows,
        i,
        lon,
        lat,
        "reject",
        "outside_region",
        f"位置不在{name}（{code}）内 (the position is not in the stated county)",
    )


def _issue(
    rows: pd.DataFrame, i: int, lon: Floats, lat: Floats, severity: Any, reason: str, message: str
) -> Issue:
    return Issue(
        int(rows.index[i]), severity, "lon,lat", f"{lon[i]:.6f},{lat[i]:.6f}", reason, message, "CGCS2000"
    )


def volumes(rows: pd.DataFrame, annual: str, daily: str | None, flow: str | None) -> list[Issue]:
    """Contradictions between a row's own limits."""
    a = numeric(rows[annual])
    d = numeric(rows[daily]) if daily else np.full(len(rows), np.nan)
    f = numeric(rows[flow]) if flow else np.full(len(rows), np.nan)
    issues = []
    for i in np.flatnonzero(~np.isnan(a) & (~np.isnan(d) | ~np.isnan(f) | (a > 1e9))):
        bad = volume_problem(
            float(a[i]), None if np.isnan(d[i]) else float(d[i]), None if np.isnan(f[i]) else float(f[i])
        )
        if bad:
            issues.append(
                Issue(
                    int(rows.index[i]), "reject", annual, f"{a[i]:.6g}", bad.reason, bad.message, bad.expected
                )
            )
    return issues


def order_of_days(rows: pd.DataFrame, first: str, last: str) -> list[Issue]:
    """A term does not end before it begins."""
    return [
        Issue(
            int(n),
            "reject",
            last,
            str(b),
            "ends_before_it_begins",
            f"有效期止 {b} 早于起 {a} (the term ends before it begins)",
            f"≥ {a}",
        )
        for n, a, b in zip(rows.index, rows[first], rows[last], strict=True)
        if a is not None and b is not None and b < a
    ]


def length_of_terms(rows: pd.DataFrame, first: str, last: str) -> list[Issue]:
    """条例 25: a term is ten years at most. Old registers have longer ones: those are told, and taken."""
    return [
        Issue(
            int(n),
            "warning",
            last,
            str(b),
            "term_too_long",
            f"有效期 {a} 至 {b} 超过{LONGEST_YEARS}年〔条例25〕 (the term is longer than ten years)",
            f"≤ {after_years(a, LONGEST_YEARS)}",
        )
        for n, a, b in zip(rows.index, rows[first], rows[last], strict=True)
        if a is not None and b is not None and b > after_years(a, LONGEST_YEARS)
    ]
