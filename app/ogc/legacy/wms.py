"""WMS 1.3.0 (06-042) and 1.1.1 (01-068r3): pictures of the layers, and what lies under a pixel."""

import re
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.errors import InvalidInput
from app.ogc.answering import Asked
from app.ogc.documents import description, title
from app.ogc.html import worded
from app.ogc.legacy import picture
from app.ogc.legacy.crs import MAP_SYSTEMS, MapCrs, view
from app.ogc.legacy.info import Found, found_at
from app.ogc.legacy.kvp import Kvp, Refused
from app.ogc.legacy.picture import Shown
from app.ogc.legacy.views import View
from app.ogc.legacy.web import answer, covered, layer_named, rendered, service, url
from app.ogc.parameters import period
from app.ogc.styles.documents import TITLES
from layers import catalog
from layers.model import Layer
from tiles.options import TileOptions

router = APIRouter()
MOST_PX, MOST_LAYERS, MOST_FEATURES = 4096, 20, 50
PICTURES = ("image/png", "image/jpeg", "image/webp")
INFO = ("text/html", "application/json", "application/geo+json", "text/plain", "text/xml")
COLOUR = re.compile(r"0[xX][0-9a-fA-F]{6}")
BLANK = {
    "1.3.0": ("XML", "INIMAGE", "BLANK"),
    "1.1.1": ("application/vnd.ogc.se_xml", "application/vnd.ogc.se_inimage", "application/vnd.ogc.se_blank"),
}


def version_of(kvp: Kvp) -> str:
    """1.3.0 unless an older one is asked for (06-042, 6.2.4)."""
    asked = kvp.get("VERSION") or kvp.get("WMTVER")
    return "1.1.1" if asked and asked < "1.3.0" else "1.3.0"


def report(kvp: Kvp, error: Refused) -> tuple[str, str]:
    version = version_of(kvp)
    # WMS has no code for a parameter that is missing or wrong; 1.1.1 knows no locator.
    code = (
        ""
        if error.code in ("MissingParameterValue", "InvalidParameterValue", "NoApplicableCode")
        else error.code
    )
    form = "wms130" if version == "1.3.0" else "wms111"
    body = rendered(
        "exceptions.xml", form=form, code=code, locator=error.locator, text=str(error), version=""
    )
    media = "text/xml; charset=utf-8" if version == "1.3.0" else "application/vnd.ogc.se_xml; charset=utf-8"
    return body.decode(), media


@service(router, "/wms", report)
async def wms(asked: Asked, kvp: Kvp) -> Response:
    request = kvp.get("REQUEST") or "GetCapabilities"
    if kvp.get("SERVICE", "WMS").upper() != "WMS":
        raise Refused("InvalidParameterValue", "SERVICE 应为 WMS (SERVICE is WMS)", "SERVICE")
    operation = OPERATIONS.get(request.lower())
    if operation is None:
        raise Refused("OperationNotSupported", f"不支持操作 {request[:60]!r} (no such operation)", "REQUEST")
    made: Response = await operation(asked, kvp, version_of(kvp))
    return made


async def capabilities(asked: Asked, kvp: Kvp, version: str) -> Response:
    new = version == "1.3.0"
    layers = tuple(reversed(catalog.visible_to(asked.viewer.audience)))
    boxes = await covered(asked, layers)
    here = url(asked, "wms")
    body = rendered(
        "wms.xml",
        new=new,
        landing=asked.at.to(),
        url=here,
        most=MOST_PX,
        exceptions=BLANK[version],
        systems=[name for name in MAP_SYSTEMS if new or name != "CRS:84"],
        operations=[
            ("GetCapabilities", ["text/xml" if new else "application/vnd.ogc.wms_xml"]),
            ("GetMap", PICTURES),
            ("GetFeatureInfo", INFO),
        ],
        layers=[await _described(asked, layer, boxes[layer.id], here, new=new) for layer in layers],
    )
    media = "text/xml; charset=utf-8" if new else "application/vnd.ogc.wms_xml; charset=utf-8"
    return answer(asked, body, media)


