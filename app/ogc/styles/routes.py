"""OGC API – Styles below /ogc; `/styles/{id}.json` of the map itself stays where it is."""

import orjson
from fastapi import APIRouter

from app.errors import NotFound
from app.ogc import parameters
from app.ogc.answering import Answer, Asked, document, resource
from app.ogc.documents import both, title
from app.ogc.negotiate import DOCUMENT, JSON, Formats
from app.ogc.pages import Crumb, Row, Section, page
from app.ogc.styles import documents
from app.ogc.styles.documents import MAPBOX, TITLES, Styled
from layers import catalog
from layers.derive.legend import legend
from layers.model import Audience

router = APIRouter()
STYLE = Formats(MAPBOX, (JSON,)).with_others(mapbox=MAPBOX)


def _styled(asked: Asked) -> Styled:
    if "layer" in asked.request.path_params:
        return Styled.of(asked.layer())
    return Styled.whole(catalog.visible_to(asked.viewer.audience))


def _name(asked: Asked) -> str:
    name: str = asked.request.path_params["style"]
    if name not in TITLES:
        raise NotFound(f"没有样式 {name[:60]!r} (no such style; there are {', '.join(TITLES)})")
    return name


@resource(router, "/styles", DOCUMENT)
@resource(router, "/collections/{layer}/styles", DOCUMENT)
async def styles(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    styled = _styled(asked)
    made, links = documents.listed(asked.at, asked.media, styled)
    if not asked.html:
        return document(made, links)
    rows = [
        Row(one["title"], href=asked.at.to(*styled.path, "styles", one["id"], f="html"))
        for one in made["styles"]
    ]
    return Answer(page(asked.at, f"{styled.title}：样式 · Styles", links, [Section("", rows)]), links)


@resource(router, "/styles/{style}", STYLE)
@resource(router, "/collections/{layer}/styles/{style}", STYLE)
async def style(asked: Asked) -> Answer:
    given = parameters.only(asked.request.query_params, ("lang",))
    lang = given.get("lang", "zh")
    if lang not in ("zh", "en"):
        raise parameters.refused("lang", lang, " zh 或 en", "zh or en")
    styled, name, audience = _styled(asked), _name(asked), asked.viewer.audience
    links = [
        *both(asked.at, asked.media, MAPBOX, *styled.path, "styles", name),
        *documents.metadata(asked.at, asked.media, styled, name, audience)[1][-1:],
    ]
    if asked.html:
        return Answer(_legend(asked, styled, name, audience), links)
    made = documents.stylesheet(asked.at, styled.layers, audience, name, lang)
    return Answer(orjson.dumps(made), links)


@resource(router, "/styles/{style}/metadata", DOCUMENT)
@resource(router, "/collections/{layer}/styles/{style}/metadata", DOCUMENT)
async def metadata(asked: Asked) -> Answer:
    parameters.only(asked.request.query_params, ())
    styled, name = _styled(asked), _name(asked)
    made, links = documents.metadata(asked.at, asked.media, styled, name, asked.viewer.audience)
    if not asked.html:
        return document(made, links)
    rows = [Row(one["id"], one["description"]) for one in made["layers"]]
    crumbs = [Crumb("样式 · Styles", asked.at.to(*styled.path, "styles", f="html"))]
    sections = [Section("图层 · Layers", rows)]
    return Answer(
        page(asked.at, made["title"], links, sections, text=made["description"], crumbs=crumbs), links
    )


def _legend(asked: Asked, styled: Styled, name: str, audience: Audience) -> bytes:
    """The style as people read it: its legend."""
    sections = []
    for layer in styled.layers:
        rows = [
            Row(
                f"{entry['title']['zh']} · {entry['title']['en']}",
                _told(entry),
                colour=entry.get("colour", ""),
            )
            for group in legend(layer, audience)
            for entry in group["entries"]
        ]
        sections.append(Section(title(layer), rows))
    crumbs = [Crumb("样式 · Styles", asked.at.to(*styled.path, "styles", f="html"))]
    links = both(asked.at, asked.media, MAPBOX, *styled.path, "styles", name)
    heading = f"{styled.title}：图例 · Legend ({TITLES[name]})"
    return page(asked.at, heading, links, sections, text=styled.description, crumbs=crumbs)


def _told(entry: dict[str, object]) -> str:
    if "shape" in entry:
        return str(entry["shape"])
    if "radius" in entry:
        return f"半径 · radius {entry['radius']} px"
    return "空心 · hollow" if entry.get("hollow") else ""
