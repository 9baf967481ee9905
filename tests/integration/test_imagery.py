"""Scenes come on file from folders and STAC APIs, are seen by whose jurisdiction they touch, and are drawn as tiles."""

import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_bounds
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import InvalidInput
from app.imagery import gathering, service
from app.imagery.gathering import Search, Unusable
from app.imagery.watching import Watch

NATION = system("test")
BANDS = {"B02": 500, "B03": 700, "B04": 900, "B08": 2600, "B11": 1500}
WEST, SOUTH, SIDE = 119.02, 32.05, 0.03
"""In 高邮, well west of 119.2."""


def write_scene(
    path: Path,
    *,
    west: float = WEST,
    gain: float = 1.0,
    names: tuple[str, ...] = ("B02", "B03", "B04", "B08", "B11"),
) -> Path:
    """A scene with a pond in its upper left quarter and no data in its right tenth."""
    pixels = np.empty((len(names), 200, 200), np.float64)
    ramp = np.linspace(0.8, 1.2, 200)[None, :]
    for n, name in enumerate(names):
        pixels[n] = BANDS[name] * ramp
        pixels[n, 40:80, 40:80] = 300 if name in ("B02", "B03", "B04") else 100
    pixels *= gain
    pixels[:, :, 180:] = 0
    profile = {
        "driver": "GTiff", "count": len(names), "dtype": "uint16", "width": 200, "height": 200, "crs": "EPSG:4326", "nodata": 0,
        "transform": from_bounds(west, SOUTH, west + SIDE, SOUTH + SIDE, 200, 200),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(pixels.astype(np.uint16))
        target.descriptions = names
    return path


def tile_at(lon: float, lat: float, z: int) -> str:
    n = 2**z
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * n
    return f"{z}/{int((lon + 180) / 360 * n)}/{int(y)}"


INSIDE = tile_at(WEST + SIDE / 2, SOUTH + SIDE / 2, 13)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scenes")
    (made / "2023").mkdir()
    (made / "2024").mkdir()
    write_scene(made / "2023" / "a_20230512.tif")
    write_scene(made / "2024" / "b_20240512.tif", gain=1.5)
    write_scene(made / "2024" / "few_20240601.tif", names=("B03", "B04", "B08"))
    good = write_scene(made / "2024" / "c_20240701.tif").read_bytes()
    (made / "2024" / "c_20240701.tif").write_bytes(good[:300])
    (made / "2024" / "notes.txt").write_text("not an image")
    return made


@pytest.fixture(scope="module")
def on_file(services: Services, folder: Path) -> dict[str, int]:
    added, _ = service.store_all(services, NATION, gathering.in_folder(folder))
    return {str(one["item_id"]): int(str(one["id"])) for one in added}


def picture(answer: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def test_a_folder_gives_its_scenes_and_names_what_is_none(folder: Path) -> None:
    found = list(gathering.in_folder(folder))
    assert {one.item_id for one in found if not isinstance(one, Unusable)} == {
        "a_20230512", "b_20240512", "few_20240601",
    }  # fmt: skip
    unusable = [one for one in found if isinstance(one, Unusable)]
    assert [Path(one.name).name for one in unusable] == ["c_20240701.tif"]
    assert "c_20240701.tif" in unusable[0].problem


def test_scenes_are_seen_by_the_jurisdictions_that_they_touch(
    services: Services, on_file: dict[str, int], log_in: Callable[[str], TestClient], tmp_path: Path
) -> None:
    write_scene(tmp_path / "abroad_20240101.tif", west=10.0)
    with transaction(services.engine, NATION) as session:
        service.add_scenes(session, NATION, tmp_path)
    seen = {
        name: {one["item_id"] for one in log_in(name).get("/api/scenes").json()}
        for name in ("admin", "gaoyou", "baoying")
    }
    assert seen["gaoyou"] == set(on_file)
    assert seen["baoying"] == set()
    assert seen["admin"] == set(on_file) | {"abroad_20240101"}
    web = log_in("baoying")
    assert web.get(f"/imagery/{on_file['a_20230512']}/{INSIDE}.png").status_code == 404


def test_boundaries_that_come_later_place_the_scenes(services: Services, on_file: dict[str, int]) -> None:
    def codes() -> list[int]:
        with transaction(services.engine, NATION) as session:
            found = session.execute(
                text("select county_codes from shuitu.scenes where id = :id"), {"id": on_file["a_20230512"]}
            ).scalar_one()
        return list(found)

    assert codes() == [321084]
    with transaction(services.engine, NATION) as session:
        session.execute(
            text("""insert into shuitu.regions (code, name, level, parent_code, geom, label)
                    select 321099, '新区', 3, 321000, st_multi(g), st_centroid(g)
                    from st_makeenvelope(119.0, 32.0, 119.1, 32.1, 4490) g""")
        )
    try:
        assert codes() == [321084, 321099]
    finally:
        with transaction(services.engine, NATION) as session:
            session.execute(text("delete from shuitu.regions where code = 321099"))


def test_someone_elses_county_is_not_filed(services: Services, tmp_path: Path) -> None:
    from app.actor import Actor

    write_scene(tmp_path / "elsewhere_20240101.tif")
    actor = Actor("baoying", Role.OFFICER, Jurisdiction.of_region("321023"))
    added, unusable = service.store_all(services, actor, gathering.in_folder(tmp_path))
    assert added == []
    assert "不在您的辖区内" in unusable[0].problem


def test_tiles_show_bands_and_leave_no_data_transparent(
    on_file: dict[str, int], log_in: Callable[[str], TestClient]
) -> None:
    web = log_in("gaoyou")
    scene = on_file["a_20230512"]
    seen = picture(web.get(f"/imagery/{scene}/{INSIDE}.png"))
    assert seen.shape == (256, 256, 4)
    covered = seen[..., 3] == 255
    assert 0.1 < covered.mean() < 0.95  # the right tenth has no data, and the tile is wider than the scene
    webp = web.get(f"/imagery/{scene}/{INSIDE}.webp")
    assert webp.headers["content-type"] == "image/webp"
    assert np.array_equal(picture(webp)[..., 3] == 255, covered)
    assert web.get(f"/imagery/{scene}/13/0/0.png").status_code == 204


def test_a_wide_tile_draws_only_what_the_scene_covers(
    on_file: dict[str, int], log_in: Callable[[str], TestClient]
) -> None:
    """In the scene's own pixels a tile of zoom 3 would be 300,000 a side."""
    seen = {}
    for z in (3, 8, 10):
        at = tile_at(WEST + SIDE / 2, SOUTH + SIDE / 2, z)
        answer = log_in("gaoyou").get(f"/imagery/{on_file['a_20230512']}/{at}.png")
        assert answer.status_code in (200, 204)
        seen[z] = 0 if answer.status_code == 204 else int((picture(answer)[..., 3] == 255).sum())
    # 2,900 m, which are 3,400 in Web Mercator at 32° N, in its pixels of 611 m and 153 m; those on the edge are drawn.
    assert 20 <= seen[8] <= 49
    assert 300 <= seen[10] <= 560


def test_indices_tell_water_from_land(on_file: dict[str, int], log_in: Callable[[str], TestClient]) -> None:
    web = log_in("gaoyou")
    scene = on_file["a_20230512"]
    pond = tile_at(WEST + SIDE * 0.3, SOUTH + SIDE * 0.7, 17)
    dry = tile_at(WEST + SIDE * 0.7, SOUTH + SIDE * 0.3, 17)
    for index in ("ndwi", "mndwi"):
        water = picture(web.get(f"/imagery/{scene}/{pond}.png", params={"render_as": index}))[128, 128]
        land = picture(web.get(f"/imagery/{scene}/{dry}.png", params={"render_as": index}))[128, 128]
        assert int(water[2]) > int(water[0])  # blue
        assert int(land[0]) > int(land[2])  # red
    green = picture(web.get(f"/imagery/{scene}/{dry}.png", params={"render_as": "ndvi"}))[128, 128]
    bare = picture(web.get(f"/imagery/{scene}/{pond}.png", params={"render_as": "ndvi"}))[128, 128]
    assert int(green[1]) > int(green[0])
    assert int(bare[0]) > int(bare[1])


def test_what_a_scene_lacks_is_said(on_file: dict[str, int], log_in: Callable[[str], TestClient]) -> None:
    web = log_in("gaoyou")
    few = next(one for one in web.get("/api/scenes").json() if one["item_id"] == "few_20240601")
    assert few["renderings"] == ["true", "false_colour", "ndvi", "ndwi"]
    refused = web.get(f"/imagery/{few['id']}/{INSIDE}.png", params={"render_as": "mndwi"})
    assert refused.status_code == 400
    assert "few_20240601" in refused.json()["detail"]
    assert web.get(f"/imagery/{few['id']}/{INSIDE}.png", params={"render_as": "thermal"}).status_code == 400
    assert web.get(f"/imagery/{few['id']}/3/8/0.png").status_code == 400
    assert web.get(f"/imagery/{few['id']}/{INSIDE}.bmp").status_code == 400


def test_two_dates_are_stretched_alike_where_asked(
    on_file: dict[str, int], log_in: Callable[[str], TestClient]
) -> None:
    web = log_in("gaoyou")
    dark, bright = on_file["a_20230512"], on_file["b_20240512"]
    alone = picture(web.get(f"/imagery/{bright}/{INSIDE}.png"))
    alike = picture(web.get(f"/imagery/{bright}/{INSIDE}.png", params={"like": dark}))
    seen = alone[..., 3] == 255
    assert alike[seen][:, :3].mean() > alone[seen][:, :3].mean() + 20


def test_a_tile_that_is_known_is_not_sent_again(
    on_file: dict[str, int], log_in: Callable[[str], TestClient]
) -> None:
    web = log_in("gaoyou")
    url = f"/imagery/{on_file['a_20230512']}/{INSIDE}.png"
    first = web.get(url)
    assert first.headers["cache-control"].startswith("private")
    again = web.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = web.get(url, params={"render_as": "ndvi"}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    web.cookies.clear()
    assert web.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 401


def test_a_scene_whose_file_is_gone_or_damaged_says_so(
    services: Services, folder: Path, tmp_path: Path, log_in: Callable[[str], TestClient]
) -> None:
    path = shutil.copy(folder / "2023" / "a_20230512.tif", tmp_path / "gone_20230601.tif")
    with transaction(services.engine, NATION) as session:
        (scene,) = service.add_scenes(session, NATION, Path(path))
    web = log_in("gaoyou")
    Path(path).write_bytes(Path(path).read_bytes()[:2000])
    damaged = web.get(f"/imagery/{scene}/{INSIDE}.png")
    assert damaged.status_code == 400
    assert "gone_20230601.tif" in damaged.json()["detail"]
    Path(path).unlink()
    gone = web.get(f"/imagery/{scene}/{INSIDE}.png")
    assert gone.status_code == 404
    assert "gone_20230601.tif" in gone.json()["detail"]
    assert str(tmp_path) not in gone.text


def test_tilejson_is_what_a_gis_needs(on_file: dict[str, int], log_in: Callable[[str], TestClient]) -> None:
    web = log_in("gaoyou")
    told = web.get(f"/imagery/{on_file['a_20230512']}/tilejson.json", params={"render_as": "ndvi"}).json()
    assert told["bounds"] == pytest.approx([WEST, SOUTH, WEST + SIDE, SOUTH + SIDE])
    z, x, y = INSIDE.split("/")
    address = told["tiles"][0].replace("{z}", z).replace("{x}", x).replace("{y}", y)
    assert web.get(address).headers["content-type"] == "image/webp"
    assert told["minzoom"] < told["maxzoom"]


class Catalogue(BaseHTTPRequestHandler):
    """A small STAC API: one collection, item search by POST, pages of one item."""

    items: list[dict[str, Any]] = []  # noqa: RUF012 - set by the test
    asked: list[dict[str, Any]] = []  # noqa: RUF012

    def _send(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        root = f"http://{self.headers['Host']}"
        links = [{"rel": rel, "href": root} for rel in ("self", "root")]
        links.append(
            {"rel": "search", "href": f"{root}/search", "method": "POST", "type": "application/geo+json"}
        )
        self._send(
            {
                "type": "Catalog", "stac_version": "1.0.0", "id": "test", "description": "test", "links": links,
                "conformsTo": [f"https://api.stacspec.org/v1.0.0/{one}" for one in ("core", "item-search", "item-search#query")],
            }
        )  # fmt: skip

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append(asked)
        at = int(asked.get("token", 0))
        links = []
        if at + 1 < len(self.items):
            href = f"http://{self.headers['Host']}/search"
            links = [
                {"rel": "next", "href": href, "method": "POST", "merge": True, "body": {"token": str(at + 1)}}
            ]
        self._send({"type": "FeatureCollection", "features": self.items[at : at + 1], "links": links})

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def catalogue() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Catalogue)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def item(name: str, file: Path, bands: list[dict[str, Any]], cloud: float = 3.5) -> dict[str, Any]:
    box = [WEST, SOUTH, WEST + SIDE, SOUTH + SIDE]
    ring = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]], [box[0], box[1]]]
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "bbox": box, "links": [],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": "2024-06-01T02:30:00Z", "platform": "sentinel-2b", "eo:cloud_cover": cloud},
        "assets": {"visual": {"href": f"file://{file}", "eo:bands": bands}},
    }  # fmt: skip