async def _described(
    asked: Asked, layer: Layer, box: tuple[float, float, float, float], here: str, *, new: bool
) -> dict[str, Any]:
    times = (await asked.store.extent_of(layer, asked.viewer)).times
    return {
        "name": layer.id,
        "title": title(layer),
        "abstract": description(layer),
        "box": box,
        "boxes": [
            (crs.name, crs.written(crs.box(box), swap=new))
            for crs in MAP_SYSTEMS.values()
            if new or crs.name != "CRS:84"
        ],
        "times": f"{times[0]:%Y-%m-%dT%H:%M:%SZ}/{times[1]:%Y-%m-%dT%H:%M:%SZ}/PT1S" if times else "",
        "about": asked.at.to("collections", layer.id, f="html"),
        "styles": [
            {
                "name": name,
                "title": label,
                "width": 220,
                "height": 120,
                "legend": f"{here}SERVICE=WMS&VERSION={'1.3.0' if new else '1.1.1'}&REQUEST=GetLegendGraphic&LAYER={layer.id}&STYLE={name}&FORMAT=image/png",
            }
            for name, label in TITLES.items()
        ],
    }


def _shown(asked: Asked, kvp: Kvp, names: list[str], *, locator: str = "LAYERS") -> list[Shown]:
    """The layers of a picture with their themes and time. Raises Refused."""
    if not names or names == [""]:
        raise Refused("MissingParameterValue", f"缺少参数 {locator} ({locator} is missing)", locator)
    if len(names) > MOST_LAYERS:
        raise Refused(
            "InvalidParameterValue", f"最多{MOST_LAYERS}个图层 (at most {MOST_LAYERS} layers)", locator
        )
    styles = kvp.texts("STYLES") or [""] * len(names)
    if len(styles) != len(names):
        raise Refused(
            "StyleNotDefined",
            "STYLES 与 LAYERS 的个数不同 (STYLES has not as many entries as LAYERS)",
            "STYLES",
        )
    options = _options(kvp)
    found = []
    for name, style in zip(names, styles, strict=True):
        layer = layer_named(asked, name, "LayerNotDefined", locator)
        theme = style or "light"
        if theme.lower() == "default":
            theme = "light"
        if theme not in TITLES:
            raise Refused("StyleNotDefined", f"没有样式 {style[:60]!r} (no such style)", "STYLES")
        found.append(Shown(layer, theme, options if layer.source.datetime else TileOptions()))
    return found


def _options(kvp: Kvp) -> TileOptions:
    """TIME: an instant, a day, or an interval."""
    text = kvp.get("TIME")
    if not text or text.lower() in ("current", "default"):
        return TileOptions()
    parts = text.split("/")
    try:
        asked = period("/".join(parts[:2]))  # a resolution after the interval says nothing here
    except InvalidInput as error:
        raise Refused("InvalidDimensionValue", str(error), "TIME") from None
    return TileOptions(datetime=(asked.start, asked.end))


def _view(kvp: Kvp, version: str) -> tuple[View, MapCrs]:
    new = version == "1.3.0"
    name = kvp.needed("CRS" if new else "SRS")
    crs = MAP_SYSTEMS.get(name.upper())
    if crs is None or (not new and crs.name == "CRS:84"):
        raise Refused(
            "InvalidCRS" if new else "InvalidSRS",
            f"不支持坐标系 {name[:60]!r} (no such CRS)",
            "CRS" if new else "SRS",
        )
    width, height = kvp.whole("WIDTH", 1, MOST_PX), kvp.whole("HEIGHT", 1, MOST_PX)
    return view(crs, kvp.needed("BBOX"), width, height, swap=new), crs


def _lang(kvp: Kvp) -> str:
    return kvp.one_of("LANG", ("zh", "en"), "zh") if kvp.get("LANG") else "zh"


async def get_map(asked: Asked, kvp: Kvp, version: str) -> Response:
    media = kvp.one_of("FORMAT", PICTURES, "image/png", "InvalidFormat")
    exceptions = kvp.get("EXCEPTIONS").upper()
    try:
        shown = _shown(asked, kvp, kvp.texts("LAYERS"))
        seen, _ = _view(kvp, version)
        ground = _ground(kvp, media)
        body = await picture.drawn(asked, shown, seen, ground=ground, lang=_lang(kvp), media=media)
    except Refused as error:
        # A client may ask to see in the picture that there is none (06-042, 7.3.3.11).
        if not exceptions.endswith(("INIMAGE", "BLANK")):
            raise
        return await _blank(asked, kvp, media, str(error) if exceptions.endswith("INIMAGE") else "")
    return answer(asked, body, media)


def _ground(kvp: Kvp, media: str) -> str | None:
    """None for a transparent picture; else the colour asked for. Raises Refused."""
    transparent = kvp.one_of("TRANSPARENT", ("TRUE", "FALSE"), "FALSE") == "TRUE"
    colour = kvp.get("BGCOLOR", "0xFFFFFF")
    if not COLOUR.fullmatch(colour):
        raise Refused(
            "InvalidParameterValue", "BGCOLOR 应形如 0xFFFFFF (BGCOLOR looks like 0xFFFFFF)", "BGCOLOR"
        )
    return None if transparent and media != "image/jpeg" else f"#{colour[2:]}"


