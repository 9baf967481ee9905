"""QGIS of Debian, without a screen, opens the service as people do."""

import json
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Service
from tests.served import INTAKES, REGIONS, place_of

SCRIPT = Path(__file__).with_name("qgis_script.py")
NEAR = [118.9, 31.9, 119.7, 33.1]


@pytest.fixture(scope="module")
def qgis(debian_python: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Hands descriptions of layers to QGIS, and gives back what it found."""
    home = tmp_path_factory.mktemp("qgis")

    def ask(*layers: dict[str, Any]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [debian_python, str(SCRIPT)],
            input=json.dumps(layers),
            capture_output=True,
            text=True,
            timeout=180,
            # No profile of the user: neither caches nor proxies of theirs.
            env={
                "HOME": str(home),
                "PATH": "/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "XDG_RUNTIME_DIR": str(home),
            },
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return answers

    return ask


def features(service: Service, collection: str, key: str = "") -> dict[str, Any]:
    address = f"{service.ogc}?api_key={key}" if key else service.ogc
    uri = f"pagingEnabled='true' restrictToRequestBBOX='0' srsname='OGC:CRS84' typename='{collection}' url='{address}'"
    return {"kind": "vector", "provider": "OAPIF", "uri": uri}


def test_it_reads_every_feature_once_at_its_place(qgis: Any, service: Service) -> None:
    intakes, permits, scenes = qgis(
        features(service, "intakes", service.keys.nation),
        features(service, "permits", service.keys.nation),
        features(service, "scenes", service.keys.nation),
    )
    assert intakes["valid"], intakes["messages"]
    by_code = {one["values"]["code"]: one for one in intakes["features"]}
    assert len(intakes["features"]) == len(by_code) == INTAKES
    _, lon, lat = place_of(7)
    assert by_code["QSK-0007"]["at"] == pytest.approx([lon, lat], abs=1e-6)
    values = by_code["QSK-0008"]["values"]
    assert (values["name"], values["annual_volume_m3"], values["county_code"]) == ("取水口8", 8004, 321002)
    west, south, east, north = intakes["extent"]
    assert west <= -179.9 and east >= 179.9 and south <= 10 and north >= 32.9
    assert permits["valid"] and len(permits["features"]) == 40
    assert scenes["valid"] and "2026-06-01T02:30:00" in {
        one["values"]["acquired_at"] for one in scenes["features"]
    }


def test_it_reads_polygons_and_public_fields_without_a_key(qgis: Any, service: Service) -> None:
    regions, intakes, permits = qgis(
        features(service, "regions"), features(service, "intakes"), features(service, "permits")
    )
    names = {one["values"]["name"]: one["at"] for one in regions["features"]}
    assert names.keys() == {name for _, name, *_ in REGIONS}
    assert names["虎丘区"] == pytest.approx([120.5, 31.25], abs=1e-6)
    assert len(intakes["features"]) == INTAKES
    assert "holder_name" not in intakes["fields"]
    assert not permits["valid"]


def test_it_asks_only_for_the_box_in_view(qgis: Any, service: Service) -> None:
    asked = features(service, "intakes", service.keys.nation) | {"extent": [119.0, 32.0, 119.1, 32.4]}
    asked["uri"] = asked["uri"].replace("restrictToRequestBBOX='0'", "restrictToRequestBBOX='1'")
    (found,) = qgis(asked)
    inside = [
        i for i in range(1, INTAKES + 1) if 119 <= place_of(i)[1] <= 119.1 and 32 <= place_of(i)[2] <= 32.4
    ]
    assert len(found["features"]) == len(inside)


def tiles(service: Service, layer: str, key: str = "") -> dict[str, Any]:
    asked = f"?api_key={key}" if key else ""
    # An address with & or ? in it must be quoted whole.
    template = urllib.parse.quote(f"{service.address}/tiles/{layer}/{{z}}/{{x}}/{{y}}{asked}", safe=":/{}")
    return {"kind": "tiles", "uri": f"type=xyz&url={template}&zmin=0&zmax=14"}


def test_it_draws_vector_tiles_where_the_features_are(qgis: Any, service: Service) -> None:
    _, lon, lat = place_of(311)
    point, regions = qgis(
        tiles(service, "intakes", service.keys.nation)
        | {"extent": [lon - 0.004, lat - 0.004, lon + 0.004, lat + 0.004]},
        tiles(service, "regions") | {"extent": [119.6, 30.7, 121.4, 31.8]},
    )
    assert point["valid"] and not point["errors"], point
    assert point["drawn"] > 0
    assert point["middle"] == pytest.approx([0.5, 0.5], abs=0.02)
    assert regions["drawn"] > 20_000


def test_it_draws_points_of_vector_tiles_by_key(qgis: Any, service: Service) -> None:
    (drawn,) = qgis(tiles(service, "intakes", service.keys.county) | {"extent": NEAR})
    assert drawn["valid"], drawn
    # Of 高邮市 alone: its 30 intakes lie in the east of the picture.
    assert 0 < drawn["drawn"] < 60_000
    assert drawn["middle"][0] > 0.6


def test_it_reads_wfs_at_its_place(qgis: Any, service: Service) -> None:
    uri = (
        f"pagingEnabled='true' srsname='EPSG:4490' typename='shuitu:intakes' version='auto' "
        f"url='{service.ogc}/wfs?api_key={service.keys.nation}'"
    )
    (found,) = qgis({"kind": "vector", "provider": "WFS", "uri": uri})
    assert found["valid"], found["messages"]
    by_code = {one["values"]["code"]: one for one in found["features"]}
    assert len(found["features"]) == len(by_code) == INTAKES
    _, lon, lat = place_of(7)
    assert by_code["QSK-0007"]["at"] == pytest.approx([lon, lat], abs=1e-6)
    assert by_code["QSK-0008"]["values"]["annual_volume_m3"] == 8004
    assert by_code["QSK-0007"]["values"]["name"] == "取水口7"


@pytest.mark.parametrize("kind", ["WMTS", "WMS"])
def test_it_draws_pictures_where_the_features_are(qgis: Any, service: Service, kind: str) -> None:
    _, lon, lat = place_of(311)
    url = urllib.parse.quote(
        f"{service.ogc}/{kind.lower()}?SERVICE={kind}&REQUEST=GetCapabilities&api_key={service.keys.nation}",
        safe="",
    )
    matrices = "&tileMatrixSet=WebMercatorQuad" if kind == "WMTS" else ""
    (drawn,) = qgis(
        {
            "kind": "raster", "provider": "wms", "extent": [lon - 0.004, lat - 0.004, lon + 0.004, lat + 0.004],
            "uri": f"crs=EPSG:3857&format=image/png&layers=intakes&styles={matrices}&url={url}",
        }
    )  # fmt: skip
    assert drawn["valid"], drawn["messages"]
    assert drawn["drawn"] > 20, drawn
    assert drawn["middle"] == pytest.approx([0.5, 0.5], abs=0.02)
