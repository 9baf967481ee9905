"""OGC API – Styles (draft 20-009): classes core, html and mapbox-style, one test a requirement."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from layers import catalog
from tests.served import Accounts, rels

Get = Callable[..., Any]
Status = Callable[..., int]
STYLES = "http://www.opengis.net/def/rel/ogc/1.0/styles"
MAPBOX = "application/vnd.mapbox.style+json"
ROOTS = ["", *(f"/collections/{layer}" for layer in catalog.load())]
SPEC = (
    Path(__file__).parents[2]
    / "frontend/node_modules/@maplibre/maplibre-gl-style-spec/dist/gl-style-validate.mjs"
)


def path(href: str) -> str:
    return href.removeprefix("http://map.test/ogc")


def test_the_classes_are_declared(get: Get) -> None:
    root = "http://www.opengis.net/spec/ogcapi-styles-1/0.0/conf/"
    assert {root + name for name in ("core", "html", "mapbox-style")} <= set(
        get("/conformance")["conformsTo"]
    )


@pytest.mark.parametrize("root", ROOTS)
def test_core_base_resource_link_and_styles_op_the_list_is_linked_where_its_data_are(
    get: Get, root: str
) -> None:
    link = rels(get(root))[STYLES][0]
    assert path(link["href"]).startswith(f"{root}/styles")
    assert get(path(link["href"]))["styles"]


@pytest.mark.parametrize("root", ROOTS)
def test_core_styles_success_each_style_has_a_stylesheet_and_metadata(get: Get, root: str) -> None:
    body = get(f"{root}/styles")
    names = [style["id"] for style in body["styles"]]
    assert len(set(names)) == len(names) == 2
    assert body["default"] in names
    for style in body["styles"]:
        found = rels(style)
        assert found["stylesheet"][0]["type"] == MAPBOX
        assert found["describedby"][0]["type"] == "application/json"
        assert style["title"]


@pytest.mark.parametrize("root", ROOTS)
def test_core_style_op_and_success_the_stylesheet_is_what_its_type_says(
    client: TestClient, keys: Accounts, get: Get, root: str
) -> None:
    for style in get(f"{root}/styles")["styles"]:
        answer = client.get(rels(style)["stylesheet"][0]["href"], headers={"X-API-Key": keys.nation})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == MAPBOX
        body = answer.json()
        assert body["version"] == 8
        assert {part["source"] for part in body["layers"] if "source" in part} <= body["sources"].keys()


@pytest.mark.parametrize("root", ROOTS)
def test_core_style_md_op_and_success_metadata_name_the_layers(get: Get, root: str) -> None:
    link = rels(get(f"{root}/styles")["styles"][0])["describedby"][0]
    body = get(path(link["href"]))
    assert body["id"] == "light"
    assert body["scope"] == "style"
    assert body["stylesheets"][0]["link"]["type"] == MAPBOX
    expected = list(catalog.load()) if not root else [root.rpartition("/")[2]]
    assert [layer["id"] for layer in body["layers"]] == expected


@pytest.mark.parametrize(
    "address", ["/styles", "/styles/light", "/styles/dark/metadata", "/collections/intakes/styles/light"]
)
def test_html_every_resource_is_a_page_for_browsers(client: TestClient, keys: Accounts, address: str) -> None:
    answer = client.get(f"/ogc{address}", headers={"accept": "text/html", "X-API-Key": keys.nation})
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script" not in answer.text


def test_html_a_style_is_shown_by_its_legend(client: TestClient) -> None:
    page = client.get("/ogc/collections/intakes/styles/light", headers={"accept": "text/html"}).text
    for entry in catalog.load()["intakes"].symbology.colours:
        assert entry.title.zh in page
        assert entry.colour in page


def test_mapbox_style_points_at_our_own_addresses_which_answer(client: TestClient, keys: Accounts) -> None:
    query = {"f": "mapbox", "api_key": keys.nation}
    body = client.get("/ogc/styles/light", params=query).json()
    assert client.get(f"{body['sprite']}.json").status_code == 200
    for name, source in body["sources"].items():
        url = source["tiles"][0]
        assert url.startswith(f"http://map.test/tiles/{name}/")
        assert f"api_key={keys.nation}" in url
        assert client.get(url.format(z=8, x=212, y=103)).status_code in (200, 204)


def test_mapbox_style_of_a_collection_draws_that_collection_only(get: Get) -> None:
    assert list(get("/collections/intakes/styles/light", f="json")["sources"]) == ["intakes"]


def test_mapbox_style_is_valid_by_the_specification(get: Get, tmp_path: Path) -> None:
    node = shutil.which("node") or shutil.which("node", path=str(Path(__import__("sys").executable).parent))
    if node is None or not SPEC.exists():
        pytest.skip("the style specification's validator is not installed (npm ci in frontend)")
    for name in ("light", "dark"):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(get(f"/styles/{name}", f="mapbox")), "utf-8")
        done = subprocess.run([node, str(SPEC), str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_bad_names_and_parameters_are_refused(status: Status, client: TestClient) -> None:
    assert status("/styles/nothing") == 404
    assert status("/collections/nothing/styles") == 404
    assert status("/styles/light", lang="fr") == 400
    assert status("/styles", unknown="1") == 400
    assert client.get("/ogc/collections/permits/styles").status_code == 401
