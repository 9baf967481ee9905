"""The pages of tile matrix sets and tilesets."""

from collections.abc import Mapping
from typing import Any

from app.ogc.links import Addresses, Link
from app.ogc.pages import Crumb, Row, Section, page
from app.ogc.tilesets.documents import Root

Made = Mapping[str, Any]


def _above(at: Addresses, root: Root, *, tilesets: bool = False) -> list[Crumb]:
    found = [Crumb(root.title, at.to(*root.path, f="html"))] if root.path else []
    if tilesets:
        found.append(Crumb("切片集 · Tilesets", at.to(*root.path, "tiles", f="html")))
    return found


def matrix_sets(at: Addresses, made: Made, links: list[Link]) -> bytes:
    rows = [
        Row(one["title"], f"{one['id']} · {one['crs']}", at.to("tileMatrixSets", one["id"], f="html"))
        for one in made["tileMatrixSets"]
    ]
    return page(at, "切片方案 · Tile matrix sets", links, [Section("", rows)])


def matrix_set(at: Addresses, made: Made, links: list[Link]) -> bytes:
    levels = [
        Row(one["id"], f"1 : {one['scaleDenominator']:,.0f} · {one['matrixWidth']} × {one['matrixHeight']}")
        for one in made["tileMatrices"]
    ]
    facts = [Row("坐标系 · CRS", made["crs"]), Row("轴序 · Axes", ", ".join(made["orderedAxes"]))]
    return page(
        at,
        made["title"],
        links,
        [Section("", facts), Section("级别 · Levels", levels)],
        crumbs=[Crumb("切片方案 · Tile matrix sets", at.to("tileMatrixSets", f="html"))],
    )


def tilesets(at: Addresses, root: Root, made: Made, links: list[Link]) -> bytes:
    rows = [
        Row(
            one["title"],
            one["crs"],
            next(link["href"] for link in one["links"] if link["type"] == "text/html"),
        )
        for one in made["tilesets"]
    ]
    return page(at, f"{root.title}：切片集 · Tilesets", links, [Section("", rows)], crumbs=_above(at, root))


def tileset(at: Addresses, root: Root, made: Made, links: list[Link]) -> bytes:
    template = next(one["href"] for one in made["links"] if one.get("templated"))
    facts = [Row("瓦片地址 · Tiles", template), Row("坐标系 · CRS", made["crs"])]
    if "boundingBox" in made:
        corners = [*made["boundingBox"]["lowerLeft"], *made["boundingBox"]["upperRight"]]
        facts.append(Row("范围 · Extent (CRS84)", ", ".join(f"{edge:.5f}" for edge in corners)))
    layers = [
        Row(
            one["title"],
            ", ".join(one["propertiesSchema"]["properties"]),
            at.to("collections", one["id"], f="html"),
        )
        for one in made["layers"]
    ]
    return page(
        at,
        made["title"],
        links,
        [Section("", facts), Section("图层 · Layers", layers)],
        text=made["description"],
        crumbs=_above(at, root, tilesets=True),
    )
