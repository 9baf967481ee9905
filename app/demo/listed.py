"""证照取水口: the pilot's permits as the permits themselves list their intakes, written by other people on other days.

A permit names its intakes by place and number rather than as the field register did, its positions are some tens of metres
off, some hundreds, or missing, and a few list an intake that nobody found: what the linkage is for.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely

from app.demo import names
from app.demo.ground import Ground
from app.demo.names import Rng
from app.demo.register import Intake, Permit, Register
from app.demo.sources import Boundaries
from app.demo.tables import NOTE, Row, Table

METRES_A_DEGREE = 111_320.0
WITHOUT_POSITION, FAR_OFF, NOWHERE = 0.12, 0.1, 0.04
"""Parts of the points without a position and hundreds of metres off, and of the permits that list one more."""


def tables(
    made: Register,
    permits: Mapping[int, Table],
    grounds: Mapping[int, Ground],
    boundaries: Boundaries,
    seed: int,
) -> dict[int, Table]:
    """Each county's listed intakes, of the permits whose rows are as they should be and that have not ended."""
    sound = {number for table in permits.values() for number in numbers_without_error(table)}
    under: dict[str, list[Intake]] = defaultdict(list)
    for intake in made.intakes:
        for number in intake.permits:
            under[number].append(intake)
    found = {code: Table("permit_points", code, ground.name, []) for code, ground in grounds.items()}
    for code in grounds:
        random, shape = names.rng(seed, "listed", code), boundaries.shape(code)
        for permit in made.permits:
            if (
                permit.county == code
                and permit.number in sound
                and permit.status in ("有效", "到期", "办理中")
            ):
                found[code].rows += _points(random, permit, under[permit.number], shape)
    return found


def numbers_without_error(table: Table) -> set[str]:
    """Permit numbers of a table in none of whose rows something was planted."""
    spoiled = {row.values["许可证编号"] for row in table.rows if row.planted}
    return {row.values["许可证编号"] for row in table.rows} - spoiled


def _points(random: Rng, permit: Permit, intakes: Sequence[Intake], shape: Any) -> list[Row]:
    rows = []
    total = sum(one.annual_m3 for one in intakes) or 1.0
    for number, intake in enumerate(intakes, 1):
        place = _position(random, intake, shape)
        volume = permit.annual_m3 * intake.annual_m3 / total
        rows.append(_row(permit, number, _name(random, intake, number), place, volume))
    if random.random() < NOWHERE and intakes:
        rows.append(_row(permit, len(rows) + 1, f"{permit.town}{len(rows) + 1}号备用取水口", None, 0.0))
    return rows


def _row(permit: Permit, number: int, name: str, place: tuple[float, float] | None, volume_m3: float) -> Row:
    return Row(
        {
            "许可证编号": permit.number,
            "序号": str(number),
            "取水口名称": name,
            "取水地点": permit.town,
            "经度": f"{place[0]:.6f}" if place else "",
            "纬度": f"{place[1]:.6f}" if place else "",
            "水源类型": permit.profile.source,
            "取水用途": permit.profile.purpose,
            "年最大取水量(万m³)": f"{volume_m3 / 1e4:.4f}" if volume_m3 else "",
            "数据说明": NOTE,
        }
    )


def _name(random: Rng, intake: Intake, number: int) -> str:
    """As a permit writes it: as the register does, or by the holder or the place and a number."""
    way = random.random()
    if way < 0.55:
        return intake.name
    if way < 0.8:
        return f"{intake.holder.name}{number}号取水口"
    return f"{intake.town}{intake.water or ''}取水口{'一二三四五六七八九十'[(number - 1) % 10]}"


def _position(random: Rng, intake: Intake, shape: Any) -> tuple[float, float] | None:
    if random.random() < WITHOUT_POSITION:
        return None
    away = random.uniform(150, 600) if random.random() < FAR_OFF else abs(random.normal(0, 35))
    angle = random.uniform(0, 2 * math.pi)
    lat = intake.lat + away * math.sin(angle) / METRES_A_DEGREE
    lon = intake.lon + away * math.cos(angle) / METRES_A_DEGREE / math.cos(math.radians(lat))
    # Rounded as it will be written; one that would come to lie across the border is left out.
    inside = shapely.contains_xy(shape, *np.round([lon, lat], 6))
    return (lon, lat) if inside else None