async def _blank(asked: Asked, kvp: Kvp, media: str, text: str) -> Response:
    width, height = (
        int(kvp.get(name))
        if kvp.get(name).isascii() and kvp.get(name).isdigit() and len(kvp.get(name)) < 5
        else 256
        for name in ("WIDTH", "HEIGHT")
    )
    width, height = max(1, min(width, MOST_PX)), max(1, min(height, MOST_PX))
    return answer(asked, await run_in_threadpool(picture.notice, width, height, text, media), media)


async def feature_info(asked: Asked, kvp: Kvp, version: str) -> Response:
    new = version == "1.3.0"
    media = kvp.one_of("INFO_FORMAT", INFO, "application/json", "InvalidFormat")
    drawn = kvp.texts("LAYERS") or kvp.texts("QUERY_LAYERS")
    asked_for = kvp.texts("QUERY_LAYERS")
    missing = [name for name in asked_for if name not in drawn]
    if missing:
        raise Refused(
            "LayerNotDefined", f"图层 {missing[0][:60]!r} 不在图中 (not a layer of the map)", "QUERY_LAYERS"
        )
    styles = Kvp({name: text for name, text in kvp.values.items() if name != "STYLES"})
    shown = _shown(asked, styles, asked_for, locator="QUERY_LAYERS")
    seen, _ = _view(kvp, version)
    column, row = (
        _pixel(kvp, name, size)
        for name, size in zip("IJ" if new else "XY", (seen.width, seen.height), strict=True)
    )
    most = kvp.whole("FEATURE_COUNT", 1, 1_000_000, 1)
    found = await found_at(asked, shown, seen, column, row, min(most, MOST_FEATURES))
    return as_info(asked, found, media, _lang(kvp))


def as_info(asked: Asked, found: list[Found], media: str, lang: str) -> Response:
    """What was found, in the form that the client takes."""
    kind = f"{media}; charset=utf-8" if media.startswith("text/") else media
    return answer(asked, _info(found, media, lang), kind)


def _pixel(kvp: Kvp, name: str, size: int) -> int:
    text = kvp.needed(name)
    # Some clients send a fraction of a pixel.
    whole = re.fullmatch(r"(\d{1,5})(?:\.\d{1,20})?", text, re.ASCII)
    if whole is None or int(whole[1]) >= size:
        raise Refused("InvalidPoint", f"{name} 应为图内的像素号 ({name} is a pixel inside the map)", name)
    return int(whole[1])


def _info(found: list[Found], media: str, lang: str) -> bytes:
    if media in ("application/json", "application/geo+json"):
        return orjson.dumps({"type": "FeatureCollection", "features": [one.geojson for one in found]})
    told = [{"title": f"{title(one.layer)} {one.name}".strip(), "rows": _rows(one, lang)} for one in found]
    if media == "text/html":
        return rendered("info.html", features=told)
    if media == "text/xml":
        return rendered("info.xml", features=found)
    lines = [
        line
        for one in told
        for line in (one["title"], *(f"  {label}: {value}" for label, value in one["rows"]), "")
    ]
    return "\n".join(map(str, lines or ["此处没有要素 · Nothing here"])).encode()


def _rows(one: Found, lang: str) -> list[tuple[str, str]]:
    known = {field.name: field for field in one.layer.fields}
    return [
        (known[name].title.get(lang), worded(known[name], value)) if name in known else (name, str(value))
        for name, value in one.geojson["properties"].items()
        if value is not None
    ]


async def legend(asked: Asked, kvp: Kvp, version: str) -> Response:
    media = kvp.one_of("FORMAT", PICTURES, "image/png", "InvalidFormat")
    name = kvp.get("LAYER") or kvp.needed("LAYERS")
    styles = kvp.get("STYLE") or kvp.get("STYLES")
    shown = _shown(asked, Kvp({"STYLES": styles} if styles else {}), [name], locator="LAYER")[0]
    body = await run_in_threadpool(
        picture.legend, shown.layer, asked.viewer.audience, shown.theme, _lang(kvp), media
    )
    return answer(asked, body, media)


OPERATIONS = {
    "getcapabilities": capabilities,
    "capabilities": capabilities,
    "getmap": get_map,
    "map": get_map,
    "getfeatureinfo": feature_info,
    "getlegendgraphic": legend,
}
