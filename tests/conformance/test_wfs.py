"""WFS 2.0 (09-025r2): the classes Simple and Basic, by key and value, with filters of FES 2.0."""

from collections.abc import Callable, Iterator
from typing import Any

import pyogrio
import pytest
from fastapi.testclient import TestClient
from lxml import etree
from owslib.wfs import WebFeatureService

from app.db.engine import Dsns
from layers import catalog
from tests import served
from tests.served import INTAKES, Accounts, place_of

NS = {
    "wfs": "http://www.opengis.net/wfs/2.0", "ows": "http://www.opengis.net/ows/1.1", "gml": "http://www.opengis.net/gml/3.2",
    "s": "urn:x-shuitu:layers", "fes": "http://www.opengis.net/fes/2.0", "x": "http://www.w3.org/1999/xlink", "xsd": "http://www.w3.org/2001/XMLSchema",
}  # fmt: skip
Ask = Callable[..., Any]
FES = '<fes:Filter xmlns:fes="http://www.opengis.net/fes/2.0" xmlns:gml="http://www.opengis.net/gml/3.2">{}</fes:Filter>'


@pytest.fixture
def wfs(client: TestClient, keys: Accounts) -> Ask:
    def ask(request: str, key: str | None = keys.nation, **parameters: object) -> Any:
        query = {"SERVICE": "WFS", "VERSION": "2.0.0", "REQUEST": request, **parameters}
        return client.get("/ogc/wfs", params=query, headers={"X-API-Key": key} if key else {})

    return ask