def test_a_stac_api_gives_its_scenes_page_by_page(
    catalogue: str, folder: Path, services: Services, log_in: Callable[[str], TestClient]
) -> None:
    bands = [{"name": name, "common_name": common} for name, common in
             (("B02", "blue"), ("B03", "green"), ("B04", "red"), ("B08", "nir"))]  # fmt: skip
    file = folder / "2023" / "a_20230512.tif"
    Catalogue.items = [
        item("api-1", file, bands),
        item("api-bad", file, bands[:1]),
        item("api-2", file, bands),
    ]
    Catalogue.asked = []
    asked = Search(("sentinel-2-l2a",), (119.0, 32.0, 119.2, 32.2), "2024-05-01/2024-06-30", cloud=20)
    added, unusable = service.store_all(services, NATION, gathering.in_catalogue(catalogue, asked), catalogue)
    assert [one["item_id"] for one in added] == ["api-1", "api-2"]
    assert [one.name for one in unusable] == ["api-bad"]
    first = Catalogue.asked[0]
    assert first["collections"] == ["sentinel-2-l2a"]
    assert first["bbox"] == [119.0, 32.0, 119.2, 32.2]
    assert first["datetime"].startswith("2024-05-01")
    assert first["query"] == {"eo:cloud_cover": {"lte": 20}}
    web = log_in("gaoyou")
    scene = next(one for one in web.get("/api/scenes").json() if one["item_id"] == "api-1")
    assert (scene["cloud_pct"], scene["sensor"], scene["acquired_at"]) == (
        3.5,
        "sentinel-2b",
        "2024-06-01T02:30:00Z",
    )
    assert web.get(f"/imagery/{scene['id']}/{INSIDE}.png").status_code == 200


def test_an_address_that_is_no_catalogue_is_told(catalogue: str) -> None:
    with pytest.raises(InvalidInput, match="STAC"):
        list(gathering.in_catalogue("http://127.0.0.1:9/none", Search()))


def test_the_watched_folder_files_what_is_put_there(
    services: Services, folder: Path, log_in: Callable[[str], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.imagery.watching.SETTLED_S", 0)
    watched = services.settings.imagery_dir
    watched.mkdir(parents=True, exist_ok=True)
    watch = Watch(services)
    assert watch.run() == 0
    shutil.copy(folder / "2023" / "a_20230512.tif", watched / "dropped_20240801.tif")
    assert watch.run() == 1
    assert watch.run() == 0  # nothing was written since
    assert "dropped_20240801" in {one["item_id"] for one in log_in("gaoyou").get("/api/scenes").json()}
