"""The base map's rivers and lakes, and the names of basin agencies and water-resource zones.

No free outline of basins or zones is known, so both have names and codes only (domain facts: seven agencies;
ten first-level zones, letters A–K without I); an operator imports their shapes. Which agency a zone of
西南诸河 or 西北诸河 belongs to is left open.
"""

from typing import Any

import psycopg
import shapely

from app.demo.sources import Waters
from app.regions.codes import BASINS

AGENCIES_EN = (
    "Changjiang", "Yellow River", "Huaihe River", "Haihe River", "Pearl River", "Songliao", "Taihu Basin",
)  # fmt: skip
ZONES = (
    ("A", "松花江区", 6), ("B", "辽河区", 6), ("C", "海河区", 4), ("D", "黄河区", 2), ("E", "淮河区", 3),
    ("F", "长江区", 1), ("G", "东南诸河区", 7), ("H", "珠江区", 5), ("J", "西南诸河区", None), ("K", "西北诸河区", None),
)  # fmt: skip


def write(connection: psycopg.Connection[Any], waters: Waters) -> None:
    """Fill the base map's tables anew, in the caller's transaction."""
    for table, frame, wrap in (
        ("hydro_lines", waters.lines, "MultiLineString"),
        ("hydro_areas", waters.areas, "MultiPolygon"),
    ):
        connection.execute(f"delete from shuitu.{table}".encode())
        shapes = [_multi(shape, wrap) for shape in frame["geometry"]]
        with (
            connection.cursor() as cursor,
            cursor.copy(f"copy shuitu.{table} (name, rank, geom) from stdin".encode()) as copy,
        ):
            for name, rank, shape in zip(frame["name"], frame["rank"], shapes, strict=True):
                copy.write_row((name, int(rank), shapely.to_wkb(shape, hex=True, include_srid=True)))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into shuitu.basin_agencies (id, code, name, name_en) values (%s, %s, %s, %s) on conflict do nothing",
            [
                (int(number), number, names[0], f"{english} Water Resources Commission")
                for (number, names), english in zip(BASINS.items(), AGENCIES_EN, strict=True)
            ],
        )
        cursor.executemany(
            "insert into shuitu.water_resource_zones (code, name, level, basin_id) values (%s, %s, 1, %s) on conflict do nothing",
            [(f"{letter}000000", name, agency) for letter, name, agency in ZONES],
        )


def _multi(shape: Any, kind: str) -> Any:
    if shape.geom_type == kind:
        return shapely.set_srid(shape, 4490)
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == kind.removeprefix("Multi")]
    make = shapely.MultiPolygon if kind == "MultiPolygon" else shapely.MultiLineString
    return shapely.set_srid(make(parts), 4490)