def read(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return etree.fromstring(answer.content)


def codes(root: Any) -> list[str]:
    return [str(text) for text in root.xpath("//s:code/text()", namespaces=NS)]


def found(wfs: Ask, condition: str, **parameters: object) -> set[int]:
    answer = wfs(
        "GetFeature", TYPENAMES="shuitu:intakes", FILTER=FES.format(condition), COUNT=1000, **parameters
    )
    return {int(code.removeprefix("QSK-")) for code in codes(read(answer))}


# ── capabilities, schema, stored queries ────────────────────────────────────────────────────────


def test_capabilities_name_types_systems_and_what_is_implemented(wfs: Ask) -> None:
    root = read(wfs("GetCapabilities"))
    assert root.get("version") == "2.0.0"
    names = root.xpath("//wfs:FeatureType/wfs:Name/text()", namespaces=NS)
    assert set(names) == {f"shuitu:{layer}" for layer in catalog.load()}
    constraints = {
        one.get("name"): one.findtext("ows:DefaultValue", namespaces=NS)
        for one in root.findall("ows:OperationsMetadata/ows:Constraint", NS)
    }
    assert (constraints["ImplementsBasicWFS"], constraints["KVPEncoding"]) == ("TRUE", "TRUE")
    operations = {one.get("name") for one in root.findall("ows:OperationsMetadata/ows:Operation", NS)}
    assert {
        "GetCapabilities",
        "DescribeFeatureType",
        "GetFeature",
        "GetPropertyValue",
        "ListStoredQueries",
        "DescribeStoredQueries",
    } <= operations


def test_capabilities_name_only_temporal_operators_that_their_schema_knows(wfs: Ask) -> None:
    """`TemporalOperatorNameType` of filterCapabilities.xsd (FES 2.0)."""
    names = set(read(wfs("GetCapabilities")).xpath("//fes:TemporalOperator/@name", namespaces=NS))
    assert names
    assert names <= {
        "After", "Before", "Begins", "BegunBy", "TContains", "During", "TEquals", "TOverlaps", "Meets", "OverlappedBy", "MetBy",
        "Ends", "EndedBy",
    }  # fmt: skip


def test_get_feature_by_resource_id_needs_no_type(wfs: Ask) -> None:
    """09-025r2, 7.9.2.4.1: each id names its type."""
    root = read(wfs("GetFeature", RESOURCEID="intakes.7,intakes.9"))
    assert root.xpath("//s:code/text()", namespaces=NS) == ["QSK-0007", "QSK-0009"]
    assert wfs("GetFeature", RESOURCEID="nothing.7").status_code == 400
    assert wfs("GetFeature", RESOURCEID="7").status_code == 400


def test_capabilities_carry_the_key_and_show_the_public_what_is_public(
    client: TestClient, keys: Accounts
) -> None:
    root = read(client.get(f"/ogc/wfs?service=WFS&request=GetCapabilities&api_key={keys.nation}"))
    for address in root.xpath("//ows:Get/@x:href", namespaces=NS):
        assert address.startswith("http://map.test/ogc/wfs?")
        assert f"api_key={keys.nation}" in address
    public = read(client.get("/ogc/wfs"))
    names = public.xpath("//wfs:FeatureType/wfs:Name/text()", namespaces=NS)
    assert "shuitu:intakes" in names
    assert "shuitu:permits" not in names


def test_describe_feature_type_is_a_schema_of_the_fields_seen(wfs: Ask) -> None:
    root = read(wfs("DescribeFeatureType", TYPENAMES="shuitu:intakes"))
    types = {
        one.get("name"): one.get("type") for one in root.xpath("//xsd:sequence/xsd:element", namespaces=NS)
    }
    assert types["geometry"] == "gml:PointPropertyType"
    assert (types["annual_volume_m3"], types["county_code"], types["off_stream"]) == (
        "xsd:double",
        "xsd:long",
        "xsd:boolean",
    )
    public = read(wfs("DescribeFeatureType", key=None, TYPENAMES="intakes"))
    names = {one.get("name") for one in public.xpath("//xsd:sequence/xsd:element", namespaces=NS)}
    assert "holder_name" not in names
    assert len(read(wfs("DescribeFeatureType")).findall("xsd:complexType", NS)) == len(catalog.load())


def test_stored_queries_list_describe_and_get_by_id(wfs: Ask) -> None:
    identifier = read(wfs("ListStoredQueries")).find("wfs:StoredQuery", NS).get("id")
    assert identifier == "urn:ogc:def:query:OGC-WFS::GetFeatureById"
    described = read(wfs("DescribeStoredQueries", STOREDQUERY_ID=identifier))
    assert described.find(".//wfs:Parameter", NS).get("name") == "id"
    root = read(wfs("GetFeature", STOREDQUERY_ID=identifier, ID="intakes.7"))
    assert root.tag == "{urn:x-shuitu:layers}intakes"
    assert root.get("{http://www.opengis.net/gml/3.2}id") == "intakes.7"
    assert codes(root) == ["QSK-0007"]
    for bad in ("intakes.99999999", "intakes.x", "nothing.1", "7", "intakes." + "9" * 30):
        assert wfs("GetFeature", STOREDQUERY_ID=identifier, ID=bad).status_code == 404


# ── features ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "swapped"),
    [("", True), ("urn:ogc:def:crs:EPSG::4326", True), ("urn:ogc:def:crs:EPSG::4490", True), ("http://www.opengis.net/def/crs/EPSG/0/4326", True),
     ("EPSG:4326", False), ("urn:ogc:def:crs:OGC:1.3:CRS84", False), ("CRS:84", False)],
)  # fmt: skip
def test_get_feature_axes_follow_the_name_of_the_system(wfs: Ask, name: str, swapped: bool) -> None:
    root = read(
        wfs(
            "GetFeature",
            TYPENAMES="shuitu:intakes",
            RESOURCEID="intakes.7",
            **({"SRSNAME": name} if name else {}),
        )
    )
    point = root.find(".//gml:Point", NS)
    assert point.get("srsName") == (name or "urn:ogc:def:crs:EPSG::4326")
    assert point.get("{http://www.opengis.net/gml/3.2}id")
    a, b = (float(number) for number in point.findtext("gml:pos", namespaces=NS).split())
    lon, lat = place_of(7)[1:]
    assert (a, b) == pytest.approx((lat, lon) if swapped else (lon, lat), abs=1e-6)


def test_get_feature_in_web_mercator(wfs: Ask) -> None:
    root = read(
        wfs(
            "GetFeature",
            TYPENAMES="shuitu:intakes",
            RESOURCEID="intakes.7",
            SRSNAME="urn:ogc:def:crs:EPSG::3857",
        )
    )
    x = float(root.findtext(".//gml:pos", namespaces=NS).split()[0])
    assert x == pytest.approx(place_of(7)[1] / 180 * 20037508.342789244, abs=0.01)


@pytest.mark.parametrize("layer", list(catalog.load()))
def test_get_feature_every_layer_is_well_formed_with_ids_that_are_unique(wfs: Ask, layer: str) -> None:
    root = read(wfs("GetFeature", TYPENAMES=f"shuitu:{layer}", COUNT=20))
    ids = root.xpath("//@gml:id", namespaces=NS)
    assert len(set(ids)) == len(ids)
    assert int(root.get("numberReturned")) == len(root.findall("wfs:member", NS))


