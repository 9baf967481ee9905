"""WFS 2.0 by POST: requests in XML mean what the same parameters mean by key and value."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from lxml import etree

from tests.served import INTAKES, Accounts

SPACES = (
    'xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:fes="http://www.opengis.net/fes/2.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
    'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:w="urn:x-shuitu:layers" service="WFS" version="2.0.0"'
)
BY_ID = "urn:ogc:def:query:OGC-WFS::GetFeatureById"
NS = {
    "wfs": "http://www.opengis.net/wfs/2.0",
    "ows": "http://www.opengis.net/ows/1.1",
    "s": "urn:x-shuitu:layers",
}
Post = Callable[..., Any]


@pytest.fixture
def post(client: TestClient, keys: Accounts) -> Post:
    def send(text: str | bytes, media: str = "text/xml", status: int = 200, query: str = "") -> Any:
        body = text if isinstance(text, bytes) else text.replace(" SPACES", f" {SPACES}", 1).encode()
        headers = {"Content-Type": media, "X-API-Key": keys.nation}
        answer = client.post(f"/ogc/wfs{query}", content=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer

    return send


def codes(answer: Any) -> list[str]:
    return [str(text) for text in etree.fromstring(answer.content).xpath("//s:code/text()", namespaces=NS)]


def test_capabilities_say_that_xml_is_taken_and_are_had_by_it(post: Post) -> None:
    root = etree.fromstring(
        post(
            "<wfs:GetCapabilities SPACES><ows:AcceptVersions><ows:Version>2.0.0</ows:Version></ows:AcceptVersions></wfs:GetCapabilities>"
        ).content
    )
    constraint = root.find("ows:OperationsMetadata/ows:Constraint[@name='XMLEncoding']/ows:DefaultValue", NS)
    assert constraint.text == "TRUE"
    operations = root.findall("ows:OperationsMetadata/ows:Operation", NS)
    assert all(one.find("ows:DCP/ows:HTTP/ows:Post", NS) is not None for one in operations)


def test_features_by_filter_properties_and_page(post: Post, client: TestClient, keys: Accounts) -> None:
    answer = post(
        """<?xml version="1.0"?><!-- a client --><wfs:GetFeature SPACES count="2" startIndex="1" outputFormat="application/gml+xml; version=3.2">
        <wfs:Query typeNames="w:intakes" srsName="urn:ogc:def:crs:EPSG::4490"><wfs:PropertyName>w:code</wfs:PropertyName>
        <fes:Filter><fes:And><fes:PropertyIsEqualTo><fes:ValueReference>w:source_type</fes:ValueReference><fes:Literal>groundwater</fes:Literal></fes:PropertyIsEqualTo>
        <fes:BBOX><fes:ValueReference>w:geometry</fes:ValueReference><gml:Envelope srsName="urn:ogc:def:crs:EPSG::4326"><gml:lowerCorner>32 119</gml:lowerCorner>
        <gml:upperCorner>33 120</gml:upperCorner></gml:Envelope></fes:BBOX></fes:And></fes:Filter></wfs:Query></wfs:GetFeature>"""
    )
    assert codes(answer) == ["QSK-0008", "QSK-0012"]
    root = etree.fromstring(answer.content)
    assert not root.xpath("//s:name", namespaces=NS)
    following = client.get(root.get("next"), headers={"X-API-Key": keys.nation})
    assert codes(following) == ["QSK-0016", "QSK-0020"]


def test_hits_ids_and_stored_queries(post: Post) -> None:
    hits = post(
        '<wfs:GetFeature SPACES resultType="hits"><wfs:Query typeNames="w:intakes"/></wfs:GetFeature>'
    )
    assert etree.fromstring(hits.content).get("numberMatched") == str(INTAKES)
    by_id = post(
        '<wfs:GetFeature SPACES><wfs:Query typeNames="w:intakes"><fes:Filter><fes:ResourceId rid="intakes.7"/></fes:Filter></wfs:Query></wfs:GetFeature>'
    )
    assert codes(by_id) == ["QSK-0007"]
    stored = post(
        f'<wfs:GetFeature SPACES><wfs:StoredQuery id="{BY_ID}"><wfs:Parameter name="id">intakes.9</wfs:Parameter></wfs:StoredQuery></wfs:GetFeature>'
    )
    assert codes(stored) == ["QSK-0009"]
    assert "GetFeatureById" in post("<wfs:ListStoredQueries SPACES/>").text
    assert (
        "GetFeatureById"
        in post(
            f"<wfs:DescribeStoredQueries SPACES><wfs:StoredQueryId>{BY_ID}</wfs:StoredQueryId></wfs:DescribeStoredQueries>"
        ).text
    )
    values = post(
        '<wfs:GetPropertyValue SPACES valueReference="w:code" count="3"><wfs:Query typeNames="w:intakes"/></wfs:GetPropertyValue>'
    )
    assert values.text.count("QSK-") == 3
    schema = post(
        "<wfs:DescribeFeatureType SPACES><wfs:TypeName>w:intakes</wfs:TypeName></wfs:DescribeFeatureType>"
    )
    assert "intakes" in schema.text
    assert "permits" not in schema.text


def test_a_form_is_key_and_value(post: Post) -> None:
    form = "service=WFS&version=2.0.0&request=GetFeature&typeNames=shuitu:intakes&count=1"
    assert codes(post(form.encode(), "application/x-www-form-urlencoded")) == ["QSK-0001"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "OperationParsingFailed"),
        ("no xml", "OperationParsingFailed"),
        ("<wfs:GetFeature", "OperationParsingFailed"),
        ("<wfs:Transaction SPACES/>", "OperationNotSupported"),
        ("<wfs:GetFeature SPACES/>", "OperationParsingFailed"),
        ('<wfs:GetFeature SPACES><wfs:Query typeNames="w:intakes"/><wfs:Query typeNames="w:regions"/></wfs:GetFeature>', "OperationParsingFailed"),
        ("<wfs:GetFeature SPACES><wfs:Query/></wfs:GetFeature>", "MissingParameterValue"),
        ('<wfs:GetFeature SPACES><wfs:Query typeNames="w:intakes w:regions"/></wfs:GetFeature>', "OperationProcessingFailed"),
        ('<wfs:GetFeature SPACES count="x"><wfs:Query typeNames="w:intakes"/></wfs:GetFeature>', "InvalidParameterValue"),
        ('<wfs:GetFeature SPACES><wfs:Query typeNames="w:intakes"><fes:SortBy/></wfs:Query></wfs:GetFeature>', "OptionNotSupported"),
        ('<wfs:GetFeature SPACES><wfs:Query typeNames="w:intakes"><fes:Filter/></wfs:Query></wfs:GetFeature>', "OperationParsingFailed"),
        ('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><wfs:GetFeature SPACES><wfs:Query typeNames="&e;"/></wfs:GetFeature>', "OperationParsingFailed"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_as_an_exception(post: Post, body: str, code: str) -> None:
    answer = post(body, status=400)
    root = etree.fromstring(answer.content)
    assert root.find("ows:Exception", NS).get("exceptionCode") == code
    assert "root:" not in answer.text


def test_too_much_is_refused(post: Post) -> None:
    assert "ExceptionReport" in post(b"<a>" + b" " * 300_000 + b"</a>", status=413).text
    long = f'<wfs:GetFeature SPACES><wfs:Query typeNames="w:intakes"><fes:Filter>{"<fes:Not>" * 3000}</fes:Filter></wfs:Query></wfs:GetFeature>'
    assert "ExceptionReport" in post(long, status=400).text
