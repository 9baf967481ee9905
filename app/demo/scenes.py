"""The demo's imagery in the pilot, and registered intakes at some of its ponds and fields.

The place is invented: fields in the east of 高邮, where no lake or river of the base map lies. What the
detection should make of each object follows from where the intakes were put, and goes into the truth file.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import shapely
from pyproj import Transformer
from shapely.geometry import shape

from app.demo import names, profiles
from app.demo.ground import Ground
from app.demo.register import Holder, Intake, Permit
from remote_sensing import demo_scene
from remote_sensing.evidence import volumes
from remote_sensing.options import Quotas, Reach
from remote_sensing.pipeline import Options

CRS = 4549  # CGCS2000, 3-degree zone of 120°E
COUNTY = 321084
WEST, NORTH, SIDE_M = 470_000.0, 3_640_000.0, 3_000.0
APART_M = 1_200.0
"""Nothing else of the register stands so near the scene: a field is served from up to 1 km."""
POND_VERDICTS = ("nobody", "unpermitted", "ample")
FIELD_VERDICTS = ("too small", "nobody", "ample", "nobody", "expired")
PERMITTED_M3 = {"ample": 90_000.0, "too small": 600.0, "expired": 60_000.0}


@dataclass(frozen=True)
class Planned:
    """The scenes on disk, what stands in the later one, and the rows of the register that were put there."""

    truth: list[dict[str, Any]]
    """One object each: kind, new, area_m2, lon, lat, expected, intakes."""
    permits: tuple[Permit, ...]
    intakes: tuple[Intake, ...]


def keep_out() -> Any:
    """The scene and what lies within reach of it, in EPSG:4490."""
    square = shapely.box(WEST, NORTH - SIDE_M, WEST + SIDE_M, NORTH)
    back = Transformer.from_crs(CRS, 4490, always_xy=True)
    return shapely.transform(
        shapely.buffer(square, APART_M),
        lambda xy: shapely.get_coordinates(shapely.points(*back.transform(*xy.T))),
    )


def make(folder: Path, ground: Ground, seed: int, as_of: date) -> Planned:
    """Write both dates to `folder` and put intakes at some of their objects."""
    made = demo_scene.make(folder, f"EPSG:{CRS}", WEST, NORTH)
    there = Transformer.from_crs(4490, CRS, always_xy=True)
    objects = [_object(feature, there) for feature in made.truth]
    permits: list[Permit] = []
    intakes: list[Intake] = []
    spots: list[tuple[Any, str, Intake, float]] = []
    for kind, verdicts in (("water_body", POND_VERDICTS), ("irrigated_land", FIELD_VERDICTS)):
        apart = APART_M if kind == "irrigated_land" else 0.0
        chosen = sorted((o for o in objects if o["kind"] == kind), key=lambda o: -float(o["area_m2"]))
        turn = 0
        for one in chosen:
            near = any(shapely.distance(one["metric"], spot) < apart for spot, k, *_ in spots if k == kind)
            if near:
                continue
            verdict = verdicts[turn % len(verdicts)]
            turn += 1
            if verdict == "nobody":
                continue
            permit, intake, spot = _beside(one, verdict, ground, seed, as_of, len(intakes))
            intakes.append(intake)
            permits += [permit] if permit else []
            in_force = PERMITTED_M3[verdict] if verdict in ("ample", "too small") else -1.0
            spots.append((spot, kind, intake, in_force))
    truth = [_expected(one, spots) for one in objects]
    return Planned(truth, tuple(permits), tuple(intakes))


def _object(feature: dict[str, Any], there: Transformer) -> dict[str, Any]:
    outline = shape(feature["geometry"])
    point = shapely.point_on_surface(outline)
    metric = shapely.transform(
        outline, lambda xy: shapely.get_coordinates(shapely.points(*there.transform(*xy.T)))
    )
    facts = feature["properties"]
    return {
        **facts,
        "lon": round(float(point.x), 6),
        "lat": round(float(point.y), 6),
        "metric": metric,
    }


def _beside(
    one: dict[str, Any], verdict: str, ground: Ground, seed: int, as_of: date, number: int
) -> tuple[Permit | None, Intake, Any]:
    """An intake at the object: a pump at a pond's edge, a well in a field."""
    random = names.rng(seed, "scene", number)
    pond = one["kind"] == "water_body"
    by_name = {p.name: p for p in profiles.PROFILES}
    profile = (
        by_name["fishery"] if pond else replace(by_name["village well"], purpose="农业灌溉", industry="0511")
    )
    spot = shapely.point_on_surface(one["metric"])
    if pond:
        spot = shapely.shortest_line(shapely.boundary(one["metric"]), spot).interpolate(0)
    lon, lat = Transformer.from_crs(CRS, 4490, always_xy=True).transform(spot.x, spot.y)
    town = ground.town_of(lon, lat)
    village = f"{town}{names.place_name(random)}村"
    holder = Holder(f"{village}股份经济合作社", names.credit_code(random, "N2", ground.code))
    volume = PERMITTED_M3.get(verdict, 8_000.0)
    permit = None
    if verdict != "unpermitted":
        last = as_of + timedelta(days=900) if verdict != "expired" else as_of - timedelta(days=400)
        letter = "S" if pond else "G"
        first = last - timedelta(days=1824)
        permit = Permit(
            names.permit_number("D", ground.code, letter, first, 900 + number), "",
            "有效" if verdict != "expired" else "到期", "发放", holder, ground.code, f"{ground.name}水利局", "D", profile,
            profile.industry, volume, volume / 90, None, first, last, town, fixed=True,
        )  # fmt: skip
    intake = Intake(
        f"{ground.code}8{number:05d}", f"{village}{'养殖取水口' if pond else '灌溉井'}", holder, ground.code, town,
        round(lon, 7), round(lat, 7), profile, profile.industry, f"{village}鱼塘" if pond else "", "其他" if pond else "",
        volume, None, None if pond else 45.0, "" if pond else "浅层地下水", "在用", as_of - timedelta(days=3000),
        (permit.number,) if permit else (), "" if permit else "无证", fixed=True,
    )  # fmt: skip
    return permit, intake, spot


def _expected(one: dict[str, Any], spots: list[tuple[Any, str, Intake, float]]) -> dict[str, Any]:
    """What the detection should say of an object, from the intakes that could serve it."""
    reach, options, pond = Reach(), Options(), one["kind"] == "water_body"
    least = options.min_water_m2 if pond else options.min_field_m2
    serving = []
    for spot, kind, intake, in_force in spots:
        # The ponds' intakes are of fisheries, which water no field, and wells fill no pond.
        far = reach.water_m if pond else reach.well_m
        if kind == one["kind"] and shapely.distance(one["metric"], spot) <= far + demo_scene.PIXEL_M:
            serving.append((intake, in_force))
    permitted = [in_force for _, in_force in serving if in_force >= 0]
    if one["area_m2"] < least:
        expected = "below_smallest_area"
    elif not serving:
        expected = "new_since_last_date" if one["new"] else "no_intake"
    elif not permitted:
        expected = "no_valid_permit"
    elif sum(permitted) < volumes(one["kind"], one["area_m2"], Quotas())[0]:
        expected = "permit_too_small"
    else:
        expected = "explained"
    facts = {name: one[name] for name in ("kind", "new", "area_m2", "lon", "lat")}
    return {**facts, "expected": expected, "intakes": [intake.code for intake, _ in serving]}