@pytest.mark.parametrize("layer", list(catalog.load()))
def test_get_feature_geometries_are_of_the_type_that_the_schema_says(wfs: Ask, layer: str) -> None:
    """09-025r2, 9.3: what is sent is valid by DescribeFeatureType; a polygon is no `MultiSurface`."""
    said = read(wfs("DescribeFeatureType", TYPENAMES=f"shuitu:{layer}")).xpath(
        "//xsd:element[@name='geometry']/@type", namespaces=NS
    )
    found = read(wfs("GetFeature", TYPENAMES=f"shuitu:{layer}", COUNT=50)).xpath(
        "//s:geometry/*", namespaces=NS
    )
    kinds = {f"gml:{etree.QName(one).localname}PropertyType" for one in found}
    assert kinds <= set(said), (kinds, said)


def test_get_feature_pages_by_start_and_count_and_links_the_next(
    client: TestClient, wfs: Ask, keys: Accounts
) -> None:
    root = read(wfs("GetFeature", TYPENAMES="shuitu:intakes", COUNT=100))
    assert (root.get("numberMatched"), root.get("numberReturned")) == (str(INTAKES), "100")
    seen = codes(root)
    while following := root.get("next"):
        root = read(client.get(following, headers={"X-API-Key": keys.nation}))
        seen += codes(root)
    assert len(seen) == len(set(seen)) == INTAKES
    assert root.get("previous")
    assert root.get("numberMatched") == str(INTAKES)


def test_get_feature_hits_counts_without_sending(wfs: Ask) -> None:
    root = read(wfs("GetFeature", TYPENAMES="shuitu:intakes", RESULTTYPE="hits"))
    assert (root.get("numberMatched"), root.get("numberReturned")) == (str(INTAKES), "0")
    some = read(wfs("GetFeature", TYPENAMES="shuitu:intakes", RESULTTYPE="hits", BBOX="32,119,32.05,120"))
    assert 0 < int(some.get("numberMatched")) < 30


@pytest.mark.parametrize(
    "box",
    ["31,120,31.5,121", "31,120,31.5,121,urn:ogc:def:crs:EPSG::4326", "120,31,121,31.5,EPSG:4326", "120,31,121,31.5,CRS:84",
     "31,120,31.5,121,urn:ogc:def:crs:EPSG::4490", "13358338,3632749,13469659,3697856,urn:ogc:def:crs:EPSG::3857"],
)  # fmt: skip
def test_get_feature_by_box_in_the_axes_of_its_system(wfs: Ask, box: str) -> None:
    root = read(wfs("GetFeature", TYPENAMES="shuitu:intakes", BBOX=box))
    assert len(codes(root)) == 8


def test_get_feature_as_geojson_with_chosen_properties(wfs: Ask) -> None:
    answer = wfs(
        "GetFeature", TYPENAMES="intakes", OUTPUTFORMAT="application/json", COUNT=5, PROPERTYNAME="code,name"
    )
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert (body["numberMatched"], body["numberReturned"], len(body["features"])) == (INTAKES, 5, 5)
    assert set(body["features"][0]["properties"]) == {"code", "name"}
    root = read(wfs("GetFeature", TYPENAMES="intakes", COUNT=1, PROPERTYNAME="shuitu:code"))
    assert [child.tag.rpartition("}")[2] for child in root.find("wfs:member/s:intakes", NS)] == [
        "geometry",
        "code",
    ]


def test_get_feature_escapes_and_types_values(wfs: Ask) -> None:
    root = read(wfs("GetFeature", TYPENAMES="shuitu:intakes", RESOURCEID="intakes.2,intakes.3"))
    assert root.xpath("//s:holder_name/text()", namespaces=NS)[0] == "苏水 & <b>公司</b>"
    times = read(wfs("GetFeature", TYPENAMES="shuitu:scenes")).xpath("//s:acquired_at/text()", namespaces=NS)
    assert times[0] == "2026-05-01T02:30:00Z"


