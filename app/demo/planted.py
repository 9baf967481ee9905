"""Errors of the kinds that inspections find, put into the tables one a row, with the truth about each.

`reject` and `warning` say what the importer must answer, in which field and for which reason; `accept`
is odd but readable and must come in right; `unseen` no check of one file can know.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import geocoordinates_ffi as datums
import shapely

from app.demo import names
from app.demo.ground import Ground, anywhere
from app.demo.names import Rng
from app.demo.register import Register
from app.demo.tables import Expected, Row

NEAR_DEGREES = 0.005
"""The importer calls a position that lies so little outside its county `near_border`."""
PROJECTED, DECLARED_GCJ02 = 321012, 321081
"""Counties whose files have projected geometries, and positions in declared GCJ-02."""
GEOMETRIES = (321003, PROJECTED)


@dataclass(frozen=True)
class Around:
    """What spoiling a row may look at."""

    ground: Ground
    shape: Any
    neighbour: Ground
    register: Register
    as_of: date
    seed: int

    @cached_property
    def wide(self) -> Any:
        """The county and what the importer takes for its border's uncertainty."""
        return shapely.buffer(self.shape, NEAR_DEGREES, quad_segs=4)


Spoil = Callable[[Row, Rng, Around], tuple[str, str] | None]
"""Changes the row and returns what is written and what was meant; None if the row does not suit."""


@dataclass(frozen=True)
class Error:
    """A kind of error."""

    name: str
    expected: Expected
    field: str
    reason: str
    spoil: Spoil
    times: int = 1
    not_in: tuple[int, ...] = ()


def _set(heading: str, value: str) -> Spoil:
    def spoil(row: Row, random: Rng, around: Around) -> tuple[str, str]:
        meant, row.values[heading] = row.values[heading], value
        return value, meant

    return spoil


def _moved(row: Row, lon: float | None, lat: float | None) -> tuple[str, str]:
    meant = f"{row.lon},{row.lat}"
    row.lon, row.lat = lon, lat
    return "" if lon is None else f"{lon:.6f},{lat:.6f}", meant


def _typed(row: Row, lon: str, lat: str) -> tuple[str, str]:
    row.as_typed = (lon, lat)
    return f"{lon},{lat}", f"{row.lon},{row.lat}"


# ── positions ───────────────────────────────────────────────────────────────────────────────────────


