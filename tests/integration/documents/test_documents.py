"""Documents belong to an entry: who sees it sees them, nobody overwrites them, and browsers do not trust them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import system
from app.db.engine import transaction
from app.deps import Services
from tests.unit.documents.test_content import GPS, bomb, picture

PDF = b"%PDF-1.7\n1 0 obj\n%%EOF\n"


@pytest.fixture(scope="module")
def entries(services: Services) -> dict[str, int]:
    """An intake in each county, and a permit of the first county that one of the second is under."""
    with transaction(services.engine, system("test")) as session:
        insert = text(
            "insert into shuitu.intakes (code, name, county_code, geom) values (:c, :c, :county, st_setsrid(st_makepoint(:lon, 32.1), 4490)) returning id"
        )
        here = session.execute(insert, {"c": "A", "county": 321084, "lon": 119.1}).scalar_one()
        there = session.execute(insert, {"c": "B", "county": 321023, "lon": 119.3}).scalar_one()
        permit = session.execute(
            text(
                "insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code) values ('D321084S2024-0001', '', 'valid', 'x', 321084) returning id"
            )
        ).scalar_one()
        session.execute(
            text(
                "insert into shuitu.permit_intakes (permit_id, intake_id, county_code) values (:p, :i, 321023)"
            ),
            {"p": permit, "i": there},
        )
    return {"here": here, "there": there, "permit": permit}


@pytest.fixture
def add(log_in: Callable[[str], TestClient], entries: dict[str, int]) -> Iterator[Callable[..., Any]]:
    def bring(
        content: bytes, who: str = "gaoyou", where: str = "here", layer: str = "intakes", **query: str
    ) -> Any:
        return log_in(who).post(f"/api/{layer}/{entries[where]}/documents", content=content, params=query)

    yield bring


def test_a_photo_comes_back_as_it_went_with_what_the_camera_said(
    add: Callable[..., Any], web: TestClient, settings: Any
) -> None:
    content = picture(size=(900, 600), gps=GPS)
    answer = add(content, filename="三垛泵站.jpg", title="泵房外景")
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["media_type"], found["width"], found["title"]) == ("image/jpeg", 900, "泵房外景")
    # The photo says 119.11, the register 119.10: 0.01° at 32.1°N.
    assert found["distance_m"] == pytest.approx(942, abs=2)
    file = web.get(f"/api/documents/{found['id']}/file")
    assert file.content == content
    assert file.headers["content-type"] == "image/jpeg"
    assert file.headers["content-disposition"] == f"inline; filename*=utf-8''{quote('三垛泵站.jpg')}"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in file.headers["content-security-policy"]
    small = web.get(f"/api/documents/{found['id']}/thumbnail")
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    assert len(small.content) < len(content)
    kept = list((Path(settings.data_dir) / "documents").rglob(f"{found['digest']}.jpg"))
    assert [path.read_bytes() for path in kept] == [content]


def test_a_pdf_is_handed_over_and_never_opened_in_the_page(add: Callable[..., Any], web: TestClient) -> None:
    answer = add(PDF, filename="../../etc/passwd\r\nX: y", layer="permits", where="permit")
    assert answer.status_code == 201
    file = web.get(f"/api/documents/{answer.json()['id']}/file")
    assert file.headers["content-disposition"].startswith("attachment; ")
    assert "x" not in file.headers
    assert web.get(f"/api/documents/{answer.json()['id']}/thumbnail").status_code == 404


@pytest.mark.parametrize(
    "content", [b"", b"<html><script>alert(1)</script>", bomb(20_000), b"GIF89a" + b"\0" * 20]
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_is_refused_whatever_it_is_called(add: Callable[..., Any], content: bytes) -> None:
    answer = add(content, filename="photo.jpg")
    assert (answer.status_code, answer.json()["field"]) == (400, "file")


def test_what_is_too_large_is_refused(add: Callable[..., Any], services: Services) -> None:
    assert add(b"\xff\xd8" + b"x" * (services.settings.document_limit_mb * 2**20)).status_code == 413


def test_the_same_file_is_taken_once(add: Callable[..., Any]) -> None:
    content = picture("PNG")
    assert add(content).status_code == 201
    assert add(content).status_code == 409


def test_documents_are_seen_where_their_entry_is(
    add: Callable[..., Any], log_in: Callable[[str], TestClient], entries: dict[str, int], web: TestClient
) -> None:
    answer = add(picture("WEBP"))
    document = answer.json()["id"]
    assert log_in("baoying").get(f"/api/documents/{document}/file").status_code == 404
    assert web.get(f"/api/intakes/{entries['here']}/documents").status_code == 404
    assert log_in("viewer").get(f"/api/documents/{document}/file").status_code == 200
    assert add(picture("WEBP"), "viewer").status_code == 403
    assert add(picture("WEBP"), "baoying").status_code == 404
    web.cookies.clear()
    for path in (
        f"documents/{document}/file",
        f"documents/{document}/thumbnail",
        f"intakes/{entries['here']}/documents",
    ):
        assert web.get(f"/api/{path}").status_code == 401


def test_who_sees_a_permit_by_its_intake_reads_its_documents_and_changes_none(
    add: Callable[..., Any], log_in: Callable[[str], TestClient], entries: dict[str, int]
) -> None:
    document = add(picture("TIFF"), layer="permits", where="permit").json()["id"]
    baoying = log_in("baoying")
    assert baoying.get(f"/api/documents/{document}/file").status_code == 200
    assert baoying.post(f"/api/documents/{document}/withdraw", json={"reason": "x"}).status_code == 403
    assert add(picture(), "baoying", "permit", "permits").status_code == 403


def test_a_withdrawn_document_stays_and_says_why(
    add: Callable[..., Any], web: TestClient, entries: dict[str, int]
) -> None:
    content = picture(size=(70, 70))
    document = add(content, title="错放").json()["id"]
    answer = web.post(f"/api/documents/{document}/withdraw", json={"reason": "放错了档案"})
    assert (answer.json()["withdrawn_by"], answer.json()["withdrawn_why"]) == ("gaoyou", "放错了档案")
    assert web.post(f"/api/documents/{document}/withdraw", json={"reason": "again"}).status_code == 409
    assert web.get(f"/api/intakes/{entries['here']}/documents").json()[-1]["id"] == document
    assert web.get(f"/api/documents/{document}/file").content == content
    assert add(content).status_code == 201  # brought again, it is another document


def test_documents_go_with_an_entry_that_moves_to_another_county(
    add: Callable[..., Any], services: Services, log_in: Callable[[str], TestClient]
) -> None:
    with transaction(services.engine, system("test")) as session:
        moving = session.execute(
            text("insert into shuitu.intakes (code, name, county_code, geom) values ('M', 'M', 321084, 'SRID=4490;POINT(119.1 32.1)') returning id")
        ).scalar_one()  # fmt: skip
    document = (
        log_in("gaoyou").post(f"/api/intakes/{moving}/documents", content=picture(size=(33, 33))).json()["id"]
    )
    with transaction(services.engine, system("test")) as session:
        session.execute(text("update shuitu.intakes set county_code = 321023 where id = :id"), {"id": moving})
    assert log_in("gaoyou").get(f"/api/documents/{document}/file").status_code == 404
    assert log_in("baoying").get(f"/api/documents/{document}/file").status_code == 200


def test_a_document_is_on_record_in_the_log_of_changes(
    add: Callable[..., Any], web: TestClient, entries: dict[str, int]
) -> None:
    document = add(picture(size=(81, 80))).json()["id"]
    items = []
    after = None
    while True:
        page = web.get("/api/changes", params={"limit": 1000} | ({"after": after} if after else {})).json()
        items += page["items"]
        if not page["items"]:
            break
        after = page["next"]
    told = [one for one in items if one["layer"] == "documents" and one["entity_id"] == document]
    assert [(one["action"], one["actor_name"], one["facts"]) for one in told] == [
        ("create", "gaoyou", {"layer": "intakes", "entity_id": entries["here"]})
    ]