def test_get_feature_shows_the_public_public_fields_and_the_county_its_own(wfs: Ask, keys: Accounts) -> None:
    public = read(wfs("GetFeature", key=None, TYPENAMES="shuitu:intakes", COUNT=3))
    assert not public.xpath("//s:holder_name", namespaces=NS)
    assert (
        int(
            read(wfs("GetFeature", key=None, TYPENAMES="shuitu:intakes", BBOX="31,120,31.5,121")).get(
                "numberReturned"
            )
        )
        == 8
    )
    assert (
        read(wfs("GetFeature", key=keys.county, TYPENAMES="shuitu:intakes", RESULTTYPE="hits")).get(
            "numberMatched"
        )
        == "30"
    )
    assert wfs("GetFeature", key=None, TYPENAMES="shuitu:permits").status_code == 401


def test_get_property_value_gives_one_property(wfs: Ask) -> None:
    root = read(wfs("GetPropertyValue", TYPENAMES="shuitu:intakes", VALUEREFERENCE="shuitu:code", COUNT=3))
    assert codes(root) == ["QSK-0001", "QSK-0002", "QSK-0003"]
    assert root.tag == "{http://www.opengis.net/wfs/2.0}ValueCollection"
    assert (
        len(
            read(wfs("GetPropertyValue", TYPENAMES="intakes", VALUEREFERENCE="geometry", COUNT=3)).findall(
                ".//gml:Point", NS
            )
        )
        == 3
    )


# ── filters ─────────────────────────────────────────────────────────────────────────────────────


def compare(name: str, field: str, value: object, extra: str = "") -> str:
    return f"<fes:{name}{extra}><fes:ValueReference>{field}</fes:ValueReference><fes:Literal>{value}</fes:Literal></fes:{name}>"


CASES: list[tuple[str, Callable[[int], bool]]] = [
    (compare("PropertyIsEqualTo", "shuitu:code", "QSK-0007"), lambda i: i == 7),
    (compare("PropertyIsNotEqualTo", "source_type", "groundwater"), lambda i: i % 4 != 0),
    (compare("PropertyIsLessThan", "annual_volume_m3", 5000), lambda i: i < 5),
    (compare("PropertyIsGreaterThanOrEqualTo", "annual_volume_m3", "318000"), lambda i: i >= 318 and i % 7 != 0),
    (compare("PropertyIsEqualTo", "name", "取水口12"), lambda i: i == 12),
    (compare("PropertyIsEqualTo", "code", "qsk-0007", ' matchCase="false"'), lambda i: i == 7),
    (compare("PropertyIsLike", "name", "取水口1?", ' wildCard="*" singleChar="?" escapeChar="!"'), lambda i: 10 <= i <= 19),
    (compare("PropertyIsLike", "code", "*-000%", ' wildCard="*" singleChar="?" escapeChar="!"'), lambda i: False),
    (compare("PropertyIsLike", "code", "qsk-000.", ' wildCard="%" singleChar="." escapeChar="!" matchCase="false"'), lambda i: i < 10),
    ("<fes:PropertyIsNull><fes:ValueReference>annual_volume_m3</fes:ValueReference></fes:PropertyIsNull>", lambda i: i % 7 == 0),
    ("<fes:PropertyIsBetween><fes:ValueReference>annual_volume_m3</fes:ValueReference><fes:LowerBoundary><fes:Literal>1000</fes:Literal>"
     "</fes:LowerBoundary><fes:UpperBoundary><fes:Literal>3500</fes:Literal></fes:UpperBoundary></fes:PropertyIsBetween>", lambda i: i < 4),
    (f"<fes:And>{compare('PropertyIsEqualTo', 'source_type', 'groundwater')}{compare('PropertyIsLessThan', 'annual_volume_m3', 9000)}</fes:And>", lambda i: i in (4, 8)),
    (f"<fes:Or>{compare('PropertyIsEqualTo', 'code', 'QSK-0001')}{compare('PropertyIsEqualTo', 'code', 'QSK-0002')}</fes:Or>", lambda i: i < 3),
    (f"<fes:Not>{compare('PropertyIsNotEqualTo', 'code', 'QSK-0001')}</fes:Not>", lambda i: i == 1),
    ('<fes:ResourceId rid="intakes.5"/><fes:ResourceId rid="intakes.6"/><fes:ResourceId rid="regions.1"/>', lambda i: i in (5, 6)),
    ('<fes:BBOX><fes:ValueReference>geometry</fes:ValueReference><gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>31 120'
     '</gml:lowerCorner><gml:upperCorner>31.5 121</gml:upperCorner></gml:Envelope></fes:BBOX>', lambda i: 310 < i <= 318),
    ('<fes:Intersects><fes:ValueReference>geometry</fes:ValueReference><gml:Polygon srsName="EPSG:4326"><gml:exterior><gml:LinearRing><gml:posList>'
     '120 31 121 31 121 31.5 120 31.5 120 31</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></fes:Intersects>', lambda i: 310 < i <= 318),
    ('<fes:Within><fes:ValueReference>geometry</fes:ValueReference><gml:MultiSurface srsName="CRS:84"><gml:surfaceMember><gml:Polygon><gml:exterior>'
     '<gml:LinearRing><gml:posList>120 31 121 31 121 31.5 120 31.5 120 31</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon>'
     '</gml:surfaceMember></gml:MultiSurface></fes:Within>', lambda i: 310 < i <= 318),
]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "expected"), CASES, ids=lambda value: value[:60] if isinstance(value, str) else ""
)
def test_filters_find_what_they_mean(wfs: Ask, condition: str, expected: Callable[[int], bool]) -> None:
    assert found(wfs, condition) == {i for i in range(1, INTAKES + 1) if expected(i)}