def _swapped(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    return _moved(row, row.lat, row.lon)


def _zero(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    return _typed(row, "0", "0")


def _elsewhere(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    """A place well inside the neighbouring county."""
    return _moved(row, *anywhere(random, shapely.buffer(around.neighbour.inside, -0.02)))


def _at_the_office(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    """The county's government offices, where the holder's form was filled in."""
    lon, lat = around.ground.town_places[0]
    return _moved(row, round(float(lon), 6), round(float(lat), 6))


def _degrees_run_together(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    lon, lat = dms(float(row.lon or 0)), dms(float(row.lat or 0))
    return _typed(row, lon + lat, "")


def _sixty_minutes(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    lon = float(row.lon or 0)
    return _typed(
        row,
        f"{int(lon)}°{int(random.integers(60, 99))}′{int(random.integers(60))}″",
        dms(float(row.lat or 0)),
    )


def _whole_minutes(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
    lon, lat = float(row.lon or 0), float(row.lat or 0)
    cut = int(lon * 60) / 60, int(lat * 60) / 60
    if not shapely.contains_xy(around.ground.inside, *cut):
        return None
    return _typed(row, f"{int(lon)}°{int(lon * 60) % 60}′", f"{int(lat)}°{int(lat * 60) % 60}′")


def _in_datum(datum: str) -> Spoil:
    def spoil(row: Row, random: Rng, around: Around) -> tuple[str, str]:
        return _moved(row, *shifted(float(row.lon or 0), float(row.lat or 0), datum))

    return spoil


def _over_the_border(datum: str, wide: bool) -> Spoil:
    """A shift that leaves the county: beyond what the importer takes for the border's uncertainty, or within it."""

    def spoil(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
        there = shifted(float(row.lon or 0), float(row.lat or 0), datum)
        near = bool(shapely.contains_xy(around.wide, *there))
        if shapely.contains_xy(around.shape, *there) or near is wide:
            return None
        return _moved(row, *there)

    return spoil


def shifted(lon: float, lat: float, datum: str) -> tuple[float, float]:
    """The position in GCJ-02 or BD-09, as a phone would give it (six decimals)."""
    there = datums.wgs84_to_gcj02(datums.Wgs84(lon=lon, lat=lat))
    if datum == "BD-09":
        there = datums.gcj02_to_bd09(there)
    return round(float(there.lon), 6), round(float(there.lat), 6)


def dms(degrees: float) -> str:
    """119°26′30.25″."""
    hundredths = round(degrees * 360_000)
    return f"{hundredths // 360_000}°{hundredths // 6_000 % 60:02d}′{hundredths % 6_000 / 100:05.2f}″"


# ── values ──────────────────────────────────────────────────────────────────────────────────────────


def _wrong_check(heading: str) -> Spoil:
    def spoil(row: Row, random: Rng, around: Around) -> tuple[str, str]:
        meant = row.values[heading]
        others = names.ALPHABET.replace(meant[-1], "")
        row.values[heading] = meant[:-1] + names.pick(random, others)
        return row.values[heading], meant

    return spoil


def _times_10k(heading: str, bound: str, most: float) -> Spoil:
    """m³ written where 万m³ is meant (or the reverse of it); `bound` is the limit that shows it."""

    def spoil(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
        meant = row.values[heading]
        if not row.values[bound] or float(meant) > most:
            return None
        row.values[heading] = f"{float(meant) * 1e4:.0f}"
        return row.values[heading], meant

    return spoil


def _unbounded_times_10k(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
    meant = row.values["年最大取水量(万m³)"]
    if row.values["日最大取水量(万m³)"] or row.values["取水流量(m³/s)"] or not 0.005 < float(meant) < 0.2:
        return None
    row.values["年最大取水量(万m³)"] = f"{float(meant) * 1e4:.0f}"
    return row.values["年最大取水量(万m³)"], meant


def _by_10k(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
    meant = row.values["年取水量"]
    if float(meant) < 10_000:
        return None
    row.values["年取水量"] = f"{float(meant) / 1e4:.4f}"
    return row.values["年取水量"], meant


def _ended_yet_valid(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
    if row.values["许可状态"] != "有效":
        return None
    meant = row.values["有效期止"]
    last = around.as_of - timedelta(days=int(random.integers(30, 600)))
    row.values["有效期止"] = last.isoformat()
    row.values["有效期起"] = (last - timedelta(days=1824)).isoformat()
    return row.values["有效期止"], meant


def _term_reversed(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    first, last = row.values["有效期起"], row.values["有效期止"]
    row.values["有效期起"], row.values["有效期止"] = last, first
    return first, last


def _look_alike(heading: str) -> Spoil:
    def spoil(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
        meant = row.values[heading]
        if len(meant) < 12 or meant[0] not in "ABCD" or meant[7] != "G" or "；" in meant:
            return None
        row.values[heading] = f"{meant[:7]}6{meant[8:]}"
        return row.values[heading], meant

    return spoil


def _application(heading: str) -> Spoil:
    def spoil(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
        meant = row.values[heading]
        if not meant:
            return None
        row.values[heading] = f"（扬）申字〔{around.as_of.year - 1}〕第{int(random.integers(1, 999)):05d}号"
        return row.values[heading], meant

    return spoil


def _unreadable_number(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
    return _set("许可证编号", "见附件")(row, random, around) if row.values["许可证编号"] else None


def _renumbered(row: Row, random: Rng, around: Around) -> tuple[str, str] | None:
    """The intake still names the number that its permit had before renewal."""
    meant = row.values["许可证编号"]
    now = next((p for p in around.register.permits if p.number == meant and p.previous), None)
    if now is None:
        return None
    row.values["许可证编号"] = now.previous
    return now.previous, meant


def _nothing(row: Row, random: Rng, around: Around) -> tuple[str, str]:
    return "", ""


A, F = "annual_volume_m3", DECLARED_GCJ02
INTAKE_ERRORS = (
    Error("missing_coordinates", "reject", "lon", "missing_coordinate", lambda r, _, __: _moved(r, None, None), 3),
    Error("zero_coordinates", "reject", "lon,lat", "outside_region", _zero, not_in=GEOMETRIES),
    Error("swapped_coordinates", "reject", "lon,lat", "swapped_coordinates", _swapped, 2, not_in=(PROJECTED, F)),
    Error("run_together", "reject", "lon", "run_together", _degrees_run_together, not_in=GEOMETRIES),
    Error("sixty_minutes", "reject", "lon", "angle_out_of_range", _sixty_minutes, not_in=(*GEOMETRIES, F)),
    Error("whole_minutes", "warning", "lon", "coarse_angle", _whole_minutes, not_in=(*GEOMETRIES, F)),
    Error("another_county", "reject", "lon,lat", "outside_region", _elsewhere, 2),
    Error("office_not_intake", "unseen", "lon,lat", "", _at_the_office, 3),
    Error("gcj02", "unseen", "lon,lat", "", _in_datum("GCJ-02"), 2, not_in=(F,)),
    Error("bd09", "unseen", "lon,lat", "", _in_datum("BD-09"), 2, not_in=(F,)),
    Error("gcj02_at_border", "warning", "lon,lat", "near_border", _over_the_border("GCJ-02", False), not_in=(F,)),
    Error("bd09_at_border", "reject", "lon,lat", "suspected_gcj02", _over_the_border("BD-09", True), not_in=(F,)),
    Error("duplicate", "reject", "code", "duplicate", _nothing),
    Error("repeated", "warning", "code", "repeated", _nothing),
    Error("same_place", "warning", "lon,lat", "same_place", _nothing),
    Error("credit_code_typo", "reject", "uscc", "credit_code_check", _wrong_check("信用代码")),
    Error("development_zone_code", "reject", "county_code", "unknown_region", _set("区划代码", "321071")),
    Error("no_name", "reject", "name", "missing", _set("取水口名称", "")),
    Error("unknown_source", "reject", "source_type", "unknown_code", _set("水源类型", "江水")),
    Error("volume_in_words", "reject", A, "not_a_number", _set("年取水量", "约3万")),
    Error("unit_slip", "reject", A, "volume_exceeds_flow", _times_10k("年取水量", "设计流量", 2.9e6)),
    Error("unit_slip_unseen", "unseen", A, "", _by_10k),
    Error("renumbered_permit", "warning", "permit_nos", "permit_not_found", _renumbered, 2),
    Error("look_alike", "warning", "permit_nos", "permit_number_repaired", _look_alike("许可证编号")),
    Error("application_number", "warning", "permit_nos", "application_number", _application("许可证编号")),
    Error("unreadable_permit", "warning", "permit_nos", "bad_permit_number", _unreadable_number),
)  # fmt: skip
PERMIT_ERRORS = (
    Error("unit_slip", "reject", A, "volume_exceeds_daily", _times_10k("年最大取水量(万m³)", "日最大取水量(万m³)", 100.0)),
    Error("unit_slip_unseen", "unseen", A, "", _unbounded_times_10k),
    Error("expired_yet_valid", "unseen", "valid_to", "", _ended_yet_valid, 2),
    Error("term_reversed", "reject", "valid_to", "ends_before_it_begins", _term_reversed),
    Error("impossible_date", "reject", "valid_to", "impossible_date", _set("有效期止", "2027-02-30")),
    Error("credit_code_typo", "reject", "uscc", "credit_code_check", _wrong_check("统一社会信用代码")),
    Error("look_alike", "warning", "permit_no", "permit_number_repaired", _look_alike("许可证编号")),
    Error("application_number", "reject", "permit_no", "application_number", _application("许可证编号")),
    Error("duplicate", "reject", "permit_no", "duplicate", _nothing),
    Error("repeated", "warning", "permit_no", "repeated", _nothing),
    Error("no_holder", "reject", "holder_name", "missing", _set("取水权人", "")),
    Error("negative_volume", "reject", A, "negative", _set("年最大取水量(万m³)", "-1.2")),
    Error("no_volume", "unseen", A, "", _set("年最大取水量(万m³)", "")),
    Error("unknown_status", "reject", "status", "unknown_code", _set("许可状态", "正常")),
)  # fmt: skip
INDICATOR_ERRORS = (
    Error("no_value", "reject", "volume", "missing", _set("指标值(万m³)", "")),
    Error("development_zone_code", "reject", "region_code", "unknown_region", _set("区划代码", "321071")),
)
