"""A small invented county for the browser's tests: regions, intakes, permits, indicators, a scene, candidates."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import rasterio
from PIL import Image, ImageDraw
from rasterio.transform import from_origin
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.access import service as access
from app.actor import Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.imagery import service as imagery
from layers import catalog
from tiles import publish, shapes

PASSWORD = "west-canal-2026"
INTAKES = 240
STATES = ("linked", "linked", "linked", "unpermitted", "pending", "exempt", "ended", "linked")
SOURCES = ("surface_water", "groundwater", "surface_water", "unconventional_water", "groundwater")
VOLUMES = (4_200.0, 38_000.0, 412_345.6, 5_800_000.0, 9_100.0)
CANDIDATES = (
    ("water_body", "no_intake", 0.93),
    ("irrigated_land", "no_valid_permit", 0.81),
    ("water_body", "new_since_last_date", 0.74),
    ("irrigated_land", "permit_too_small", 0.52),
)
REGIONS = (
    (320000, "江苏省", 1, None, (118.9, 32.0, 120.1, 33.3)),
    (321000, "扬州市", 2, 320000, (119.0, 32.2, 119.9, 33.2)),
    (321002, "广陵区", 3, 321000, (119.40, 32.25, 119.60, 32.55)),
    (321003, "邗江区", 3, 321000, (119.15, 32.25, 119.40, 32.65)),
    (321084, "高邮市", 3, 321000, (119.20, 32.65, 119.80, 33.05)),
)
POND = (119.5006, 32.7994)
"""The north-western corner of the scene; the first candidate lies in it."""


def fill(services: Services, folder: Path) -> None:
    """Write the whole world through the owner of facts, then bring the map tables up to it."""
    (folder / "chips").mkdir(parents=True, exist_ok=True)
    with transaction(services.engine, system("world")) as session:
        _regions(session)
        _water(session)
        _intakes(session)
        _permits(session)
        _crowd(session)
        _accounts(session)
        scenes = _scenes(session, folder)
        _candidates(session, folder, scenes)
        driver: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
        shapes.rebuild_shapes(driver)
        for layer in ("intakes", "permits"):
            publish.rebuild(driver, catalog.load()[layer])


def _box(w: float, s: float, e: float, n: float) -> str:
    return f"SRID=4490;MULTIPOLYGON((({w} {s},{e} {s},{e} {n},{w} {n},{w} {s})))"


def _regions(session: Session) -> None:
    for code, name, level, parent, box in REGIONS:
        session.execute(
            text(
                "insert into shuitu.regions (code, name, level, parent_code, geom, label) "
                "values (:code, :name, :level, :parent, :geom, st_pointonsurface(cast(:geom as geometry)))"
            ),
            {"code": code, "name": name, "level": level, "parent": parent, "geom": _box(*box)},
        )
    for code, cap in ((321002, 2.1e8), (321003, 4.0e7), (321084, 6.5e8)):
        session.execute(
            text(
                "insert into shuitu.control_indicators (region_code, kind, level_year, value, unit, document_no) "
                "values (:code, 'total_use_cap', 2025, :cap, 'm3', '扬水资〔2022〕8号')"
            ),
            {"code": code, "cap": cap},
        )


def _water(session: Session) -> None:
    session.execute(
        text("insert into shuitu.hydro_areas (name, geom) values ('高邮湖', cast(:geom as geometry))"),
        {
            "geom": "SRID=4490;MULTIPOLYGON(((119.2 32.7,119.32 32.68,119.36 32.8,119.3 32.98,119.22 32.95,119.2 32.7)))"
        },
    )
    session.execute(
        text("insert into shuitu.hydro_lines (name, geom) values ('京杭大运河', cast(:geom as geometry))"),
        {
            "geom": "SRID=4490;MULTILINESTRING((119.42 32.25,119.45 32.45,119.44 32.66,119.47 32.8,119.43 33.05))"
        },
    )


def _places() -> Iterator[tuple[int, float, float, int]]:
    random = np.random.default_rng(7)
    counties = [region for region in REGIONS if region[2] == 3]
    for number in range(1, INTAKES + 1):
        code, _, _, _, (w, s, e, n) = counties[number % 3]
        lon, lat = random.uniform(w + 0.01, e - 0.01), random.uniform(s + 0.01, n - 0.01)
        yield number, float(lon), float(lat), code


def _intakes(session: Session) -> None:
    session.execute(
        text(
            "insert into shuitu.intakes (code, name, holder_name, county_code, place, source_type, water_body, purpose, "
            "permit_state, status, annual_volume_m3, geom) values (:code, :name, :holder, :county, :place, :source, :water, "
            ":purpose, :state, 'in_use', :volume, st_setsrid(st_makepoint(:lon, :lat), 4490))"
        ),
        [
            {
                "code": f"QSK{number:06d}",
                "name": f"第{number}号提水站",
                "holder": f"运河灌区{number % 9 + 1}分区管理所",
                "county": county,
                "place": "临泽镇",
                "source": SOURCES[number % 5],
                "water": "京杭大运河",
                "purpose": "irrigation" if number % 2 else "industry",
                "state": STATES[number % 8],
                "volume": VOLUMES[number % 5] if number % 11 else None,
                "lon": lon,
                "lat": lat,
            }
            for number, lon, lat, county in _places()
        ],
    )


CROWD = (114.2, 30.5)
"""Too many intakes for one tile, in no region of this world: overview cells stand for them."""
CROWDED = 12_000


def _crowd(session: Session) -> None:
    session.execute(
        text(
            "insert into shuitu.intakes (code, name, holder_name, county_code, place, source_type, water_body, purpose, "
            "permit_state, status, annual_volume_m3, geom) select 'MANY' || g, '第' || g || '口井', '示例户', 420106, '', "
            "'groundwater', '', 'irrigation', case when g % 4 = 0 then 'unpermitted' else 'linked' end, 'in_use', 1000, "
            "st_setsrid(st_makepoint(:lon + (g % 110) * 0.004, :lat + g / 110 * 0.004), 4490) "
            "from generate_series(1, :n) g"
        ),
        {"n": CROWDED, "lon": CROWD[0], "lat": CROWD[1]},
    )


def _permits(session: Session) -> None:
    session.execute(
        text(
            "insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, issuing_authority, "
            "source_type, purpose, annual_volume_m3, valid_from, valid_to) "
            "select 'D' || county_code || 'S2024-' || lpad(id::text, 4, '0'), 'D' || county_code || 'S2024-' || lpad(id::text, 4, '0'), "
            "'valid', holder_name, county_code, '扬州市水利局', source_type, purpose, coalesce(annual_volume_m3, 12000), "
            "'2024-01-01', '2028-12-31' from shuitu.intakes where permit_state = 'linked'"
        )
    )
    session.execute(
        text(
            "insert into shuitu.permit_intakes (permit_id, intake_id, county_code) select p.id, i.id, i.county_code "
            "from shuitu.permits p join shuitu.intakes i on p.permit_no = 'D' || i.county_code || 'S2024-' || lpad(i.id::text, 4, '0')"
        )
    )
    session.execute(
        text(
            "insert into shuitu.permit_limits (permit_id, version, seq, period, source_type, purpose, annual_m3, county_code) "
            "select id, 1, 1, '05-01/09-30', source_type, purpose, annual_volume_m3 * 0.8, county_code from shuitu.permits"
        )
    )


def _accounts(session: Session) -> None:
    yangzhou = Jurisdiction.of_region("321000")
    access.add_user(session, "admin", PASSWORD, Role.ADMIN, yangzhou, "管理员")
    access.add_user(session, "yangzhou", PASSWORD, Role.OFFICER, yangzhou, "扬州市水利局")
    access.add_user(session, "nation", PASSWORD, Role.ADMIN, Jurisdiction.nation(), "水利部")
    access.add_user(session, "analyst", PASSWORD, Role.ANALYST, yangzhou, "影像分析员")
    access.add_user(session, "basin", PASSWORD, Role.OFFICER, Jurisdiction.of_basin(3), "淮河水利委员会")


def _scenes(session: Session, folder: Path) -> list[int]:
    """Two dates of one place: bare land, then a pond in it."""
    ids: list[int] = []
    for when, pond in (("2024-05-12", False), ("2026-05-17", True)):
        y, x = np.mgrid[0:160, 0:160]
        wet = ((x - 70) ** 2 + (y - 60) ** 2 < 26**2) & pond
        bands = {
            "blue": np.where(wet, 900, 700 + 3 * y),
            "green": np.where(wet, 800, 900 + 2 * x),
            "red": np.where(wet, 500, 800 + 2 * x),
            "nir": np.where(wet, 250, 2600 - 4 * y),
        }
        path = folder / f"scene-{when}.tif"
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=160,
            height=160,
            count=4,
            dtype="uint16",
            crs="EPSG:4326",
            transform=from_origin(*POND, 1e-4, 1e-4),
        ) as raster:
            for index, (name, band) in enumerate(bands.items(), 1):
                raster.write(band.astype("uint16"), index)
                raster.set_band_description(index, name)
            raster.update_tags(TIFFTAG_DATETIME=when.replace("-", ":") + " 10:30:00")
        ids += imagery.add_scenes(session, system("world"), path)
        session.execute(
            text(
                "update shuitu.scenes set acquired_at = cast(:at as timestamptz), sensor = 'Sentinel-2' where id = :id"
            ),
            {"at": f"{when}T02:40:00Z", "id": ids[-1]},
        )
    return ids


def _candidates(session: Session, folder: Path, scenes: list[int]) -> None:
    run = session.execute(
        text(
            "insert into shuitu.detection_runs (scene_ids, state, progress, method, actor_name, scope_lo, scope_hi) "
            "values (:scenes, 'done', 1, '水体与植被比对', 'analyst', 0, 1000000) returning id"
        ),
        {"scenes": scenes},
    ).scalar_one()
    for which, colour in (("before", "#8a8f5a"), ("after", "#33566e")):
        picture = Image.new("RGB", (256, 256), "#8a8f5a")
        ImageDraw.Draw(picture).ellipse((70, 60, 180, 170), fill=colour)
        picture.save(folder / "chips" / f"{which}.png")
    nearest = session.execute(
        text("select id from shuitu.intakes where county_code = 321084 order by id limit 1")
    ).scalar_one()
    previous, newest = (
        session.execute(text("select item_id from shuitu.scenes where id = :id"), {"id": scene}).scalar_one()
        for scene in scenes
    )
    for number, (kind, category, score) in enumerate(CANDIDATES):
        lon, lat = POND[0] + 0.004 + 0.004 * number, POND[1] - 0.009
        session.execute(
            text(
                "insert into shuitu.candidates (run_id, code, kind, category, score, area_m2, volume_m3, volume_lo_m3, volume_hi_m3, "
                "county_code, acquired_at, nearest_intake_id, nearest_intake_m, evidence, reasons, chip_before, chip_after, "
                "generated, geom) values (:run, :code, :kind, :category, :score, 18300, 27450, 9100, 54900, 321084, "
                "'2026-05-17T02:40:00Z', :nearest, 1234.5, cast(:evidence as jsonb), cast(:reasons as jsonb), 'chips/before.png', "
                "'chips/after.png', true, cast(:geom as geometry))"
            ),
            {
                "run": run,
                "code": f"YG-{number + 1:06d}",
                "kind": kind,
                "category": category,
                "score": score,
                "nearest": nearest,
                "evidence": json.dumps(
                    {"area_m2": 18300.0, "pixels": 183, "water_index": 0.41, "at_edge": False}
                    | {"scene": newest, "previous": previous}
                ),
                "reasons": json.dumps(
                    [
                        {
                            "code": "no_intake_near",
                            "zh": "800 m 范围内没有登记的取水口",
                            "en": "No intake is registered within 800 m",
                        }
                    ],
                    ensure_ascii=False,
                ),
                "geom": _box(lon, lat, lon + 0.0028, lat + 0.0024),
            },
        )
