"""GDAL opens the service: the new one inside pyogrio, and Debian's 3.6 on the command line."""

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pyogrio
import pytest

from tests.clients.conftest import Service
from tests.clients.exporting import exported
from tests.served import INTAKES, REGIONS, place_of

WHOLE = ["-ro", "-oo", "PAGE_SIZE=1000"]


@pytest.fixture(scope="module")
def ogr(ogrinfo: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs Debian's ogrinfo; what it said, on both streams."""
    home = tmp_path_factory.mktemp("gdal")

    def run(*words: str, **told: str) -> str:
        environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **told}
        done = subprocess.run(
            [ogrinfo, *words], capture_output=True, text=True, timeout=120, env=environment, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


def test_the_new_one_reads_every_feature_page_by_page_at_its_place(service: Service) -> None:
    source = f"OAPIF:{service.ogc}?api_key={service.keys.nation}"
    frame = pyogrio.read_dataframe(source, layer="intakes", PAGE_SIZE=37)
    assert len(frame) == INTAKES
    assert frame["code"].is_unique
    assert frame.crs.to_epsg() == 4490  # it asks in the CRS of storage, whose latitude comes first
    _, lon, lat = place_of(7)
    seventh = frame.set_index("code").loc["QSK-0007"]
    assert (seventh.geometry.x, seventh.geometry.y) == pytest.approx((lon, lat), abs=1e-6)
    assert seventh["name"] == "取水口7"
    assert frame["annual_volume_m3"].dtype == "float64"
    assert frame["county_code"].dtype == "int32"
    scenes = pyogrio.read_dataframe(source, layer="scenes")
    assert str(scenes["acquired_at"].dtype).startswith("datetime64")


def test_the_new_one_sees_the_public_layers_without_a_key(service: Service) -> None:
    layers = {name for name, _ in pyogrio.list_layers(f"OAPIF:{service.ogc}")}
    assert {"intakes", "regions", "indicators"} <= layers
    assert "permits" not in layers
    info = pyogrio.read_info(f"OAPIF:{service.ogc}", layer="intakes", force_feature_count=True)
    assert info["features"] == INTAKES
    assert "holder_name" not in info["fields"]
    # What the layer tells as its extent is where "zoom to layer" goes.
    west, south, east, north = info["total_bounds"]
    assert west <= -179.9 and south <= 10 and east >= 179.9 and north >= 32.9


def test_the_old_one_counts_reads_and_knows_the_types(ogr: Any, service: Service) -> None:
    source = f"OAPIF:{service.ogc}?api_key={service.keys.nation}"
    summary = ogr(*WHOLE, "-so", source, "intakes")
    assert f"Feature Count: {INTAKES}" in summary
    for field in (
        "name: String",
        "annual_volume_m3: Real",
        "county_code: Integer",
        "off_stream: Integer(Boolean)",
    ):
        assert field in summary, summary
    assert "acquired_at: DateTime" in ogr(*WHOLE, "-so", source, "scenes")
    _, lon, lat = place_of(7)
    one = ogr(*WHOLE, source, "intakes", "-where", "name = '取水口7'", "--debug", "on")
    assert "Feature Count: 1" in one
    x, y = one.split("POINT (")[1].split(")")[0].split()
    assert (float(x), float(y)) == pytest.approx((lon, lat), abs=1e-6)
    # The filter went to the server.
    assert "name=%E5%8F%96%E6%B0%B4%E5%8F%A37" in one


def test_the_old_one_pages_to_the_end_with_its_small_pages(ogr: Any, service: Service) -> None:
    said = ogr("-ro", f"OAPIF:{service.ogc}", "intakes")
    ids = [line for line in said.splitlines() if line.startswith("OGRFeature(intakes)")]
    assert len(ids) == len(set(ids)) == INTAKES


def test_the_old_one_sends_box_and_time_to_the_server(ogr: Any, service: Service) -> None:
    headers = {"GDAL_HTTP_HEADERS": f"X-API-Key: {service.keys.nation}"}
    said = ogr(
        *WHOLE, f"OAPIF:{service.ogc}", "scenes", "-where", "acquired_at >= '2026/06/15'", "-spat", "118", "31", "121", "34",
        "--debug", "on", **headers,
    )  # fmt: skip
    assert "item_id (String) = scene-2" in said
    assert "scene-0" not in said and "scene-1" not in said
    assert "datetime=2026-06-15" in said
    assert "bbox=118,31,121,34" in said.replace("%2C", ",")


def test_the_old_one_reads_one_tile(ogr: Any, service: Service, tmp_path: Path) -> None:
    tile = tmp_path / "tile.mvt"
    answer = httpx.get(f"{service.address}/tiles/regions/8/213/104")
    tile.write_bytes(answer.content)
    said = ogr("-ro", "-oo", "X=213", "-oo", "Y=104", "-oo", "Z=8", f"MVT:{tile}", "regions")
    assert "name (String) = 虎丘区" in said


def test_the_old_one_reads_wfs_at_its_place(ogr: Any, service: Service) -> None:
    source = f"WFS:{service.ogc}/wfs?api_key={service.keys.nation}"
    summary = ogr("-ro", "-so", source, "shuitu:intakes")
    assert f"Feature Count: {INTAKES}" in summary
    assert "annual_volume_m3: Real" in summary
    _, lon, lat = place_of(7)
    one = ogr("-ro", source, "shuitu:intakes", "-where", "code = 'QSK-0007'", "--debug", "on")
    assert "Feature Count: 1" in one
    assert "name (String) = 取水口7" in one
    x, y = map(float, one.split("POINT (")[1].split(")")[0].split())
    # Told in the axes of EPSG:4490, which ogrinfo prints as they are stored: longitude first.
    assert (x, y) == pytest.approx((lon, lat), abs=1e-6)
    assert "FILTER=" in one


def test_the_old_one_sees_the_maps_of_wmts(gdalinfo: str, service: Service) -> None:
    source = f"WMTS:{service.ogc}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&api_key={service.keys.nation},layer=intakes"
    done = subprocess.run([gdalinfo, source], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Driver: WMTS" in done.stdout
    assert "Size is " in done.stdout


def test_the_new_one_reads_an_archive(service: Service) -> None:
    """PMTiles came with GDAL 3.8."""
    archive = exported(service, "regions", "8")
    source = f"/vsicurl/{service.address}/archives/{archive}"
    info = pyogrio.read_info(source, layer="regions")
    assert info["crs"] == "EPSG:3857"
    frame = pyogrio.read_dataframe(source, layer="regions")
    assert set(frame["name"]) == {name for _, name, *_ in REGIONS}
    assert frame[frame["name"] == "虎丘区"].to_crs(4326).total_bounds == pytest.approx(
        [120, 31, 121, 31.5], abs=0.01
    )
