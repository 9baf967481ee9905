"""WMTS 1.0.0 of the catalogue's scenes: each a layer, each rendering a style, for who may see it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from lxml import etree
from PIL import Image

from app import wiring
from app.actor import system
from app.db.engine import Dsns
from app.imagery import gathering, service
from app.settings import Settings
from tests import served
from tests.integration.test_imagery import INSIDE, SIDE, SOUTH, WEST, write_scene

NS = {"m": "http://www.opengis.net/wmts/1.0", "o": "http://www.opengis.net/ows/1.1"}
Z, X, Y = INSIDE.split("/")


@dataclass
class Scenes:
    web: TestClient
    keys: served.Accounts
    number: str

    def ask(self, request: str, key: str | None = None, **parameters: object) -> Any:
        query = {"SERVICE": "WMTS", "VERSION": "1.0.0", "REQUEST": request, **parameters}
        return self.web.get("/ogc/wmts/scenes", params=query, headers={"X-API-Key": key or self.keys.nation})

    def tile(self, **other: object) -> Any:
        asked = {
            "LAYER": self.number, "STYLE": "true", "FORMAT": "image/png", "TILEMATRIXSET": "WebMercatorQuad",
            "TILEMATRIX": Z, "TILEROW": Y, "TILECOL": X,
        }  # fmt: skip
        return self.ask("GetTile", **{**asked, **other})


@pytest.fixture(scope="module")
def scenes(new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    dsns, folder = new_database(), tmp_path_factory.mktemp("wmts")
    served.fill(dsns)
    keys = served.accounts(dsns)
    (folder / "in").mkdir()
    write_scene(folder / "in" / "a_20230512.tif")
    services = wiring.services(Settings(database_url=dsns.admin, data_dir=folder))
    added, unusable = service.store_all(services, system("test"), gathering.in_folder(Path(folder / "in")))
    services.engine.dispose()
    assert (len(added), unusable) == (1, [])
    with served.serving(dsns, folder) as web:
        yield Scenes(web, keys, str(added[0]["id"]))


def pixels(answer: Any) -> Any:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text[:300]
    return np.asarray(Image.open(BytesIO(answer.content)).convert("RGBA"))


def test_capabilities_name_each_scene_that_can_be_drawn(scenes: Scenes) -> None:
    root = etree.fromstring(scenes.ask("GetCapabilities").content)
    (layer,) = root.findall("m:Contents/m:Layer", NS)  # those of which nothing is on file are left out
    assert layer.findtext("o:Identifier", namespaces=NS) == scenes.number
    assert "2023-05-12" in layer.findtext("o:Title", namespaces=NS)
    west, south = map(float, layer.findtext("o:WGS84BoundingBox/o:LowerCorner", namespaces=NS).split())
    assert (west, south) == (pytest.approx(WEST, abs=1e-5), pytest.approx(SOUTH, abs=1e-5))
    styles = [one.findtext("o:Identifier", namespaces=NS) for one in layer.findall("m:Style", NS)]
    assert {"true", "false_colour", "ndvi", "mndwi"} <= set(styles)
    levels = root.findall("m:Contents/m:TileMatrixSet/m:TileMatrix", NS)
    assert levels[-1].findtext("o:Identifier", namespaces=NS) == "22"
    by_resource = scenes.web.get(
        "/ogc/wmts/scenes/1.0.0/WMTSCapabilities.xml", headers={"X-API-Key": scenes.keys.nation}
    )
    assert by_resource.content == scenes.ask("GetCapabilities").content


def test_a_tile_is_that_of_the_imagery_by_key_and_value_and_by_resource(scenes: Scenes) -> None:
    own = {"X-API-Key": scenes.keys.nation}
    root = etree.fromstring(scenes.ask("GetCapabilities").content)
    template = root.find("m:Contents/m:Layer/m:ResourceURL", NS).get("template")
    for style in ("true", "ndwi"):
        drawn = scenes.web.get(f"/imagery/{scenes.number}/{INSIDE}.png?render_as={style}", headers=own)
        assert scenes.tile(STYLE=style).content == drawn.content
        address = template
        for name, value in (
            ("Style", style),
            ("TileMatrixSet", "WebMercatorQuad"),
            ("TileMatrix", Z),
            ("TileRow", Y),
            ("TileCol", X),
        ):
            address = address.replace(f"{{{name}}}", value)
        assert scenes.web.get(address, headers=own).content == drawn.content
    assert scenes.tile(STYLE="default").content == scenes.tile().content
    assert (pixels(scenes.tile())[..., 3] == 255).any()


def test_beside_the_scene_a_tile_is_clear(scenes: Scenes) -> None:
    assert not pixels(scenes.tile(TILECOL=int(X) + 50))[..., 3].any()


def test_scenes_are_for_who_may_see_them(scenes: Scenes) -> None:
    assert scenes.web.get("/ogc/wmts/scenes").status_code == 401
    county = etree.fromstring(scenes.ask("GetCapabilities", key=scenes.keys.county).content)
    assert county.findall("m:Contents/m:Layer", NS) == []  # it lies in another county
    hidden = scenes.ask(
        "GetTile", key=scenes.keys.county, LAYER=scenes.number, STYLE="true", FORMAT="image/png",
        TILEMATRIXSET="WebMercatorQuad", TILEMATRIX=Z, TILEROW=Y, TILECOL=X,
    )  # fmt: skip
    assert hidden.status_code == 404
    keyed = scenes.web.get(f"/ogc/wmts/scenes?api_key={scenes.keys.nation}").text
    assert keyed.count(f"api_key={scenes.keys.nation}") >= 3


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"LAYER": "x"}, "InvalidParameterValue"), ({"LAYER": ""}, "MissingParameterValue"), ({"LAYER": "999999"}, "InvalidParameterValue"),
        ({"LAYER": "1"}, "InvalidParameterValue"), ({"STYLE": "pink"}, "InvalidParameterValue"), ({"FORMAT": "image/gif"}, "InvalidParameterValue"),
        ({"TILEMATRIXSET": "WorldCRS84Quad"}, "InvalidParameterValue"), ({"TILEMATRIX": "23"}, "InvalidParameterValue"),
        ({"TILEMATRIX": "1", "TILEROW": "2"}, "TileOutOfRange"), ({"TILECOL": "x"}, "InvalidParameterValue"), ({"VERSION": "2"}, "InvalidParameterValue"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_an_exception_report(scenes: Scenes, wrong: dict[str, object], code: str) -> None:
    answer = scenes.tile(**wrong)
    assert answer.status_code in (400, 404), answer.text
    assert etree.fromstring(answer.content).find("o:Exception", NS).get("exceptionCode") == code


def test_the_scene_spans_what_it_says(scenes: Scenes) -> None:
    root = etree.fromstring(scenes.ask("GetCapabilities").content)
    east, north = map(float, root.findtext(".//o:UpperCorner", namespaces=NS).split())
    assert east <= WEST + SIDE + 1e-5
    assert north == pytest.approx(SOUTH + SIDE, abs=1e-5)
