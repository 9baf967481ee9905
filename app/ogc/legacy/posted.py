"""Requests of WFS 2.0 by POST, in XML or as a form, as the parameters that ask the same by key and value.

One reader then answers both: whatever cannot be said by key and value is refused here, in so many words.
"""

from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree
from starlette.datastructures import QueryParams
from starlette.requests import Request

from app.ogc.legacy.kvp import LONGEST, Kvp, Refused
from app.requests import whole_body

MOST_BYTES = 256 * 1024
Element = Any
Found = Iterator[tuple[str, str]]


async def parameters(request: Request) -> Kvp:
    """Raises Refused, or as `whole_body`."""
    body = await whole_body(request, MOST_BYTES)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return Kvp.of(QueryParams(body.decode("utf-8", "replace")))
    return of_xml(body)


def of_xml(body: bytes) -> Kvp:
    """The parameters of a request in XML. Raises Refused."""
    # Nothing is read from elsewhere, and no entity is expanded: a request comes from anybody.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _unread(f"请求不是 XML (the request is no XML): {str(error)[:120]}") from None
    if root.getroottree().docinfo.doctype:
        raise _unread("请求不能有 DOCTYPE (a request has no document type)")
    name = _name(root)
    reader = READERS.get(name)
    if reader is None:
        raise Refused("OperationNotSupported", f"不支持操作 {name[:60]!r} (no such operation)", "request")
    found = {"SERVICE": "WFS", "REQUEST": name, **dict(_attributes(root)), **dict(reader(root))}
    if any(len(text) > LONGEST or "\x00" in text for text in found.values()):
        raise _unread("请求过长 (the request is too long)")
    return Kvp(found)


def _unread(text: str) -> Refused:
    return Refused("OperationParsingFailed", text, "request")


def _name(element: Element) -> str:
    return str(etree.QName(element).localname)


def _children(element: Element, *names: str) -> list[Element]:
    return [child for child in element if not names or _name(child) in names]


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _attributes(element: Element) -> Found:
    """`count`, `startIndex`, `resultType`, `outputFormat`, `version`, … are named alike in both forms."""
    for name, value in element.attrib.items():
        if not name.startswith("{"):
            yield name.upper(), value.strip()


def _capabilities(root: Element) -> Found:
    versions = [_text(one) for accepted in _children(root, "AcceptVersions") for one in accepted]
    if versions:
        yield "ACCEPTVERSIONS", ",".join(versions)


def _types(root: Element) -> Found:
    if names := [_text(one) for one in _children(root, "TypeName")]:
        yield "TYPENAMES", ",".join(names)


def _stored(root: Element) -> Found:
    if names := [_text(one) for one in _children(root, "StoredQueryId")]:
        yield "STOREDQUERY_ID", ",".join(names)


def _feature(root: Element) -> Found:
    queries = _children(root)
    if len(queries) != 1 or _name(queries[0]) not in ("Query", "StoredQuery"):
        raise Refused(
            "OperationParsingFailed",
            "应有且只有一个 wfs:Query 或 wfs:StoredQuery (one query a request)",
            "Query",
        )
    query = queries[0]
    if _name(query) == "StoredQuery":
        yield "STOREDQUERY_ID", query.get("id", "")
        for one in _children(query, "Parameter"):
            yield one.get("name", "").upper(), _text(one)
        return
    yield from ((("TYPENAMES" if name == "TYPENAME" else name), value) for name, value in _attributes(query))
    # Between the types of one query stand blanks; between those by key and value, commas.
    yield "TYPENAMES", ",".join((query.get("typeNames") or query.get("typeName") or "").split())
    if names := [_text(one) for one in _children(query, "PropertyName")]:
        yield "PROPERTYNAME", ",".join(names)
    for one in _children(query, "Filter"):
        yield "FILTER", etree.tostring(one, encoding="unicode", with_tail=False)
    if _children(query, "SortBy"):
        yield "SORTBY", "given"


READERS: dict[str, Callable[[Element], Found]] = {
    "GetCapabilities": _capabilities,
    "DescribeFeatureType": _types,
    "ListStoredQueries": lambda root: iter(()),
    "DescribeStoredQueries": _stored,
    "GetFeature": _feature,
    "GetPropertyValue": _feature,
}
