"""What the map loads before its first tile: catalogue, style, sprite."""

import struct

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(("suffix", "scale"), [("", 1), ("@2x", 2), ("-dark", 1), ("-dark@2x", 2)])
def test_every_picture_of_the_style_is_in_the_sprite(web: TestClient, suffix: str, scale: int) -> None:
    index = web.get(f"/styles/sprite{suffix}.json").json()
    picture = web.get(f"/styles/sprite{suffix}.png")
    assert picture.headers["content-type"] == "image/png"
    width, height = struct.unpack(">II", picture.content[16:24])
    assert {"triangle-linked", "diamond-exempt", "square-ended"} <= set(index)
    for place in index.values():
        assert place["pixelRatio"] == scale
        assert place["x"] + place["width"] <= width
        assert place["y"] + place["height"] <= height


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_style_names_only_what_this_server_has(web: TestClient, theme: str) -> None:
    style = web.get(f"/styles/{theme}.json").json()
    assert style["sprite"] == "http://testserver/styles/sprite" + ("-dark" if theme == "dark" else "")
    assert web.get(style["sprite"] + ".json").status_code == 200
    assert {layer["source"] for layer in style["layers"] if "source" in layer} == set(style["sources"])
    shown = {layer["metadata"]["shuitu:layer"] for layer in style["layers"] if "metadata" in layer}
    listed = {layer["id"] for layer in web.get("/api/catalog").json()["layers"]}
    assert shown == listed
    assert "candidates" not in listed
    assert web.get("/styles/pink.json").status_code == 404


@pytest.mark.parametrize(("lang", "grouped"), [("zh", True), ("en", False)])
def test_large_counts_are_grouped_as_the_language_does(web: TestClient, lang: str, grouped: bool) -> None:
    style = web.get("/styles/light.json", params={"lang": lang}).json()
    number = next(layer for layer in style["layers"] if layer["id"] == "intakes-cells-number")
    assert ("万" in str(number["layout"]["text-field"])) is grouped
