"""WMS 1.3.0 and 1.1.1: capabilities, maps whose colours are those of the declaration, what lies under a pixel."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from lxml import etree
from owslib.wms import WebMapService
from PIL import Image

from app.db.engine import Dsns
from layers import catalog
from tests import served
from tests.served import Accounts, place_of

WMS = {"w": "http://www.opengis.net/wms", "x": "http://www.w3.org/1999/xlink"}
Map = Callable[..., Any]
LON, LAT = place_of(300)[1:]


@pytest.fixture
def wms(client: TestClient, keys: Accounts) -> Map:
    def ask(request: str, key: str | None = keys.nation, **parameters: object) -> Any:
        query = {"SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": request, **parameters}
        return client.get("/ogc/wms", params=query, headers={"X-API-Key": key} if key else {})

    return ask


def pixels(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("image/"), answer.text
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))


def around(lon: float, lat: float, half: float = 0.002, *, swap: bool = False) -> str:
    edges = (
        (lat - half, lon - half, lat + half, lon + half)
        if swap
        else (lon - half, lat - half, lon + half, lat + half)
    )
    return ",".join(map(str, edges))


VIEW = {
    "LAYERS": "intakes",
    "CRS": "CRS:84",
    "BBOX": around(LON, LAT),
    "WIDTH": 100,
    "HEIGHT": 100,
    "FORMAT": "image/png",
}


# ── capabilities ────────────────────────────────────────────────────────────────────────────────


def test_capabilities_1_3_0_name_the_layers_with_boxes_in_the_order_of_their_axes(wms: Map) -> None:
    root = etree.fromstring(wms("GetCapabilities").content)
    assert root.tag == "{http://www.opengis.net/wms}WMS_Capabilities"
    names = root.xpath("//w:Layer/w:Layer/w:Name/text()", namespaces=WMS)
    assert set(names) == set(catalog.load())
    regions = root.xpath("//w:Layer/w:Layer[w:Name='regions']", namespaces=WMS)[0]
    boxes = {box.get("CRS"): box for box in regions.findall("w:BoundingBox", WMS)}
    assert float(boxes["CRS:84"].get("minx")) == pytest.approx(119)
    assert float(boxes["EPSG:4326"].get("minx")) == pytest.approx(31)
    assert float(boxes["EPSG:4490"].get("miny")) == pytest.approx(119)
    assert float(boxes["EPSG:3857"].get("minx")) == pytest.approx(119 / 180 * 20037508.342789244)
    assert float(
        regions.findtext("w:EX_GeographicBoundingBox/w:westBoundLongitude", namespaces=WMS)
    ) == pytest.approx(119)
    formats = root.xpath("//w:GetMap/w:Format/text()", namespaces=WMS)
    assert "image/png" in formats


def test_capabilities_1_1_1_are_of_the_old_form(wms: Map) -> None:
    answer = wms("GetCapabilities", VERSION="1.1.1")
    assert answer.headers["content-type"].startswith("application/vnd.ogc.wms_xml")
    root = etree.fromstring(answer.content)
    assert root.tag == "WMT_MS_Capabilities"
    # As the DTD of 1.1.1 (annex A) has it: the namespace of the links stands where the links stand.
    assert root.getroottree().docinfo.system_url.endswith("/wms/1.1.1/capabilities_1_1_1.dtd")
    assert root.nsmap == {}
    assert {one.nsmap["xlink"] for one in root.iter("OnlineResource")} == {WMS["x"]}
    regions = root.xpath("//Layer/Layer[Name='regions']")[0]
    assert float(regions.find("LatLonBoundingBox").get("minx")) == pytest.approx(119)
    boxes = {box.get("SRS"): box for box in regions.findall("BoundingBox")}
    assert float(boxes["EPSG:4326"].get("minx")) == pytest.approx(119)


def test_capabilities_the_highest_version_without_one_and_names_in_any_case(client: TestClient) -> None:
    assert b'version="1.3.0"' in client.get("/ogc/wms?service=wms&request=getcapabilities").content
    assert b'version="1.3.0"' in client.get("/ogc/wms").content
    assert (
        b'version="1.1.1"' in client.get("/ogc/wms?Service=WMS&Request=GetCapabilities&Version=1.0.0").content
    )


def test_capabilities_show_what_the_caller_sees_and_carry_the_key_in_every_address(
    client: TestClient, keys: Accounts
) -> None:
    public = etree.fromstring(client.get("/ogc/wms?request=GetCapabilities").content)
    names = set(public.xpath("//w:Layer/w:Layer/w:Name/text()", namespaces=WMS))
    assert "intakes" in names
    assert "permits" not in names
    keyed = etree.fromstring(client.get(f"/ogc/wms?request=GetCapabilities&api_key={keys.nation}").content)
    for place in keyed.xpath("//w:OnlineResource/@x:href", namespaces=WMS):
        assert place.startswith("http://map.test/ogc")
        assert f"api_key={keys.nation}" in place
    legend = keyed.xpath("//w:LegendURL/w:OnlineResource/@x:href", namespaces=WMS)[0]
    assert pixels(client.get(legend)).shape[0] > 20


# ── maps ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "place",
    [
        {"CRS": "CRS:84", "BBOX": around(LON, LAT)},
        {"CRS": "EPSG:4326", "BBOX": around(LON, LAT, swap=True)},
        {"CRS": "EPSG:4490", "BBOX": around(LON, LAT, swap=True)},
        {"CRS": "EPSG:3857", "BBOX": "{},{},{},{}"},
        {"VERSION": "1.1.1", "SRS": "EPSG:4326", "BBOX": around(LON, LAT)},
        {"VERSION": "1.1.1", "SRS": "EPSG:3857", "BBOX": "{},{},{},{}"},
    ],
    ids=str,
)
def test_map_a_point_lies_in_the_middle_of_its_box_whatever_the_axes(wms: Map, place: dict[str, str]) -> None:
    x, y = (
        LON / 180 * 20037508.342789244,
        float(np.arcsinh(np.tan(np.radians(LAT))) / np.pi * 20037508.342789244),
    )
    box = place["BBOX"].format(x - 200, y - 200, x + 200, y + 200)
    view = {name: value for name, value in VIEW.items() if name != "CRS"}
    image = pixels(wms("GetMap", **{**view, **place, "BBOX": box, "TRANSPARENT": "TRUE"}))
    assert image[50, 50, 3] == 255
    assert image[5, 5, 3] == 0
    rows, columns = np.nonzero(image[..., 3])
    assert abs(rows.mean() - 50) < 3
    assert abs(columns.mean() - 50) < 2


def test_map_colours_shapes_and_sizes_are_those_of_the_declaration(wms: Map) -> None:
    layer = catalog.load()["intakes"]
    colours = {entry.value: entry.colour for entry in layer.symbology.colours}
    # The 10th, 20th … are unpermitted, each 4th is groundwater (a triangle).
    for number, state in ((301, "linked"), (310, "unpermitted")):
        _, lon, lat = place_of(number)
        image = pixels(wms("GetMap", **{**VIEW, "BBOX": around(lon, lat), "TRANSPARENT": "TRUE"}))
        expected = tuple(int(colours[state][i : i + 2], 16) for i in (1, 3, 5))
        assert tuple(image[50, 50, :3].tolist()) == expected
    round_, pointed = (
        pixels(wms("GetMap", **{**VIEW, "BBOX": around(*place_of(n)[1:]), "TRANSPARENT": "TRUE"}))[..., 3]
        > 127
        for n in (301, 304)
    )
    upper, lower = round_[:50].sum(), round_[51:].sum()
    assert abs(int(upper) - int(lower)) < 0.2 * upper
    assert pointed[:50].sum() < 0.8 * pointed[51:].sum()


def test_map_the_public_sees_public_layers_at_public_accuracy(wms: Map) -> None:
    image = pixels(wms("GetMap", key=None, **{**VIEW, "TRANSPARENT": "TRUE"}))
    assert image[..., 3].any()
    assert wms("GetMap", key=None, **{**VIEW, "LAYERS": "permits"}).status_code == 401


def test_map_is_cut_to_the_jurisdiction(wms: Map, keys: Accounts) -> None:
    other = {**VIEW, "BBOX": around(*place_of(7)[1:]), "TRANSPARENT": "TRUE"}
    assert pixels(wms("GetMap", **other))[..., 3].any()
    assert not pixels(wms("GetMap", key=keys.county, **other))[..., 3].any()


def test_map_polygons_lines_and_several_layers_are_drawn_in_order(wms: Map) -> None:
    box = {**VIEW, "BBOX": "119,32,120,33", "TRANSPARENT": "TRUE", "WIDTH": 300, "HEIGHT": 300}
    lines = pixels(wms("GetMap", **{**box, "LAYERS": "hydro_lines"}))
    assert lines[150, 118:123, 3].max() > 100
    both = pixels(wms("GetMap", **{**box, "LAYERS": "regions,hydro_lines,intakes", "STYLES": "light,,dark"}))
    assert (both[..., 3] > 0).sum() > (lines[..., 3] > 0).sum()
    filled = pixels(wms("GetMap", **{**box, "LAYERS": "indicators"}))
    assert filled[150, 75, 3] > 100


def test_map_edges_of_tiles_are_no_boundaries(wms: Map) -> None:
    # 119.53125° is the edge of a tile at this scale, inside of 高邮市.
    view = {**VIEW, "LAYERS": "regions", "BBOX": "119.02,32.02,120.02,33.02", "WIDTH": 500, "HEIGHT": 500}
    image = pixels(wms("GetMap", **view, TRANSPARENT="TRUE"))[..., 3].astype(int)
    across = image[240:260].max(axis=0)
    boundaries = np.flatnonzero(across > 60) / 500 + 119.02
    assert len(boundaries)
    assert all(abs(lon - 119.5) < 0.01 or abs(lon - 120) < 0.01 for lon in boundaries), boundaries


def test_map_ground_colour_and_other_formats(wms: Map) -> None:
    away = {**VIEW, "BBOX": "10,10,11,11"}
    assert tuple(pixels(wms("GetMap", **away))[0, 0]) == (255, 255, 255, 255)
    assert tuple(pixels(wms("GetMap", **away, BGCOLOR="0x102030"))[0, 0]) == (16, 32, 48, 255)
    assert pixels(wms("GetMap", **away, TRANSPARENT="TRUE"))[0, 0, 3] == 0
    for media in ("image/jpeg", "image/webp"):
        answer = wms("GetMap", **{**VIEW, "FORMAT": media})
        assert answer.headers["content-type"] == media
        assert pixels(answer).shape == (100, 100, 4)


def test_map_across_180_degrees_shows_both_sides(wms: Map) -> None:
    image = pixels(
        wms(
            "GetMap",
            **{**VIEW, "BBOX": "179,9.5,181,10.5", "WIDTH": 400, "HEIGHT": 200, "TRANSPARENT": "TRUE"},
        )
    )
    columns = np.nonzero(image[..., 3].any(axis=0))[0]
    assert columns.min() == pytest.approx(180, abs=10)
    assert columns.max() == pytest.approx(220, abs=10)


def test_map_of_a_time_shows_what_it_meets(wms: Map) -> None:
    view = {**VIEW, "LAYERS": "candidates", "TRANSPARENT": "TRUE", "WIDTH": 200, "HEIGHT": 200}
    first = {**view, "BBOX": "119.09,32.09,119.12,32.12"}
    assert pixels(wms("GetMap", **first, TIME="2026-05-01T02:30:00Z"))[..., 3].any()
    assert not pixels(wms("GetMap", **first, TIME="2026-06-01/2026-06-30"))[..., 3].any()


def test_map_tagged_and_answered_304_and_head(client: TestClient, keys: Accounts) -> None:
    query = {"SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetMap", **VIEW, "api_key": keys.nation}
    answer = client.get("/ogc/wms", params=query)
    again = client.get("/ogc/wms", params=query, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    head = client.head("/ogc/wms", params=query)
    assert head.headers["content-length"] == str(len(answer.content))
    assert answer.headers["cache-control"] == "private, no-cache"
    assert client.get("/ogc/wms", params={**query, "API_KEY": keys.nation}).status_code == 200


# ── feature info and legend ─────────────────────────────────────────────────────────────────────


def test_feature_info_tells_the_feature_drawn_there_and_nothing_beside_it(wms: Map) -> None:
    asked = {**VIEW, "QUERY_LAYERS": "intakes", "INFO_FORMAT": "application/json"}
    found = wms("GetFeatureInfo", **asked, I=50, J=50).json()["features"]
    assert [one["properties"]["code"] for one in found] == ["QSK-0300"]
    assert found[0]["geometry"]["coordinates"] == pytest.approx([LON, LAT], abs=1e-6)
    assert wms("GetFeatureInfo", **asked, I=5, J=5).json()["features"] == []
    old = {name: value for name, value in asked.items() if name != "CRS"}
    answer = wms("GetFeatureInfo", **{**old, "VERSION": "1.1.1", "SRS": "EPSG:4326"}, X=50, Y=50)
    assert answer.json() == {"type": "FeatureCollection", "features": found}


@pytest.mark.parametrize("media", ["text/html", "text/plain", "text/xml", "application/geo+json"])
def test_feature_info_in_other_forms(wms: Map, media: str) -> None:
    answer = wms("GetFeatureInfo", **VIEW, QUERY_LAYERS="intakes", INFO_FORMAT=media, I=50, J=50)
    assert answer.headers["content-type"].startswith(media)
    assert "取水口300" in answer.text
    assert "<b>公司" not in answer.text or media in ("text/plain", "application/geo+json")


def test_feature_info_shows_the_public_only_public_fields(wms: Map) -> None:
    wide = {**VIEW, "BBOX": around(LON, LAT, 0.003)}
    answer = wms("GetFeatureInfo", key=None, **wide, QUERY_LAYERS="regions", I=50, J=50)
    assert answer.status_code == 400  # not a layer of the map
    found = wms(
        "GetFeatureInfo",
        key=None,
        **{**wide, "LAYERS": "regions"},
        QUERY_LAYERS="regions",
        I=50,
        J=50,
        FEATURE_COUNT=9,
    )
    names = {one["properties"]["name"] for one in found.json()["features"]}
    assert names == {"江苏省", "扬州市", "高邮市"}


def test_legend_shows_every_class_in_its_colour(wms: Map) -> None:
    image = pixels(wms("GetLegendGraphic", LAYER="intakes", FORMAT="image/png"))
    seen = {tuple(colour) for colour in image[..., :3].reshape(-1, 3).tolist()}
    for entry in catalog.load()["intakes"].symbology.colours:
        assert tuple(int(entry.colour[i : i + 2], 16) for i in (1, 3, 5)) in seen
    for layer in catalog.load():
        assert pixels(wms("GetLegendGraphic", LAYER=layer, FORMAT="image/png", STYLE="dark")).any()


# ── bad input ───────────────────────────────────────────────────────────────────────────────────

BAD: list[tuple[str, dict[str, object], str]] = [
    ("GetMap", {"LAYERS": "nothing"}, "LayerNotDefined"), ("GetMap", {"LAYERS": ""}, ""), ("GetMap", {"STYLES": "pink"}, "StyleNotDefined"),
    ("GetMap", {"STYLES": "light,dark"}, "StyleNotDefined"), ("GetMap", {"CRS": "EPSG:9"}, "InvalidCRS"), ("GetMap", {"CRS": ""}, ""),
    ("GetMap", {"FORMAT": "image/tiff"}, "InvalidFormat"), ("GetMap", {"BBOX": "1,2,3"}, ""), ("GetMap", {"BBOX": "1,2,1,4"}, ""),
    ("GetMap", {"BBOX": "nan,2,3,4"}, ""), ("GetMap", {"BBOX": "1,2,1e300,4"}, ""), ("GetMap", {"WIDTH": 0}, ""), ("GetMap", {"WIDTH": 99999}, ""),
    ("GetMap", {"HEIGHT": "x"}, ""), ("GetMap", {"BGCOLOR": "red"}, ""), ("GetMap", {"TRANSPARENT": "maybe"}, ""),
    ("GetMap", {"LAYERS": "scenes", "TIME": "x"}, "InvalidDimensionValue"), ("GetMap", {"BBOX": "-100000,0,100000,0.0001"}, ""),
    ("GetMap", {"LAYERS": ",".join(["regions"] * 21)}, ""), ("GetMap", {"LAYERS": "regions\x00"}, ""), ("GetNothing", {}, "OperationNotSupported"),
    ("GetFeatureInfo", {"QUERY_LAYERS": "intakes", "I": 100, "J": 1}, "InvalidPoint"),
    ("GetFeatureInfo", {"QUERY_LAYERS": "intakes", "I": "x", "J": 1}, "InvalidPoint"),
    ("GetFeatureInfo", {"QUERY_LAYERS": "regions", "I": 1, "J": 1}, "LayerNotDefined"), ("GetFeatureInfo", {"I": 1, "J": 1}, ""),
    ("GetFeatureInfo", {"QUERY_LAYERS": "intakes", "I": 1, "J": 1, "INFO_FORMAT": "x"}, "InvalidFormat"), ("GetLegendGraphic", {"LAYER": "x"}, "LayerNotDefined"),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "wrong", "code"), BAD, ids=str)
def test_bad_input_is_a_service_exception(
    wms: Map, request_: str, wrong: dict[str, object], code: str
) -> None:
    answer = wms(request_, **{**VIEW, **wrong})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    found = etree.fromstring(answer.content).find("{http://www.opengis.net/ogc}ServiceException")
    assert (found.get("code") or "") == code
    assert found.text.strip()


def test_bad_input_may_be_shown_in_the_picture(wms: Map) -> None:
    blank = wms("GetMap", **{**VIEW, "LAYERS": "nothing"}, EXCEPTIONS="BLANK")
    assert pixels(blank).shape == (100, 100, 4)
    told = wms("GetMap", **{**VIEW, "LAYERS": "nothing", "WIDTH": 600}, EXCEPTIONS="INIMAGE")
    assert pixels(told)[..., 3].any()


def test_bad_input_in_the_old_version_is_told_in_its_form(wms: Map) -> None:
    answer = wms("GetMap", VERSION="1.1.1", **{**VIEW, "LAYERS": "nothing"})
    assert answer.headers["content-type"].startswith("application/vnd.ogc.se_xml")
    assert etree.fromstring(answer.content).find("ServiceException").get("code") == "LayerNotDefined"


# ── a real client ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def address(register: tuple[Dsns, Accounts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served.process(register[0], tmp_path_factory.mktemp("wms")) as (_, address):
        yield f"{address}/ogc/wms"


@pytest.mark.parametrize("version", ["1.1.1", "1.3.0"])
def test_owslib_reads_the_capabilities_and_draws(address: str, keys: Accounts, version: str) -> None:
    service = WebMapService(f"{address}?api_key={keys.nation}", version=version)
    assert {"intakes", "permits"} <= set(service.contents)
    west = service["regions"].boundingBoxWGS84[0]
    assert west == pytest.approx(119)
    answer = service.getmap(
        layers=["intakes"], styles=["light"], srs="EPSG:4326", bbox=(LON - 0.002, LAT - 0.002, LON + 0.002, LAT + 0.002),
        size=(100, 100), format="image/png", transparent=True,
    )  # fmt: skip
    image = np.asarray(Image.open(BytesIO(answer.read())))
    assert image[50, 50, 3] == 255
    assert image[5, 5, 3] == 0
