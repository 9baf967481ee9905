"""`shuitu tiles`: an archive holds what the tiles show, for whom it is meant, and one that was killed goes on."""

import gzip
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import mapbox_vector_tile as mvt
import psycopg
import pytest
import shapely.geometry
from pmtiles.reader import MmapSource, Reader, all_tiles
from typer.testing import CliRunner, Result

from app.cli import app
from app.db.engine import Dsns
from layers import catalog
from tests import served
from tiles import publish

SHOWN = 318  # of the register's 320 intakes, all but the two on either side of 180°


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def stored(database: Dsns) -> Dsns:
    served.fill(database)
    served.accounts(database)
    with psycopg.connect(database.service) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        connection.execute("delete from shuitu.intakes where abs(st_x(geom)) > 179")
        publish.rebuild(connection, catalog.load()["intakes"])
    return database


@pytest.fixture
def shuitu(stored: Dsns, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs the command line on the register."""
    monkeypatch.setenv("SHUITU_DATABASE_URL", str(stored.admin))
    monkeypatch.setenv("SHUITU_DATA_DIR", str(folder))
    yield lambda *words: CliRunner().invoke(app, list(words))


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def opened(file: Path) -> tuple[dict[str, Any], dict[tuple[int, int, int], bytes], dict[str, Any]]:
    """Header, compressed tiles by address, and metadata."""
    with file.open("rb") as archive:
        source = MmapSource(archive)
        reader = Reader(source)
        return reader.header(), dict(all_tiles(source)), reader.metadata()


def features(tiles: dict[tuple[int, int, int], bytes], zoom: int) -> dict[str, list[dict[str, Any]]]:
    """All features of a zoom, by layer."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (z, _, _), body in tiles.items():
        if z == zoom:
            for name, layer in mvt.decode(gzip.decompress(body)).items():
                found[name] += layer["features"]
    return found


def test_rebuilding_brings_the_map_tables_up_to_the_facts(shuitu: Any, stored: Dsns) -> None:
    with psycopg.connect(stored.owner) as connection:
        connection.execute("truncate map.intake_points")
    assert shuitu("tiles", "rebuild").exit_code == 0
    with psycopg.connect(stored.map) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        assert connection.execute("select count(*) from map.intake_points").fetchone() == (SHOWN,)
        assert connection.execute("select layer from map.change_log order by layer").fetchall() == [
            ("intakes",),
            ("permits",),
            ("regions",),
        ]
    assert shuitu("tiles", "rebuild", "scenes").exception is not None


def test_an_archive_holds_every_public_point_and_public_fields_only(shuitu: Any, folder: Path) -> None:
    answer = told(shuitu("tiles", "export", "intakes", "--maxzoom", "12", "--json"))
    file = Path(answer["file"])
    assert file == (folder / "archives" / "intakes.pmtiles").resolve()
    header, tiles, metadata = opened(file)
    assert len(tiles) == answer["tiles"] > 12
    assert (header["min_zoom"], header["max_zoom"]) == (0, 12)
    assert header["min_lon_e7"] <= 119.0e7 <= header["max_lon_e7"]
    assert [one["id"] for one in metadata["vector_layers"]] == ["intakes"]
    declared = {field.name for field in catalog.load()["intakes"].fields_for("public")} | {
        "n",
        "cell",
        "volume",
    }
    for zoom in range(13):
        found = features(tiles, zoom)["intakes"]
        assert sum(feature["properties"]["n"] for feature in found) == SHOWN, f"zoom {zoom}"
        assert all(
            name in declared or name.startswith("n_") for feature in found for name in feature["properties"]
        )
    assert [path.name for path in file.parent.iterdir()] == ["intakes.pmtiles"]


def test_officer_fields_go_where_the_public_cannot_fetch_them(shuitu: Any, folder: Path) -> None:
    answer = told(shuitu("tiles", "export", "intakes", "--as", "county", "--maxzoom", "8", "--json"))
    assert (
        Path(answer["file"]) == (folder / "archives" / "officer" / "intakes-officer-321084.pmtiles").resolve()
    )
    _, tiles, metadata = opened(Path(answer["file"]))
    assert metadata["shuitu:audience"] == "officer"
    assert metadata["shuitu:jurisdiction"] == "officer:321084-321085"
    assert {f["properties"]["county_code"] for f in features(tiles, 8)["intakes"]} == {321084}
    leak = shuitu("tiles", "export", "intakes", "--officer", "--out", str(folder / "archives" / "x.pmtiles"))
    assert leak.exit_code != 0
    assert "公众" in str(leak.exception)
    assert not (folder / "archives" / "x.pmtiles").exists()


def test_the_officers_archive_of_the_nation_holds_their_fields(shuitu: Any, folder: Path) -> None:
    answer = told(shuitu("tiles", "export", "intakes", "--officer", "--maxzoom", "11", "--json"))
    assert Path(answer["file"]).name == "intakes-officer-nation.pmtiles"
    _, tiles, _ = opened(Path(answer["file"]))
    found = features(tiles, 11)["intakes"]
    assert sum(f["properties"]["n"] for f in found) == SHOWN
    by_id = {f["id"]: f["properties"] for f in found}
    assert by_id[8]["annual_volume_m3"] == pytest.approx(8004, rel=1e-6)
    assert "annual_volume_m3" not in by_id[7]  # not known


def test_a_layer_that_is_not_public_needs_an_account(shuitu: Any, folder: Path) -> None:
    refused = shuitu("tiles", "export", "permits", "--out", str(folder / "permits.pmtiles"))
    assert refused.exit_code != 0
    assert "--as" in str(refused.exception)
    assert shuitu("tiles", "export", "nothing").exit_code != 0


def test_bulk_made_tiles_equal_those_that_the_service_answers(
    shuitu: Any, stored: Dsns, folder: Path
) -> None:
    file = Path(told(shuitu("tiles", "export", "intakes", "--maxzoom", "13", "--json"))["file"])
    _, tiles, _ = opened(file)
    with served.serving(stored, folder) as client:
        for (z, x, y), body in tiles.items():
            if z not in (6, 10, 11, 13):
                continue
            answered = mvt.decode(client.get(f"/tiles/intakes/{z}/{x}/{y}").content)
            assert _comparable(mvt.decode(gzip.decompress(body))) == _comparable(answered), (z, x, y)


def _comparable(tile: dict[str, Any]) -> Any:
    return {
        name: sorted((f["id"], f["geometry"]["coordinates"], sorted(f["properties"].items())) for f in layer["features"])
        for name, layer in tile.items()
    }  # fmt: skip


def test_the_whole_map_goes_into_one_archive(shuitu: Any, folder: Path) -> None:
    answer = told(shuitu("tiles", "export", "all", "--maxzoom", "10", "--json"))
    assert Path(answer["file"]).name == "map.pmtiles"
    header, tiles, metadata = opened(Path(answer["file"]))
    made = [one["id"] for one in metadata["vector_layers"]]
    assert {"intakes", "regions", "hydro_lines", "indicators"} <= set(made)
    assert not {"permits", "candidates", "scenes"} & set(made)
    assert int(metadata["version"]) > 0
    assert datetime.fromisoformat(metadata["shuitu:made_at"]).tzinfo is not None
    assert "水图" in metadata["attribution"]
    assert (header["min_zoom"], header["max_zoom"]) == (0, 10)
    assert header["clustered"]
    assert header["min_lon_e7"] <= 119.0e7 < 120.9e7 <= header["max_lon_e7"]
    for zoom in (5, 10):
        found = features(tiles, zoom)
        assert sum(f["properties"]["n"] for f in found["intakes"]) == SHOWN
        assert {f["properties"]["code"] for f in found["regions"]} == {320000, 321000, 321002, 321084, 320505}
        assert {f["properties"]["name"] for f in found["hydro_lines"]} == {"京杭运河"}
    # Fields carry the types that the declaration tells.
    region = next(f for f in features(tiles, 10)["regions"] if f["properties"]["code"] == 321084)
    assert region["properties"]["name"] == "高邮市"
    assert isinstance(region["properties"]["level"], int)


def test_neighbours_stay_without_gap_or_overlap(shuitu: Any, folder: Path) -> None:
    file = Path(told(shuitu("tiles", "export", "regions", "--maxzoom", "8", "--json"))["file"])
    _, tiles, _ = opened(file)
    body = mvt.decode(gzip.decompress(tiles[(8, 212, 103)]))["regions"]
    east, west = (
        shapely.geometry.shape(
            next(f["geometry"] for f in body["features"] if f["properties"]["code"] == code)
        )
        for code in (321084, 321002)
    )
    assert east.touches(west)


def test_an_export_that_was_killed_goes_on_where_it_was(stored: Dsns, tmp_path: Path) -> None:
    environment = os.environ | {"SHUITU_DATABASE_URL": str(stored.admin), "SHUITU_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "app.entry", "tiles", "export", "intakes", "--maxzoom", "12", "--json"]
    target = tmp_path / "archives" / "intakes.pmtiles"
    target.parent.mkdir()
    target.write_bytes(b"the one before")
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(3_000):
        if list(tmp_path.glob("cache/exports/*/intakes-7.part")):
            break
        assert first.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    first.kill()
    first.wait()
    assert target.read_bytes() == b"the one before"
    second = subprocess.run(command, env=environment, capture_output=True, check=True)
    answer = json.loads(second.stdout)
    assert answer["resumed_parts"] >= 8
    _, tiles, _ = opened(target)
    for zoom in range(13):
        assert sum(f["properties"]["n"] for f in features(tiles, zoom)["intakes"]) == SHOWN
    assert not list(tmp_path.glob("cache/exports/*/*"))


def test_the_map_shows_the_regions_at_every_zoom_the_widest_too(stored: Dsns, folder: Path) -> None:
    with served.serving(stored, folder) as client:
        for z, x, y in ((0, 0, 0), (1, 1, 0), (2, 3, 1), (3, 6, 3), (4, 13, 6), (6, 53, 25), (10, 852, 412)):
            body = client.get(f"/tiles/regions/{z}/{x}/{y}").content
            assert "江苏省" in {f["properties"]["name"] for f in mvt.decode(body)["regions"]["features"]}, z


def test_what_is_too_small_far_out_is_in_the_archive_close_up(shuitu: Any, folder: Path) -> None:
    out = folder / "candidates.pmtiles"
    told(
        shuitu(
            "tiles", "export", "candidates", "--as", "nation", "--out", str(out), "--maxzoom", "12", "--json"
        )
    )
    zooms = {z for z, _, _ in opened(out)[1]}
    assert 12 in zooms
    assert 0 not in zooms
