"""A printed dossier says what the screen says, shows where it lies, and leads back; nothing in a register is layout."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pypdf import PdfReader
from starlette.testclient import TestClient

from app.dossiers.paper import MAP_PX, box_of, ringed
from app.dossiers.sections import Point
from app.ogc.legacy.lettering import chinese_font
from tests.unit.documents.test_content import GPS, picture

pytestmark = pytest.mark.skipif(
    chinese_font() is None, reason="no Chinese font here: scripts/install.sh fonts"
)
HOSTILE = '#panic("x") *粗* $x$ <a> @b \\ ]] // /* "'


@pytest.fixture
def push(log_in: Callable[[str], TestClient]) -> Callable[..., int]:
    def one(path: str, **item: Any) -> int:
        answer = log_in("gaoyou").post(f"/api/exchange/{path}", content=json.dumps([item]))
        assert answer.json()["rejected"] == 0, answer.text
        return int(answer.json()["results"][0]["id"])

    return one


@pytest.fixture
def intake(push: Callable[..., int]) -> int:
    facts = {
        "county_code": 321084,
        "lon": 119.1,
        "lat": 32.1,
        "source_type": "surface_water",
        "holder_name": HOSTILE,
    }
    push("intakes", code="A-1", name="三垛镇第一提水站", annual_volume_m3=412345.6, **facts)
    return push("intakes", code="A-1", name="三垛镇一站", annual_volume_m3=420000, **facts)


def paper(client: TestClient, path: str, **query: str) -> tuple[PdfReader, str]:
    answer = client.get(f"/api/dossiers/{path}.pdf", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    reader = PdfReader(io.BytesIO(answer.content))
    return reader, re.sub(r"\s", "", "".join(page.extract_text() for page in reader.pages))


def test_paper_says_what_the_screen_says(log_in: Callable[[str], TestClient], intake: int) -> None:
    client = log_in("gaoyou")
    reader, text = paper(client, f"intakes/{intake}")
    screen = client.get(f"/api/dossiers/intakes/{intake}").json()
    for section in screen["sections"]:
        assert re.sub(r"\s", "", section["title"]) in text
    for said in (
        "三垛镇一站",
        "A-1",
        "42万m³",
        "41.2346万m³",
        "第2版",
        "原为",
        "改为",
        "gaoyou打印于",
        f"1/{len(reader.pages)}",
    ):
        assert said in text
    assert re.sub(r"\s", "", HOSTILE) in text.replace("“", '"').replace("”", '"')
    assert reader.metadata is not None and reader.metadata.title == "三垛镇一站 A-1"


def test_paper_leads_back_to_the_dossier_and_shows_the_map(
    log_in: Callable[[str], TestClient], intake: int
) -> None:
    reader, _ = paper(log_in("gaoyou"), f"intakes/{intake}")
    links = {
        str(annotation.get_object()["/A"]["/URI"])
        for page in reader.pages
        for annotation in page.get("/Annots", [])
    }
    assert links == {f"http://testserver/dossier/intakes/{intake}"}
    sizes = [image.image.size for page in reader.pages for image in page.images if image.image]
    assert MAP_PX in sizes


def test_every_font_is_in_the_file(log_in: Callable[[str], TestClient], intake: int) -> None:
    reader, _ = paper(log_in("gaoyou"), f"intakes/{intake}")
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & inner["/FontDescriptor"].get_object().keys()


def test_photos_are_on_the_paper_until_they_are_withdrawn(
    log_in: Callable[[str], TestClient], intake: int
) -> None:
    client = log_in("gaoyou")
    content = picture(size=(333, 222), gps=GPS)
    document = client.post(
        f"/api/intakes/{intake}/documents", content=content, params={"title": "泵房外景"}
    ).json()
    reader, text = paper(client, f"intakes/{intake}")
    assert "泵房外景" in text
    assert (333, 222) in [image.image.size for page in reader.pages for image in page.images if image.image]
    client.post(f"/api/documents/{document['id']}/withdraw", json={"reason": "放错了"})
    reader, text = paper(client, f"intakes/{intake}")
    assert "已撤下：放错了" in text
    assert (333, 222) not in [
        image.image.size for page in reader.pages for image in page.images if image.image
    ]


def test_a_permit_is_printed_in_english_too(
    log_in: Callable[[str], TestClient], push: Callable[..., int], intake: int
) -> None:
    permit = push(
        "permits", permit_no="D321084S2024-0003", holder_name="高邮灌区管理处", county_code=321084, annual_volume_m3=500000,
        valid_from="2024-01-01", valid_to="2034-12-31", intake_codes=["A-1"],
    )  # fmt: skip
    _, text = paper(log_in("gaoyou"), f"permits/{permit}", lang="en")
    for said in (
        "Dossierofapermit",
        "D321084S2024-0003",
        "50×10⁴m³",
        "Intakesunderit",
        "三垛镇一站",
        "Printedbygaoyou",
    ):
        assert said in text


def test_paper_and_map_are_for_officers_who_see_the_place(
    log_in: Callable[[str], TestClient], intake: int, web: TestClient
) -> None:
    for what in (f"intakes/{intake}.pdf", f"intakes/{intake}/map.png"):
        assert log_in("baoying").get(f"/api/dossiers/{what}").status_code == 404
        web.cookies.clear()
        assert web.get(f"/api/dossiers/{what}").status_code == 401
    assert log_in("viewer").get(f"/api/dossiers/intakes/{intake}/map.png").content.startswith(b"\x89PNG")


def test_without_a_chinese_font_there_is_no_paper_but_a_sentence(
    log_in: Callable[[str], TestClient], intake: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.dossiers.paper.FONTS", ("No Such Font", "None Such Either"))
    answer = log_in("gaoyou").get(f"/api/dossiers/intakes/{intake}.pdf")
    assert answer.status_code == 503
    assert "install.sh fonts" in answer.json()["detail"]


def test_the_ring_stands_at_the_position() -> None:
    from PIL import Image

    points = [Point(lon=119.1, lat=32.1, label="a"), Point(lon=119.3, lat=32.15, label="b")]
    box = box_of(points)
    assert box is not None
    blank = io.BytesIO()
    Image.new("RGB", MAP_PX, "#ffffff").save(blank, "PNG")
    with Image.open(io.BytesIO(ringed(blank.getvalue(), points, box))) as drawn:
        wide = drawn.width
        coloured = sorted(
            x for x in range(wide) for y in range(drawn.height) if drawn.getpixel((x, y)) == (208, 28, 139)
        )
    # Two rings, as far from the edges: the wider extent fills the picture but for its margin.
    assert abs(coloured[0] - (wide - 1 - coloured[-1])) <= 2
    assert coloured[0] == pytest.approx(wide * 0.1 - 12, abs=2)


def test_without_a_position_there_is_no_box() -> None:
    assert box_of([]) is None
