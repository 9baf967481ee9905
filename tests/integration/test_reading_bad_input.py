"""What no search, cursor or address can be is answered in words, never by a failure of the service."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize("after", ["1", "x.y", "-1.1", "1.1.1", "٣.٣", "9" * 30 + ".1", "1." + "9" * 30])
def test_what_is_no_cursor_is_a_400(log_in: Callable[[str], TestClient], after: str) -> None:
    assert log_in("gaoyou").get("/api/changes", params={"after": after}).status_code == 400


def test_a_search_for_what_no_text_can_hold_finds_nothing(log_in: Callable[[str], TestClient]) -> None:
    for words in ("\x00", "a\x00b", "%", "_", "\\", "9" * 99):
        answer = log_in("gaoyou").get("/api/search", params={"q": words})
        assert (answer.status_code, answer.json()) == (200, {"items": []})


@pytest.mark.parametrize("path", ["intakes", "permits", "regions"])
@pytest.mark.parametrize("name", ["0", "-1", "9" * 30, "x", "%00", "1.5"])
def test_what_is_no_number_of_an_entry_is_a_400_or_404(
    log_in: Callable[[str], TestClient], path: str, name: str
) -> None:
    answer = log_in("gaoyou").get(f"/api/{path}/{name}")
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"
