"""WMTS 1.0.0: capabilities, tiles by key and value and by resource, as pictures and as vectors."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
import rasterio
import rasterio.warp
from fastapi.testclient import TestClient
from lxml import etree
from owslib.wmts import WebMapTileService
from PIL import Image

from app.db.engine import Dsns
from layers import catalog
from tests import served
from tests.served import Accounts, place_of
from tiles.matrices import MATRIX_SETS

NS = {
    "m": "http://www.opengis.net/wmts/1.0",
    "o": "http://www.opengis.net/ows/1.1",
    "x": "http://www.w3.org/1999/xlink",
}
MVT = "application/vnd.mapbox-vector-tile"
Ask = Callable[..., Any]
LON, LAT = place_of(300)[1:]


@pytest.fixture
def wmts(client: TestClient, keys: Accounts) -> Ask:
    def ask(request: str, **parameters: object) -> Any:
        query = {"SERVICE": "WMTS", "VERSION": "1.0.0", "REQUEST": request, **parameters}
        return client.get("/ogc/wmts", params=query, headers={"X-API-Key": keys.nation})

    return ask


def pixels(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))


def place(tms: str, level: int) -> tuple[dict[str, object], tuple[float, float]]:
    """The tile over a known intake, and where in it the intake lies, in pixels."""
    grid = MATRIX_SETS[tms]
    column, _, row, _ = grid.limits((LON, LAT, LON, LAT), level) or (0, 0, 0, 0)
    west, south, east, north = grid.degrees(level, column, row)
    # Within one tile of this size latitude is as good as linear.
    at = (LON - west) / (east - west) * 256, (north - LAT) / (north - south) * 256
    return {"TILEMATRIXSET": tms, "TILEMATRIX": level, "TILEROW": row, "TILECOL": column}, at


TILE = {"LAYER": "intakes", "STYLE": "light", "FORMAT": "image/png"}


def test_capabilities_sets_have_their_corner_in_the_order_of_their_axes(wmts: Ask) -> None:
    root = etree.fromstring(wmts("GetCapabilities").content)
    corners = {
        one.findtext("o:Identifier", namespaces=NS): (
            one.findtext("o:SupportedCRS", namespaces=NS),
            [float(number) for number in one.findtext("m:TileMatrix/m:TopLeftCorner", namespaces=NS).split()],
        )
        for one in root.findall("m:Contents/m:TileMatrixSet", NS)
    }
    edge = 20037508.342789244
    assert corners == {
        "WebMercatorQuad": ("urn:ogc:def:crs:EPSG::3857", [-edge, edge]),
        "WorldCRS84Quad": ("urn:ogc:def:crs:OGC:1.3:CRS84", [-180, 90]),
        "WGS1984Quad": ("urn:ogc:def:crs:EPSG::4326", [90, -180]),
        "CGCS2000Quad": ("urn:ogc:def:crs:EPSG::4490", [90, -180]),
    }
    names = root.xpath("//m:Contents/m:Layer/o:Identifier/text()", namespaces=NS)
    assert set(names) == set(catalog.load())


def test_capabilities_by_resource_are_the_same_and_carry_the_key(client: TestClient, keys: Accounts) -> None:
    by_resource = client.get(f"/ogc/wmts/1.0.0/WMTSCapabilities.xml?api_key={keys.nation}")
    assert (
        by_resource.content == client.get(f"/ogc/wmts?request=GetCapabilities&api_key={keys.nation}").content
    )
    root = etree.fromstring(by_resource.content)
    for address in root.xpath("//@x:href | //@template", namespaces=NS):
        if address.startswith("http://map.test"):
            assert f"api_key={keys.nation}" in address
    public = etree.fromstring(client.get("/ogc/wmts").content)
    assert "permits" not in public.xpath("//m:Layer/o:Identifier/text()", namespaces=NS)


@pytest.mark.parametrize("tms", list(MATRIX_SETS))
def test_tile_a_point_lies_where_it_should_in_every_set(wmts: Ask, tms: str) -> None:
    where, (column, row) = place(tms, 14)
    image = pixels(wmts("GetTile", **TILE, **where))
    assert image.shape == (256, 256, 4)
    assert image[int(row), int(column), 3] == 255
    decoded = mapbox_vector_tile.decode(
        wmts("GetTile", **{**TILE, "FORMAT": MVT}, **where).content, default_options={"y_coord_down": True}
    )["intakes"]["features"]
    x, y = next(one["geometry"]["coordinates"] for one in decoded if one["id"] == 300)
    assert (x / 16, y / 16) == pytest.approx((column, row), abs=0.3)


def test_tile_by_resource_is_the_tile_by_key_and_value(client: TestClient, keys: Accounts, wmts: Ask) -> None:
    where, _ = place("WebMercatorQuad", 13)
    root = etree.fromstring(client.get(f"/ogc/wmts?api_key={keys.nation}").content)
    for media in ("image/png", MVT):
        template = root.xpath(
            f"//m:Layer[o:Identifier='intakes']/m:ResourceURL[@format='{media}']/@template", namespaces=NS
        )[0]
        address = template
        for name, value in (("Style", "light"), ("TileMatrixSet", where["TILEMATRIXSET"]), ("TileMatrix", where["TILEMATRIX"]),
                            ("TileRow", where["TILEROW"]), ("TileCol", where["TILECOL"])):  # fmt: skip
            address = address.replace(f"{{{name}}}", str(value))
        assert client.get(address).content == wmts("GetTile", **{**TILE, "FORMAT": media}, **where).content


def test_tile_the_4326_set_has_the_tiles_of_crs84(wmts: Ask) -> None:
    where, _ = place("WorldCRS84Quad", 13)
    assert (
        wmts("GetTile", **TILE, **{**where, "TILEMATRIXSET": "WGS1984Quad"}).content
        == wmts("GetTile", **TILE, **where).content
    )


def test_tile_neighbours_fit_together(wmts: Ask) -> None:
    """A line across an edge goes on where it ended."""
    where, _ = place("WebMercatorQuad", 9)
    where["TILECOL"], _, where["TILEROW"], _ = MATRIX_SETS["WebMercatorQuad"].limits(
        (119.4, 32.6) * 2, 9
    ) or (0, 0, 0, 0)
    line = {**TILE, "LAYER": "hydro_lines"}
    upper, lower = (
        pixels(wmts("GetTile", **line, **{**where, "TILEROW": where["TILEROW"] + i}))[..., 3] for i in (0, 1)
    )
    assert np.flatnonzero(upper[-1] > 40).tolist() == np.flatnonzero(lower[0] > 40).tolist() != []


def test_tile_of_nothing_is_a_clear_picture_or_an_empty_tile(wmts: Ask) -> None:
    where = {"TILEMATRIXSET": "WebMercatorQuad", "TILEMATRIX": 5, "TILEROW": 0, "TILECOL": 0}
    assert not pixels(wmts("GetTile", **TILE, **where))[..., 3].any()
    empty = wmts("GetTile", **{**TILE, "FORMAT": MVT}, **where)
    assert (empty.status_code, empty.content) == (200, b"")


def test_feature_info_of_a_tile(wmts: Ask) -> None:
    where, (column, row) = place("WebMercatorQuad", 15)
    asked = {**TILE, **where, "INFOFORMAT": "application/json"}
    found = wmts("GetFeatureInfo", **asked, I=int(column), J=int(row)).json()["features"]
    assert [one["properties"]["code"] for one in found] == ["QSK-0300"]
    assert wmts("GetFeatureInfo", **asked, I=256, J=0).status_code == 400


GOOD = {"TILEMATRIXSET": "WebMercatorQuad", "TILEMATRIX": 1, "TILEROW": 0, "TILECOL": 0}
BAD: list[tuple[dict[str, object], str, str]] = [
    ({"LAYER": "nothing"}, "InvalidParameterValue", "LAYER"), ({"LAYER": ""}, "MissingParameterValue", "LAYER"),
    ({"STYLE": "pink"}, "InvalidParameterValue", "STYLE"), ({"FORMAT": "image/gif"}, "InvalidParameterValue", "FORMAT"),
    ({"TILEMATRIXSET": "x"}, "InvalidParameterValue", "TILEMATRIXSET"), ({"TILEMATRIX": "99"}, "InvalidParameterValue", "TILEMATRIX"),
    ({"TILEMATRIX": "x"}, "InvalidParameterValue", "TILEMATRIX"), ({"TILEROW": 2}, "TileOutOfRange", "TILEROW"),
    ({"TILECOL": 2}, "TileOutOfRange", "TILECOL"), ({"TILECOL": "x"}, "InvalidParameterValue", "TILECOL"),
    ({"TILECOL": "-1"}, "InvalidParameterValue", "TILECOL"), ({"TILEROW": "9" * 30}, "TileOutOfRange", "TILEROW"),
    ({"REQUEST": "GetNothing"}, "OperationNotSupported", "REQUEST"), ({"SERVICE": "WMS"}, "InvalidParameterValue", "SERVICE"),
    ({"VERSION": "2.0"}, "InvalidParameterValue", "VERSION"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code", "locator"), BAD, ids=str)
def test_bad_input_is_an_exception_report(
    wmts: Ask, wrong: dict[str, object], code: str, locator: str
) -> None:
    parameters = {**TILE, **GOOD, **wrong}
    answer = wmts(str(parameters.pop("REQUEST", "GetTile")), **parameters)
    assert answer.status_code == 400, answer.text
    found = etree.fromstring(answer.content).find("o:Exception", NS)
    assert (found.get("exceptionCode"), found.get("locator")) == (code, locator)


def test_a_tile_is_asked_for_by_the_name_of_the_operation(client: TestClient, keys: Accounts) -> None:
    """07-057r7, table 25: REQUEST is mandatory; a bare address is answered with the capabilities."""
    own = {"X-API-Key": keys.nation}
    answer = client.get(
        "/ogc/wmts", params={"SERVICE": "WMTS", "VERSION": "1.0.0", **TILE, **GOOD}, headers=own
    )
    found = etree.fromstring(answer.content).find("o:Exception", NS)
    assert (found.get("exceptionCode"), found.get("locator")) == ("MissingParameterValue", "REQUEST")
    assert b"<Capabilities" in client.get("/ogc/wmts", headers=own).content


def test_bad_resources_are_exception_reports(client: TestClient, keys: Accounts) -> None:
    for address in (
        "nothing/light/WebMercatorQuad/0/0/0.png",
        "regions/light/WebMercatorQuad/0/0/0.gif",
        "regions/light/x/0/0/0.png",
    ):
        answer = client.get(f"/ogc/wmts/1.0.0/{address}")
        assert answer.status_code == 400
        assert b"ExceptionReport" in answer.content
    closed = client.get("/ogc/wmts/1.0.0/permits/light/WebMercatorQuad/0/0/0.png")
    assert closed.status_code == 401
    assert b"ExceptionReport" in closed.content
    assert client.get("/ogc/wmts?request=GetCapabilities&acceptversions=2.0.0").status_code == 400


@pytest.fixture(scope="module")
def address(register: tuple[Dsns, Accounts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served.process(register[0], tmp_path_factory.mktemp("wmts")) as (_, address):
        yield f"{address}/ogc/wmts"


def test_owslib_reads_the_capabilities_and_takes_tiles(address: str, keys: Accounts) -> None:
    service = WebMapTileService(f"{address}?api_key={keys.nation}")
    assert {"intakes", "permits"} <= set(service.contents)
    where, (column, row) = place("WebMercatorQuad", 14)
    answer = service.gettile(
        layer="intakes", style="light", tilematrixset=where["TILEMATRIXSET"], tilematrix=str(where["TILEMATRIX"]),
        row=where["TILEROW"], column=where["TILECOL"], format="image/png",
    )  # fmt: skip
    assert np.asarray(Image.open(BytesIO(answer.read())))[int(row), int(column), 3] == 255


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WGS1984Quad", "CGCS2000Quad"])
def test_gdal_opens_the_service_and_reads_a_point_at_its_place(
    address: str, keys: Accounts, tms: str
) -> None:
    url = f"{address}/1.0.0/WMTSCapabilities.xml?api_key={keys.nation}"
    with rasterio.open(f"WMTS:{url},layer=intakes,tilematrixset={tms},zoom_level=14,style=light") as source:
        (x,), (y,) = rasterio.warp.transform("OGC:CRS84", source.crs, [LON], [LAT])
        column, row = (int(value) for value in ~source.transform * (x, y))
        window = rasterio.windows.Window(column - 5, row - 5, 11, 11)
        assert source.read(4, window=window)[5, 5] == 255