def test_filters_of_time(wfs: Ask) -> None:
    period = (
        "<fes:During><fes:ValueReference>acquired_at</fes:ValueReference><gml:TimePeriod><gml:beginPosition>2026-05-15T00:00:00Z"
        "</gml:beginPosition><gml:endPosition>2026-06-15T00:00:00Z</gml:endPosition></gml:TimePeriod></fes:During>"
    )
    root = read(wfs("GetFeature", TYPENAMES="shuitu:scenes", FILTER=FES.format(period)))
    assert root.xpath("//s:item_id/text()", namespaces=NS) == ["scene-1"]
    after = "<fes:After><fes:ValueReference>acquired_at</fes:ValueReference><gml:TimeInstant><gml:timePosition>2026-06-15T00:00:00Z</gml:timePosition></gml:TimeInstant></fes:After>"
    root = read(wfs("GetFeature", TYPENAMES="shuitu:scenes", FILTER=FES.format(after)))
    assert root.xpath("//s:item_id/text()", namespaces=NS) == ["scene-2"]


# ── bad input ───────────────────────────────────────────────────────────────────────────────────

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>' + FES.format(
    compare("PropertyIsEqualTo", "code", "&b;")
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + FES.format(
    compare("PropertyIsEqualTo", "code", "&a;")
)
BAD: list[tuple[dict[str, object], str]] = [
    ({"REQUEST": "Nothing"}, "OperationNotSupported"), ({"SERVICE": "WMS"}, "InvalidParameterValue"), ({"VERSION": "9"}, "InvalidParameterValue"),
    ({"TYPENAMES": ""}, "MissingParameterValue"), ({"TYPENAMES": "shuitu:nothing"}, "InvalidParameterValue"),
    ({"TYPENAMES": "shuitu:intakes,shuitu:regions"}, "OperationProcessingFailed"), ({"OUTPUTFORMAT": "x"}, "InvalidParameterValue"),
    ({"COUNT": "x"}, "InvalidParameterValue"), ({"COUNT": "-1"}, "InvalidParameterValue"), ({"STARTINDEX": "9" * 20}, "InvalidParameterValue"),
    ({"RESULTTYPE": "x"}, "InvalidParameterValue"), ({"SRSNAME": "EPSG:1"}, "InvalidParameterValue"), ({"SRSNAME": "x"}, "InvalidParameterValue"),
    ({"BBOX": "1,2,3"}, "InvalidParameterValue"), ({"BBOX": "a,2,3,4"}, "InvalidParameterValue"), ({"BBOX": "5,2,3,4"}, "InvalidParameterValue"),
    ({"BBOX": "nan,2,3,4"}, "InvalidParameterValue"), ({"BBOX": "1,2,3,4,EPSG:0"}, "InvalidParameterValue"), ({"PROPERTYNAME": "nothing"}, "InvalidParameterValue"),
    ({"SORTBY": "name"}, "OptionNotSupported"), ({"FILTER": "x"}, "OperationParsingFailed"), ({"FILTER": "<a/>"}, "OperationParsingFailed"),
    ({"FILTER": FES.format("")}, "OperationParsingFailed"), ({"FILTER": FES.format("<fes:Nothing/>")}, "OperationParsingFailed"),
    ({"FILTER": FES.format(compare("PropertyIsEqualTo", "nothing", 1))}, "OperationParsingFailed"),
    ({"FILTER": FES.format(compare("PropertyIsEqualTo", "annual_volume_m3", "x"))}, "OperationParsingFailed"),
    ({"FILTER": FES.format("<fes:PropertyIsEqualTo/>")}, "OperationParsingFailed"), ({"FILTER": FES.format("<fes:Not/>")}, "OperationParsingFailed"),
    ({"FILTER": FES.format("<fes:And/>")}, "OperationParsingFailed"), ({"FILTER": FES.format("<fes:Not>" * 60 + "</fes:Not>" * 60)}, "OperationParsingFailed"),
    ({"FILTER": FES.format("<fes:Intersects><fes:ValueReference>geometry</fes:ValueReference><gml:Point><gml:pos>1</gml:pos></gml:Point></fes:Intersects>")}, "OperationParsingFailed"),
    ({"FILTER": FES.format("<fes:Intersects><fes:ValueReference>geometry</fes:ValueReference><gml:Point><gml:pos>1e400 2</gml:pos></gml:Point></fes:Intersects>")}, "OperationParsingFailed"),
    ({"FILTER": FES.format("<fes:BBOX><gml:Envelope/></fes:BBOX>")}, "OperationParsingFailed"), ({"FILTER": BOMB}, "OperationParsingFailed"),
    ({"FILTER": OUTSIDE}, "OperationParsingFailed"), ({"FILTER": FES.format(compare("PropertyIsEqualTo", "code", "1")), "BBOX": "1,2,3,4"}, "InvalidParameterValue"),
    ({"STOREDQUERY_ID": "x"}, "InvalidParameterValue"), ({"TYPENAMES": "intakes\x00"}, "InvalidParameterValue"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code"), BAD, ids=lambda value: str(value)[:50])
def test_bad_input_is_an_exception_report(wfs: Ask, wrong: dict[str, object], code: str) -> None:
    parameters = {"TYPENAMES": "shuitu:intakes", **wrong}
    answer = wfs(str(parameters.pop("REQUEST", "GetFeature")), **parameters)
    assert answer.status_code == 400, answer.text
    root = etree.fromstring(answer.content)
    assert root.find("ows:Exception", NS).get("exceptionCode") == code
    assert root.findtext(".//ows:ExceptionText", namespaces=NS).strip()


# ── real clients ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def address(register: tuple[Dsns, Accounts], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served.process(register[0], tmp_path_factory.mktemp("wfs")) as (_, address):
        yield f"{address}/ogc/wfs"


def test_owslib_reads_capabilities_schema_and_features(address: str, keys: Accounts) -> None:
    service = WebFeatureService(f"{address}?api_key={keys.nation}", version="2.0.0")
    assert "shuitu:intakes" in service.contents
    assert service["shuitu:regions"].boundingBoxWGS84[0] == pytest.approx(119)
    root = etree.fromstring(service.getfeature(typename=["shuitu:intakes"], maxfeatures=3).read())
    assert codes(root) == ["QSK-0001", "QSK-0002", "QSK-0003"]
    one = etree.fromstring(
        service.getfeature(
            storedQueryID="urn:ogc:def:query:OGC-WFS::GetFeatureById", storedQueryParams={"id": "intakes.7"}
        ).read()
    )
    assert codes(one) == ["QSK-0007"]


def test_gdal_reads_every_feature_page_by_page_at_its_place(address: str, keys: Accounts) -> None:
    source = f"WFS:{address}?api_key={keys.nation}&VERSION=2.0.0"
    frame = pyogrio.read_dataframe(source, layer="shuitu:intakes")
    assert len(frame) == INTAKES
    seventh = frame.set_index("code").loc["QSK-0007"]
    assert (seventh.geometry.x, seventh.geometry.y) == pytest.approx(place_of(7)[1:], abs=1e-6)
    assert seventh["name"] == "取水口7"
    assert frame["annual_volume_m3"].dtype == "float64"
    wells = pyogrio.read_dataframe(source, layer="shuitu:intakes", where="source_type = 'groundwater'")
    assert len(wells) == INTAKES // 4
    regions = pyogrio.read_dataframe(source, layer="shuitu:regions")
    assert regions.total_bounds[0] == pytest.approx(119)
