"""`shuitu tiles`: an archive holds what the tiles show, for whom it is meant, and is served by ranges."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mapbox_vector_tile as mvt
import psycopg
import pytest
from pmtiles.reader import MmapSource, Reader, all_tiles
from typer.testing import CliRunner, Result

from app.cli import app
from app.db.engine import Dsns
from layers import catalog
from tests import served

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


def test_rebuilding_brings_the_map_tables_up_to_the_facts(shuitu: Any, stored: Dsns) -> None:
    assert shuitu("tiles", "rebuild").exit_code == 0
    with psycopg.connect(stored.map) as connection:
        connection.execute(
            "select set_config('app.scope_lo', '0', true), set_config('app.scope_hi', '1000000', true)"
        )
        assert connection.execute("select count(*) from map.intake_points").fetchone() == (SHOWN,)
        assert connection.execute("select layer from map.change_log order by layer").fetchall() == [
            ("intakes",),
            ("regions",),
        ]
    assert shuitu("tiles", "rebuild", "scenes").exception is not None


def test_an_archive_holds_every_public_point_and_public_fields_only(shuitu: Any, folder: Path) -> None:
    answer = told(shuitu("tiles", "export", "intakes", "--maxzoom", "12", "--json"))
    file = Path(answer["file"])
    assert file == (folder / "archives" / "intakes.pmtiles").resolve()
    with file.open("rb") as opened:
        source = MmapSource(opened)
        header = Reader(source).header()
        tiles = dict(all_tiles(source))
        metadata = Reader(source).metadata()
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
        features = [
            feature
            for (z, _, _), body in tiles.items()
            if z == zoom
            for feature in mvt.decode(gzip.decompress(body))["intakes"]["features"]
        ]
        assert sum(feature["properties"]["n"] for feature in features) == SHOWN, f"zoom {zoom}"
        assert all(
            name in declared or name.startswith("n_")
            for feature in features
            for name in feature["properties"]
        )
    assert not list(file.parent.glob("*.partial"))


def test_the_archive_is_served_by_ranges(shuitu: Any, stored: Dsns, folder: Path) -> None:
    whole = Path(told(shuitu("tiles", "export", "regions", "--maxzoom", "6", "--json"))["file"]).read_bytes()
    with served.serving(stored, folder) as client:

        def part(offset: int, length: int) -> bytes:
            answer = client.get(
                "/archives/regions.pmtiles", headers={"Range": f"bytes={offset}-{offset + length - 1}"}
            )
            assert answer.status_code == 206
            assert (
                answer.headers["content-range"]
                == f"bytes {offset}-{min(offset + length, len(whole)) - 1}/{len(whole)}"
            )
            return answer.content

        reader = Reader(part)
        body = reader.get(6, 53, 25)
        names = {f["properties"]["name"] for f in mvt.decode(gzip.decompress(body))["regions"]["features"]}
        assert {"江苏省", "扬州市", "广陵区"} <= names
        head = client.head("/archives/regions.pmtiles")
        assert int(head.headers["content-length"]) == len(whole)
        assert head.headers["accept-ranges"] == "bytes"
        tag = head.headers["etag"]
        assert not tag.startswith("W/")
        assert (
            client.get("/archives/regions.pmtiles", headers={"Range": f"bytes={len(whole)}-"}).status_code
            == 416
        )


def test_officer_fields_go_where_the_public_cannot_fetch_them(
    shuitu: Any, stored: Dsns, folder: Path
) -> None:
    answer = told(shuitu("tiles", "export", "intakes", "--as", "county", "--maxzoom", "8", "--json"))
    assert Path(answer["file"]) == (folder / "archives" / "officer" / "intakes.pmtiles").resolve()
    with Path(answer["file"]).open("rb") as opened:
        tiles = dict(all_tiles(MmapSource(opened)))
    features = [
        f
        for (z, _, _), body in tiles.items()
        if z == 8
        for f in mvt.decode(gzip.decompress(body))["intakes"]["features"]
    ]
    assert {f["properties"]["county_code"] for f in features} == {321084}
    leak = shuitu(
        "tiles", "export", "intakes", "--as", "county", "--out", str(folder / "archives" / "x.pmtiles")
    )
    assert leak.exit_code != 0
    assert "公众" in str(leak.exception)
    assert not (folder / "archives" / "x.pmtiles").exists()


def test_a_layer_that_is_not_public_needs_an_account(shuitu: Any, folder: Path) -> None:
    refused = shuitu("tiles", "export", "permits", "--out", str(folder / "permits.pmtiles"))
    assert refused.exit_code != 0
    assert "--as" in str(refused.exception)
    assert shuitu("tiles", "export", "nothing").exit_code != 0


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
    with out.open("rb") as opened:
        zooms = {z for z, _, _ in dict(all_tiles(MmapSource(opened)))}
    assert 12 in zooms
    assert 0 not in zooms
