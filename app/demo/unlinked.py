"""Entries of the pilot's register whose permit nobody wrote down: the linkage finds it, or leaves it to a person."""

import math
from collections.abc import Iterable, Mapping

import shapely

from app.demo import names
from app.demo.ground import M_PER_DEGREE, Ground
from app.demo.names import Rng
from app.demo.planting import GREAT
from app.demo.tables import Row, Table

FORGOTTEN = 0.35
"""Part of the entries that have a permit and do not say which; a guess of 2026-11."""
MUDDLED = 0.5
"""Part of these that were also entered by hearsay: so the desk has lines that only a person can decide."""
ASIDE_M = (120.0, 420.0)


def forget(tables: Iterable[Table], grounds: Mapping[int, Ground], seed: int) -> None:
    """Leave out the permit numbers of some rows in which no error is planted, and which no scene counts on."""
    for table in tables:
        random = names.rng(seed, "forgotten", table.county)
        for row in table.rows:
            forgotten, muddled = random.random() < FORGOTTEN, random.random() < MUDDLED
            if forgotten and not (row.planted or row.fixed or float(row.values["年取水量"]) > GREAT):
                row.values["许可证编号"] = ""
                if muddled:
                    _muddle(row, grounds[table.county], random)


def _muddle(row: Row, ground: Ground, random: Rng) -> None:
    """A name that fits any intake of the place, a holder known by half, a position of the next lane."""
    if row.lon is None or row.lat is None:
        return
    values = row.values
    values["取水口名称"] = f"{values['乡镇']}取水点"
    values["信用代码"] = ""
    values["取用水户"] = values["取用水户"].removeprefix("扬州").removesuffix("有限公司")
    for _ in range(8):
        away, towards = random.uniform(*ASIDE_M), random.uniform(0, 2 * math.pi)
        lat = row.lat + away * math.sin(towards) / M_PER_DEGREE
        lon = row.lon + away * math.cos(towards) / M_PER_DEGREE / math.cos(math.radians(lat))
        if shapely.contains_xy(ground.inside, lon, lat):
            row.lon, row.lat = lon, lat
            return
