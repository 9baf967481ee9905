"""WFS 2.0 (09-025r2), Basic, by key and value or in XML: the same features and the same filter engine as OGC API – Features."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.ogc.answering import Asked
from app.ogc.asking import MAX_LIMIT, MAX_OFFSET, ItemsQuery, filter_columns
from app.ogc.documents import description, title
from app.ogc.legacy import fes, members, posted
from app.ogc.legacy.fes import NotFes, plain_name
from app.ogc.legacy.gml import NotGml, degrees_of, system_named
from app.ogc.legacy.kvp import Kvp, Refused
from app.ogc.legacy.members import NAMESPACE, PREFIX, Rows
from app.ogc.legacy.web import answer, covered, layer_named, rendered, service, url
from app.ogc.parameters import queryables
from layers import catalog, cql2
from layers.cql2.nodes import Array, Box, Call, Literal, Node, Property
from layers.cql2.sql import compile as compiled
from layers.crs import CRS84, WGS84, Crs
from layers.model import Field, Layer

router = APIRouter()
GML = "application/gml+xml; version=3.2"
FORMATS = {
    GML: GML, "text/xml; subtype=gml/3.2": GML, "text/xml; subtype=gml/3.2.1": GML, "gml32": GML, "gml3": GML, "text/xml": GML,
    "application/geo+json": "json", "application/json": "json", "json": "json", "geojson": "json",
}  # fmt: skip
BY_ID = "urn:ogc:def:query:OGC-WFS::GetFeatureById"
DEFAULT_COUNT = 1_000
SYSTEMS = (
    "urn:ogc:def:crs:EPSG::4326", "urn:ogc:def:crs:EPSG::4490", "urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::3857",
)  # fmt: skip
XSD = {
    "string": "string", "integer": "long", "number": "double", "boolean": "boolean", "date": "date", "datetime": "dateTime",
}  # fmt: skip
GEOMETRIES = {
    "point": "gml:PointPropertyType", "line": "gml:MultiCurvePropertyType", "polygon": "gml:MultiSurfacePropertyType",
}  # fmt: skip
CONSTRAINTS = (
    ("ImplementsBasicWFS", "TRUE"), ("ImplementsTransactionalWFS", "FALSE"), ("ImplementsLockingWFS", "FALSE"), ("KVPEncoding", "TRUE"),
    ("XMLEncoding", "TRUE"), ("SOAPEncoding", "FALSE"), ("ImplementsInheritance", "FALSE"), ("ImplementsRemoteResolve", "FALSE"),
    ("ImplementsResultPaging", "TRUE"), ("ImplementsStandardJoins", "FALSE"), ("ImplementsSpatialJoins", "FALSE"),
    ("ImplementsTemporalJoins", "FALSE"), ("ImplementsFeatureVersioning", "FALSE"), ("ManageStoredQueries", "FALSE"),
    ("CountDefault", str(DEFAULT_COUNT)), ("PagingIsTransactionSafe", "FALSE"),
)  # fmt: skip
CONFORMANCE = (
    ("ImplementsQuery", "TRUE"), ("ImplementsAdHocQuery", "TRUE"), ("ImplementsFunctions", "FALSE"), ("ImplementsResourceId", "TRUE"),
    ("ImplementsMinStandardFilter", "TRUE"), ("ImplementsStandardFilter", "TRUE"), ("ImplementsMinSpatialFilter", "TRUE"),
    ("ImplementsSpatialFilter", "TRUE"), ("ImplementsMinTemporalFilter", "TRUE"), ("ImplementsTemporalFilter", "FALSE"),
    ("ImplementsVersionNav", "FALSE"), ("ImplementsSorting", "FALSE"), ("ImplementsExtendedOperators", "FALSE"),
    ("ImplementsMinimumXPath", "TRUE"), ("ImplementsSchemaElementFunc", "FALSE"),
)  # fmt: skip


def report(kvp: Kvp, error: Refused) -> tuple[str, str]:
    facts = {"form": "ows", "code": error.code, "locator": error.locator, "text": str(error)}
    return rendered("exceptions.xml", version="2.0.0", **facts).decode(), "text/xml; charset=utf-8"


@service(router, "/wfs", report, posted.parameters)
async def wfs(asked: Asked, kvp: Kvp) -> Response:
    if kvp.get("SERVICE", "WFS").upper() != "WFS":
        raise Refused("InvalidParameterValue", "SERVICE 应为 WFS (SERVICE is WFS)", "service")
    request = kvp.get("REQUEST") or "GetCapabilities"
    operation = OPERATIONS.get(request.lower())
    if operation is None:
        raise Refused("OperationNotSupported", f"不支持操作 {request[:60]!r} (no such operation)", "request")
    if request.lower() != "getcapabilities" and kvp.get("VERSION", "2.0.0") not in ("2.0.0", "2.0.2"):
        raise Refused("InvalidParameterValue", "VERSION 应为 2.0.0 (VERSION is 2.0.0)", "version")
    made: Response = await operation(asked, kvp)
    return made


async def capabilities(asked: Asked, kvp: Kvp) -> Response:
    versions = kvp.texts("ACCEPTVERSIONS")
    if versions and not {"2.0.0", "2.0.2"} & set(versions):
        raise Refused("VersionNegotiationFailed", "只支持 2.0.0 (only 2.0.0)", "AcceptVersions")
    layers = tuple(reversed(catalog.visible_to(asked.viewer.audience)))
    boxes = await covered(asked, layers)
    formats = (GML, "application/geo+json")
    body = rendered(
        "wfs.xml",
        prefix=PREFIX,
        namespace=NAMESPACE,
        url=url(asked, "wfs"),
        systems=SYSTEMS,
        formats=formats,
        constraints=CONSTRAINTS,
        conformance=CONFORMANCE,
        comparisons=[
            *fes.COMPARISONS,
            "PropertyIsLike",
            "PropertyIsNull",
            "PropertyIsNil",
            "PropertyIsBetween",
        ],
        spatial=["BBOX", *fes.SPATIAL],
        # The schema of the capabilities has no name for it, though FES has the element.
        temporal=[name for name in fes.TEMPORAL if name != "AnyInteracts"],
        operations=[
            ("GetCapabilities", [("AcceptVersions", ["2.0.0"])]),
            ("DescribeFeatureType", [("outputFormat", [GML])]),
            ("ListStoredQueries", []),
            ("DescribeStoredQueries", []),
            ("GetFeature", [("outputFormat", formats), ("resultType", ["results", "hits"])]),
            ("GetPropertyValue", [("outputFormat", [GML])]),
        ],
        layers=[
            {"name": one.id, "title": title(one), "abstract": description(one), "box": boxes[one.id]}
            for one in layers
        ],
    )
    return answer(asked, body, "text/xml; charset=utf-8")


def _named(asked: Asked, kvp: Kvp, *, locator: str = "typeNames") -> list[Layer]:
    """The types of TYPENAMES (or TYPENAME, as older clients write it). Raises Refused."""
    names = kvp.texts("TYPENAMES") or kvp.texts("TYPENAME")
    return [
        layer_named(asked, plain_name(name.strip("()")), "InvalidParameterValue", locator) for name in names
    ]


def _of_ids(asked: Asked, kvp: Kvp) -> list[Layer]:
    """The types of RESOURCEID, which needs no TYPENAMES beside it (09-025r2, 7.9.2.4.1). Raises Refused."""
    names = dict.fromkeys(one.strip().rpartition(".")[0] for one in kvp.texts("RESOURCEID"))
    return [layer_named(asked, name, "InvalidParameterValue", "resourceId") for name in names]


async def describe(asked: Asked, kvp: Kvp) -> Response:
    audience = asked.viewer.audience
    layers = _named(asked, kvp) or list(catalog.visible_to(audience))
    body = rendered(
        "schema.xml",
        prefix=PREFIX,
        namespace=NAMESPACE,
        layers=[
            {
                "name": layer.id,
                "geometry": GEOMETRIES[layer.source.kind],
                "fields": [
                    (field.name, XSD[field.type], f"{field.title.zh} · {field.title.en}")
                    for field in layer.fields_for(audience)
                ],
            }
            for layer in layers
        ],
    )
    return answer(asked, body, f"{GML}; charset=utf-8")


async def stored_queries(asked: Asked, kvp: Kvp) -> Response:
    described = kvp.get("REQUEST").lower() == "describestoredqueries"
    wrong = [one for one in kvp.texts("STOREDQUERY_ID") if one != BY_ID]
    if described and wrong:
        raise Refused(
            "InvalidParameterValue", f"没有存储查询 {wrong[0][:60]!r} (no such query)", "storedQuery_Id"
        )
    names = [layer.id for layer in catalog.visible_to(asked.viewer.audience)]
    facts = {"prefix": PREFIX, "namespace": NAMESPACE, "id": BY_ID, "names": names}
    return answer(asked, rendered("stored.xml", described=described, **facts), "text/xml; charset=utf-8")


@dataclass(frozen=True)
class Query:
    """What a GetFeature asks, understood."""

    layer: Layer
    items: ItemsQuery
    crs: Crs
    srs_name: str


def understood(asked: Asked, kvp: Kvp) -> Query:
    """Raises Refused for whatever is no query."""
    layers = _named(asked, kvp) or _of_ids(asked, kvp)
    if not layers:
        raise Refused("MissingParameterValue", "缺少参数 TYPENAMES (TYPENAMES is missing)", "typeNames")
    if len(layers) > 1:
        raise Refused(
            "OperationProcessingFailed",
            "一次只能查询一个图层 (one type a query; joins are not supported)",
            "typeNames",
        )
    if kvp.get("SORTBY"):
        raise Refused("OptionNotSupported", "不支持 SORTBY (sorting is not supported)", "sortBy")
    if sum(bool(kvp.get(name)) for name in ("BBOX", "FILTER", "RESOURCEID")) > 1:
        raise Refused(
            "InvalidParameterValue", "BBOX、FILTER 与 RESOURCEID 只能给出一个 (give one of these)", "filter"
        )
    layer = layers[0]
    srs_name = kvp.get("SRSNAME") or SYSTEMS[0]
    return Query(layer, _items(asked, kvp, layer), _system(srs_name, "srsName"), srs_name)


def _items(asked: Asked, kvp: Kvp, layer: Layer) -> ItemsQuery:
    limit = kvp.whole("COUNT", 0, 10**12, kvp.whole("MAXFEATURES", 0, 10**12, DEFAULT_COUNT))
    base = ItemsQuery(
        limit=min(limit, MAX_LIMIT),
        offset=kvp.whole("STARTINDEX", 0, MAX_OFFSET, 0),
        fields=_fields(asked, kvp, layer),
    )
    if text := kvp.get("BBOX"):
        return _met(asked, layer, base, Call("s_intersects", (Property("geometry"), _box(text))), "bbox")
    if text := kvp.get("RESOURCEID"):
        return _with_ids(asked, layer, base, text.split(","))
    if text := kvp.get("FILTER"):
        fields = {field.name: field for field in queryables(layer, asked.viewer.audience)}
        try:
            node, ids = fes.parsed(text.strip("()") if text.startswith("(<") else text, layer, fields)
        except (NotFes, cql2.InvalidFilter) as error:
            raise Refused("OperationParsingFailed", str(error), "filter") from None
        return (
            _with_ids(asked, layer, base, ids) if node is None else _met(asked, layer, base, node, "filter")
        )
    return base


def _met(asked: Asked, layer: Layer, base: ItemsQuery, node: Node, locator: str) -> ItemsQuery:
    """The query with this condition. Raises Refused if it does not fit the layer."""
    columns = filter_columns(layer, asked.viewer.audience, asked.store.hidden_bits)
    columns["@id"] = cql2.Column(f'v."{layer.source.id}"', "integer")
    try:
        return replace(base, predicate=compiled(node, columns, crs=CRS84))
    except cql2.InvalidFilter as error:
        raise Refused("OperationParsingFailed", str(error), locator) from None


def _with_ids(asked: Asked, layer: Layer, base: ItemsQuery, ids: list[str] | None) -> ItemsQuery:
    """Only those of these resource ids (`intakes.7`) that are of this layer."""
    numbers = []
    for text in (ids or [])[: fes.MOST_IDS]:
        name, _, number = text.strip().rpartition(".")
        if name == layer.id and number.isascii() and number.isdigit() and len(number) < 19:
            numbers.append(Literal(int(number)))
    if not numbers:
        return replace(base, boxes=())
    return _met(asked, layer, base, Call("in", (Property("@id"), Array(tuple(numbers)))), "resourceId")


def _fields(asked: Asked, kvp: Kvp, layer: Layer) -> tuple[Field, ...] | None:
    """PROPERTYNAME; the geometry is always shown. Raises Refused."""
    names = [plain_name(name.strip("()")) for name in kvp.texts("PROPERTYNAME")]
    if not names or names == ["*"]:
        return None
    seen = {field.name: field for field in layer.fields_for(asked.viewer.audience)}
    geometry = {"geometry", layer.source.geometry, "boundedBy"}
    if wrong := [name for name in names if name not in seen and name not in geometry]:
        raise Refused(
            "InvalidParameterValue", f"没有字段 {wrong[0][:60]!r} (no such property)", "propertyName"
        )
    return tuple(field for name, field in seen.items() if name in names)


def _system(name: str, locator: str) -> Crs:
    try:
        return system_named(name)
    except NotGml as error:
        raise Refused("InvalidParameterValue", str(error), locator) from None


def _box(text: str) -> Box:
    """Four numbers, and the name of their system; without it that of the service, latitude first."""
    parts = text.split(",")
    crs = _system(",".join(parts[4:]), "bbox") if len(parts) > 4 else WGS84
    try:
        numbers = [float(part) for part in parts[:4]]
        a, b, c, d = numbers
        west, south, east, north = degrees_of((a, b, c, d), crs)
    except (ValueError, NotGml) as error:
        told = str(error) if isinstance(error, NotGml) else "BBOX 应为4个数字 (BBOX is 4 numbers)"
        raise Refused("InvalidParameterValue", told, "bbox") from None
    if west >= east and south >= north and (west > 180 or south > 90):
        raise Refused("InvalidParameterValue", "BBOX 在世界之外 (BBOX lies outside the world)", "bbox")
    return Box((min(west, east), min(south, north), max(west, east), max(south, north)))


async def get_feature(asked: Asked, kvp: Kvp) -> Response:
    form = FORMATS.get((kvp.get("OUTPUTFORMAT") or GML).lower())
    if form is None:
        raise Refused(
            "InvalidParameterValue",
            f"输出格式为 {GML} 或 application/geo+json (one of these formats)",
            "outputFormat",
        )
    if identifier := kvp.get("STOREDQUERY_ID"):
        return await _by_id(asked, kvp, identifier, form)
    query = understood(asked, kvp)
    hits = kvp.one_of("RESULTTYPE", ("results", "hits"), "results") == "hits"
    if hits:
        matched = await members.count(asked, query.layer, query.items)
        return _gml(asked, kvp, query, Rows((), (), False), "unknown" if matched is None else str(matched))
    if form == "json":
        return await _json(asked, query)
    page = await members.rows(asked, query.layer, query.items, query.crs)
    return _gml(asked, kvp, query, page, await _matched(asked, query, page))


async def _matched(asked: Asked, query: Query, page: Rows) -> str:
    """How many match in all, where that is cheap to say."""
    start, found = query.items.offset, len(page.rows)
    if not page.more and (found or not start):
        return str(start + found)
    whole = query.items.predicate is None
    matched = await members.count(
        asked, query.layer, query.items, most=members.COUNT_LIMIT if whole else 20_000
    )
    return "unknown" if matched is None else str(matched)


def _gml(asked: Asked, kvp: Kvp, query: Query, page: Rows, matched: str) -> Response:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:{PREFIX}="{NAMESPACE}" '
        f"xsi:schemaLocation={quoteattr(_schema(asked, query.layer))} "
        f'timeStamp="{stamp}" numberMatched="{matched}" numberReturned="{len(page.rows)}"{_paging(asked, kvp, query, page)}>'
    )
    parts = [head, *members.gml_of(query.layer, page, query.srs_name), "</wfs:FeatureCollection>"]
    # No tag: every answer carries its own time.
    return answer(asked, "\n".join(parts).encode(), f"{GML}; charset=utf-8")


def _schema(asked: Asked, layer: Layer) -> str:
    describe_url = f"{url(asked, 'wfs')}service=WFS&version=2.0.0&request=DescribeFeatureType&typeNames={PREFIX}:{layer.id}"
    return f"http://www.opengis.net/wfs/2.0 http://schemas.opengis.net/wfs/2.0/wfs.xsd {NAMESPACE} {describe_url}"


def _paging(asked: Asked, kvp: Kvp, query: Query, page: Rows) -> str:
    """`next` and `previous`, with everything that was asked."""
    given = {
        name: text for name, text in kvp.values.items() if name not in ("STARTINDEX", "COUNT", "API_KEY")
    }
    start, limit = query.items.offset, query.items.limit
    found = ""
    if page.more and limit:
        found += f" next={quoteattr(asked.at.with_query(('wfs',), {**given, 'STARTINDEX': start + limit, 'COUNT': limit}))}"
    if start:
        before = max(0, start - limit)
        found += f" previous={quoteattr(asked.at.with_query(('wfs',), {**given, 'STARTINDEX': before, 'COUNT': limit}))}"
    return found


async def _json(asked: Asked, query: Query) -> Response:
    """GeoJSON knows only longitude and latitude (RFC 7946)."""
    if not query.items.limit:
        features: list[dict[str, Any]] = []
        matched: int | None = await members.count(asked, query.layer, query.items)
    else:
        page = await asked.store.page(query.layer, asked.viewer, query.items)
        features, matched = page.features, page.matched
    numbers = {"numberReturned": len(features)} | ({} if matched is None else {"numberMatched": matched})
    made = {"type": "FeatureCollection", "features": features, **numbers}
    return answer(asked, orjson.dumps(made), "application/geo+json")


async def _by_id(asked: Asked, kvp: Kvp, identifier: str, form: str) -> Response:
    """The stored query GetFeatureById: the feature itself, or 404."""
    if identifier != BY_ID:
        raise Refused(
            "InvalidParameterValue", f"没有存储查询 {identifier[:60]!r} (no such query)", "storedQuery_Id"
        )
    name, _, number = kvp.needed("ID").rpartition(".")
    known = number.isascii() and number.isdigit() and len(number) < 19
    layer = layer_named(asked, name, "NotFound", "id") if name in catalog.load() and known else None
    srs_name = kvp.get("SRSNAME") or SYSTEMS[0]
    crs = _system(srs_name, "srsName")
    page = None
    if layer is not None:
        items = _with_ids(asked, layer, ItemsQuery(limit=1), [f"{name}.{number}"])
        page = await members.rows(asked, layer, items, crs)
    if layer is None or page is None or not page.rows:
        raise Refused(
            "NotFound",
            f"没有要素 {kvp.get('ID')[:60]!r} (no such feature, or none that you may see)",
            "id",
            404,
        )
    if form == "json":
        found = await asked.store.feature(layer, asked.viewer, int(number), ItemsQuery())
        return answer(asked, found[0] if found else b"{}", "application/geo+json")
    text = (
        next(members.gml_of(layer, page, srs_name)).removeprefix("<wfs:member>").removesuffix("</wfs:member>")
    )
    spaces = f' xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:{PREFIX}="{NAMESPACE}"'
    start = text.index(" gml:id=")
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text[:start]}{spaces}{text[start:]}'
    return answer(asked, body.encode(), f"{GML}; charset=utf-8")


async def property_values(asked: Asked, kvp: Kvp) -> Response:
    """GetPropertyValue: the values of one property of what a query finds."""
    name = plain_name(kvp.needed("VALUEREFERENCE"))
    query = understood(asked, Kvp({**kvp.values, "PROPERTYNAME": name}))
    page = await members.rows(asked, query.layer, query.items, query.crs)
    values = await run_in_threadpool(_values, query, page, name)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<wfs:ValueCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" '
        f'xmlns:{PREFIX}="{NAMESPACE}" timeStamp="{datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}" '
        f'numberMatched="{await _matched(asked, query, page)}" numberReturned="{len(values)}">'
        + "".join(f"<wfs:member>{value}</wfs:member>" for value in values)
        + "</wfs:ValueCollection>"
    )
    return answer(asked, body.encode(), f"{GML}; charset=utf-8")


def _values(query: Query, page: Rows, name: str) -> list[str]:
    whole = f"{PREFIX}:{'geometry' if name == query.layer.source.geometry else name}"
    found = []
    for text in members.gml_of(query.layer, page, query.srs_name):
        start, end = text.find(f"<{whole}>"), text.rfind(f"</{whole}>")
        if start >= 0:
            found.append(text[start : end + len(whole) + 3])
    return found


OPERATIONS = {
    "getcapabilities": capabilities,
    "describefeaturetype": describe,
    "liststoredqueries": stored_queries,
    "describestoredqueries": stored_queries,
    "getfeature": get_feature,
    "getpropertyvalue": property_values,
}
