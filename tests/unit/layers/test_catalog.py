"""Declarations: well formed, and everything derived from them agrees."""

import pytest
from pydantic import ValidationError

from layers import catalog
from layers.derive import queryables, style, tilejson
from layers.derive.legend import legend, panel
from layers.derive.sprite import sprite
from layers.model import Layer

LAYERS = catalog.load()


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
@pytest.mark.parametrize("audience", ["public", "officer"])
def test_style_and_legend_come_from_the_same_classes(layer: Layer, audience: str) -> None:
    if layer.relation_for(audience) is None or layer.basemap:
        return
    paint = str(style.layers_of(layer, audience))
    for entry in legend(layer, audience)[0]["entries"]:
        assert entry["colour"] in paint


def test_a_style_names_only_sources_and_fields_that_exist() -> None:
    made = style.style(LAYERS.values(), "officer", "http://localhost")
    for part in made["layers"]:
        if part["type"] != "background":
            assert part["source"] in made["sources"]
            assert part["source-layer"] == part["source"]
    ids = [part["id"] for part in made["layers"]]
    assert len(ids) == len(set(ids))


def test_every_picture_that_the_style_asks_for_is_in_the_sprite() -> None:
    intakes = LAYERS["intakes"]
    index, png = sprite([intakes])
    states = {value.value for value in intakes.field("permit_state").values}
    shapes = {entry.shape for entry in intakes.symbology.shapes} - {"circle"}
    arcs = {f"share-{n}" for n in range(1, 17)}
    assert index.keys() == {f"{shape}-{state}" for shape in shapes for state in states} | arcs
    assert png.startswith(b"\x89PNG")


def test_the_public_learns_of_no_officer_field() -> None:
    for layer in catalog.visible_to("public"):
        # "name" is a word of every panel, not only a field.
        secret = {f.name for f in layer.fields if f.audience == "officer"} - {"name"}
        shown = str(panel(layer, "public")) + str(tilejson.tilejson(layer, "public", "x", version="0"))
        shown += str(queryables.schema(layer, "public", "x"))
        assert not [name for name in secret if f"'{name}'" in shown]


def test_a_declaration_that_names_an_unknown_field_is_refused() -> None:
    good = LAYERS["basins"].model_dump()
    good["symbology"]["label"] = "nothing"
    with pytest.raises(ValidationError, match="nothing"):
        Layer.model_validate(good)


def test_a_layer_reads_only_schema_map() -> None:
    bad = LAYERS["basins"].model_dump()
    bad["source"]["view"] = "shuitu.basin_agencies"
    with pytest.raises(ValidationError, match="schema map"):
        Layer.model_validate(bad)
