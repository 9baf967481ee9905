"""OGC API – Features – Part 2 (18-058r1), class CRS: one test a requirement."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pyproj
import pytest
from fastapi.testclient import TestClient

from layers import catalog
from layers.crs import CRS84_URI, EPSG, covering, known
from tests.served import Accounts, place_of

Get = Callable[..., Any]
Status = Callable[..., int]
ITEMS = "/collections/intakes/items"
ZONE, NUMBERED = f"{EPSG}4549", f"{EPSG}4528"
"""Central meridian 120°E, without and with the zone's number before the easting."""


def lonlat(code: str) -> tuple[float, float]:
    _, lon, lat = place_of(int(code.split("-")[1]))
    return lon, lat


@cache
def transformer(uri: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs("EPSG:4490", f"EPSG:{uri.removeprefix(EPSG)}")


def authority(uri: str, lon: float, lat: float) -> tuple[float, float]:
    """The coordinates in the axis order of the authority, by PROJ."""
    x, y = transformer(uri).transform(lat, lon)
    return x, y


def test_crs_fc_md_crs_list_the_default_is_listed_first_and_zones_cover_the_data(get: Get) -> None:
    for layer in catalog.load():
        listed = get(f"/collections/{layer}")["crs"]
        assert listed[0] == CRS84_URI
        assert {f"{EPSG}{code}" for code in (4326, 4490, 3857)} <= set(listed)
    assert {ZONE, NUMBERED} <= set(get("/collections/regions")["crs"])
    assert f"{EPSG}4535" not in get("/collections/regions")["crs"]  # 78°E: no data there


def test_crs_fc_md_storage_crs_is_one_of_the_list(get: Get) -> None:
    for one in get("/collections")["collections"]:
        assert one["storageCrs"] == f"{EPSG}4490"
        assert one["storageCrs"] in one["crs"]


def test_crs_crs_uri_each_listed_system_is_known_to_proj_with_the_axes_that_we_say() -> None:
    for uri, crs in known().items():
        if uri == CRS84_URI:
            continue
        north_first = pyproj.CRS.from_epsg(int(uri.removeprefix(EPSG))).axis_info[0].direction == "north"
        assert north_first == crs.swapped
    assert [crs.meridian for crs in covering((119.0, 31.0, 121.0, 34.0)) if crs.meridian] == [120, 120]


@pytest.mark.parametrize("uri", [f"{EPSG}4326", f"{EPSG}4490", f"{EPSG}3857", ZONE, NUMBERED])
def test_crs_fc_crs_action_the_known_point_lies_where_the_authority_says(get: Get, uri: str) -> None:
    # The two intakes at 180° are left out by the box: no zone reaches there.
    feature = get(ITEMS, crs=uri, code="QSK-0007")["features"][0]
    expected = authority(uri, *lonlat("QSK-0007"))
    assert feature["geometry"]["coordinates"] == pytest.approx(
        expected, abs=2e-3 if max(expected) > 180 else 1e-7
    )
    one = get(f"{ITEMS}/{feature['id']}", crs=uri)
    assert one["geometry"] == feature["geometry"]


def test_crs_fc_crs_action_polygons_come_in_the_system_asked_for(get: Get) -> None:
    county = get("/collections/regions/items", code="321002", crs=ZONE)["features"][0]
    for northing, easting in county["geometry"]["coordinates"][0][0]:
        assert 3_500_000 < northing < 3_800_000
        assert 400_000 < easting < 500_000
    numbered = get("/collections/regions/items", code="321002", crs=NUMBERED)["features"][0]
    assert 40_400_000 < numbered["geometry"]["coordinates"][0][0][0][1] < 40_500_000


def test_crs_fc_crs_default_value_is_crs84(client: TestClient, get: Get) -> None:
    assert client.get(f"/ogc{ITEMS}").headers["content-crs"] == f"<{CRS84_URI}>"
    assert get(ITEMS, code="QSK-0007") | {"links": 0, "features": 0} == get(
        ITEMS, code="QSK-0007", crs=CRS84_URI
    ) | {
        "links": 0,
        "features": 0,
    }
    assert get(ITEMS, code="QSK-0007")["features"] == get(ITEMS, code="QSK-0007", crs=CRS84_URI)["features"]


@pytest.mark.parametrize("name", ["crs", "bbox-crs", "filter-crs"])
@pytest.mark.parametrize(
    "uri",
    [f"{EPSG}4535", f"{EPSG}27700", "EPSG:4326", "4326", "", "http://www.opengis.net/def/crs/OGC/1.3/CRS83"],
)
def test_crs_fc_crs_valid_value_and_bbox_crs_valid_value_others_are_a_400(
    status: Status, name: str, uri: str
) -> None:
    assert status("/collections/regions/items", **{name: uri}) == 400
    if name == "crs":
        assert status("/collections/regions/items/1", crs=uri) == 400


def test_crs_crs_exception_and_bbox_crs_exception_tell_what_is_wrong(client: TestClient) -> None:
    for name in ("crs", "bbox-crs"):
        body = client.get(f"/ogc{ITEMS}", params={name: "urn:x"}).json()
        assert name in body["detail"]


def box_of(uri: str, corners: tuple[float, float, float, float]) -> str:
    """The box around these two places, in the axis order of the authority."""
    if uri == CRS84_URI:
        return ",".join(map(str, corners))
    a, b = authority(uri, corners[0], corners[1]), authority(uri, corners[2], corners[3])
    return f"{min(a[0], b[0])},{min(a[1], b[1])},{max(a[0], b[0])},{max(a[1], b[1])}"


@pytest.mark.parametrize("uri", [CRS84_URI, f"{EPSG}4326", f"{EPSG}4490", f"{EPSG}3857", ZONE, NUMBERED])
def test_crs_fc_bbox_crs_action_a_box_finds_what_lies_in_it_in_its_own_system(get: Get, uri: str) -> None:
    corners = (119.05, 32.1, 119.1, 32.4)
    box = box_of(uri, corners)
    found = get(ITEMS, bbox=box, **{"bbox-crs": uri, "limit": 1000})["features"]
    lows_highs = [float(part) for part in box.split(",")]
    expected = [
        i
        for i in range(1, 319)
        for x, y in [authority(uri, *lonlat(f"QSK-{i:04}")) if uri != CRS84_URI else lonlat(f"QSK-{i:04}")]
        if lows_highs[0] <= x <= lows_highs[2] and lows_highs[1] <= y <= lows_highs[3]
    ]
    assert sorted(int(f["properties"]["code"][4:]) for f in found) == expected
    assert len(expected) > 10


def test_crs_fc_bbox_crs_default_value_is_crs84(get: Get) -> None:
    box = "119.05,32.1,119.1,32.4"
    assert get(ITEMS, bbox=box)["features"] == get(ITEMS, bbox=box, **{"bbox-crs": CRS84_URI})["features"]


def test_crs_fc_bbox_crs_definition_boxes_with_heights_and_across_180_keep_the_axes(get: Get) -> None:
    across = get(ITEMS, bbox="0,170,20,-170", **{"bbox-crs": f"{EPSG}4326"})["features"]
    assert [f["properties"]["code"] for f in across] == ["QSK-0319", "QSK-0320"]
    flat = get(ITEMS, bbox="32.1,119.05,32.4,119.1", **{"bbox-crs": f"{EPSG}4490"})["features"]
    high = get(ITEMS, bbox="32.1,119.05,-5,32.4,119.1,5", **{"bbox-crs": f"{EPSG}4490"})["features"]
    assert flat == high


@pytest.mark.parametrize("box", ["5,0,1,9", "1e30,1e30,2e30,2e30", "0,0,1e300,1e300"])
def test_crs_boxes_that_are_none_in_their_system_are_refused_or_find_nothing(
    status: Status, get: Get, box: str
) -> None:
    assert status(ITEMS, bbox=box, **{"bbox-crs": ZONE}) in (200, 400)
    assert status(ITEMS, bbox="9,0,1,9", **{"bbox-crs": f"{EPSG}3857"}) == 400


def test_crs_fc_crs_definition_a_feature_too_far_from_the_zone_is_a_400_and_never_a_500(
    status: Status,
) -> None:
    # The intakes on either side of 180° lie 60 degrees from the zone's meridian.
    assert status(ITEMS, crs=ZONE, limit=1000) in (200, 400)


def test_crs_ogc_crs_header_and_value_every_answer_with_coordinates_says_its_system(
    client: TestClient, keys: Accounts
) -> None:
    headers = {"X-API-Key": keys.nation}
    for path in (
        ITEMS,
        f"{ITEMS}/1",
        f"{ITEMS}?f=jsonfg",
        f"{ITEMS}?f=csv",
        f"{ITEMS}?f=fgb",
        f"{ITEMS}?f=parquet",
    ):
        for uri in (CRS84_URI, f"{EPSG}4490"):
            answer = client.get(f"/ogc{path}", params={"crs": uri}, headers=headers)
            assert answer.headers["content-crs"] == f"<{uri}>"
            assert "Content-Crs" in answer.headers["access-control-expose-headers"]


def test_crs_geojson_the_next_page_has_the_same_system(client: TestClient, get: Get) -> None:
    body = get(ITEMS, crs=f"{EPSG}4490", limit=1)
    following = next(link["href"] for link in body["links"] if link["rel"] == "next")
    assert f"crs={EPSG}4490" in following
    assert client.get(following).headers["content-crs"] == f"<{EPSG}4490>"
