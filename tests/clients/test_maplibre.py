"""The style that the service sends: valid for MapLibre, and everything that it names is there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import mapbox_vector_tile as mvt
import pytest

from tests.clients.conftest import Service

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = ROOT / "frontend" / "node_modules" / ".bin" / "gl-style-validate"
NODE = ROOT / ".venv" / "bin"


@pytest.fixture(params=["light", "dark"])
def style(request: pytest.FixtureRequest, service: Service) -> dict[str, Any]:
    answer = httpx.get(
        f"{service.address}/styles/{request.param}.json", headers={"X-API-Key": service.keys.nation}
    )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_the_validator_finds_no_fault(style: dict[str, Any], tmp_path: Path) -> None:
    if not VALIDATOR.exists():
        pytest.skip("the front end's packages are not installed (make frontend)")
    path = tmp_path / "style.json"
    path.write_text(json.dumps(style))
    done = subprocess.run(
        [NODE / "node", VALIDATOR, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_every_source_answers_and_holds_the_layers_that_are_drawn(
    style: dict[str, Any], service: Service
) -> None:
    drawn = {(one["source"], one["source-layer"]) for one in style["layers"] if "source-layer" in one}
    assert drawn
    headers = {"X-API-Key": service.keys.nation}
    held = {}
    for name, source in style["sources"].items():
        told = httpx.get(source["url"], headers=headers).json() if "url" in source else source
        assert all(url.startswith(service.address) for url in told["tiles"]), name
        held[name] = {one["id"] for one in told.get("vector_layers", [])} or None
        url = told["tiles"][0].format(z=6, x=53, y=25)
        answer = httpx.get(url, headers=headers)
        assert answer.status_code in (200, 204), url
        if answer.content and held[name]:
            assert set(mvt.decode(answer.content)) <= held[name]
    assert {source for source, _ in drawn} <= held.keys()
    for source, layer in drawn:
        assert held[source] is None or layer in held[source], (source, layer)


def test_sprite_and_glyphs_are_our_own_and_answer(style: dict[str, Any], service: Service) -> None:
    index = httpx.get(f"{style['sprite']}.json")
    picture = httpx.get(f"{style['sprite']}.png")
    assert style["sprite"].startswith(service.address)
    assert index.status_code == picture.status_code == 200
    icons = {
        one["layout"]["icon-image"]
        for one in style["layers"]
        if isinstance(one.get("layout", {}).get("icon-image"), str)
    }
    assert icons <= index.json().keys()
    if "glyphs" in style:
        assert style["glyphs"].startswith(service.address)
