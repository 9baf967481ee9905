"""A register of two counties to whose permits things happen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from app.actor import system
from app.db.engine import driver_of, transaction
from app.deps import Services

INTAKES = (("W1", 321084, 119.05), ("W2", 321084, 119.06), ("W3", 321084, 119.07), ("B1", 321023, 119.25))


@pytest.fixture(scope="module")
def wells(services: Services) -> dict[str, int]:
    """Three wells in Gaoyou and one in Baoying, published; ids by code."""
    with transaction(services.engine, system("test")) as session:
        found = {
            code: session.execute(
                text(
                    "insert into shuitu.intakes (code, name, county_code, source_type, geom) values (:code, :code || '井', :county, "
                    "'groundwater', st_setsrid(st_makepoint(:lon, 32.1), 4490)) returning id"
                ),
                {"code": code, "county": county, "lon": lon},
            ).scalar_one()
            for code, county, lon in INTAKES
        }
        services.publish(driver_of(session), "intakes", None)
    return found


@pytest.fixture(scope="module")
def numbers() -> Iterator[str]:
    """Permit numbers, each once."""
    return (f"D321084G2024-{n:04d}" for n in range(1, 10_000))


@pytest.fixture
def issue(
    log_in: Callable[[str], TestClient], wells: dict[str, int], numbers: Iterator[str]
) -> Callable[..., dict[str, Any]]:
    """Issues a permit as the officer of Gaoyou; gives what the service answered."""

    def enter(**facts: Any) -> dict[str, Any]:
        body = {
            "permit_no": next(numbers),
            "holder_name": "高邮自来水公司",
            "county_code": 321084,
            "valid_from": "2024-01-01",
            "valid_to": "2028-12-31",
            "annual_volume_m3": 200_000,
        }
        answer = log_in("gaoyou").post("/api/permits", json=body | facts)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return enter


@pytest.fixture
def enter(log_in: Callable[[str], TestClient]) -> Callable[..., Any]:
    """Enters an event on a permit as it was shown; gives the answer."""

    def send(permit: dict[str, Any], event: str, *, who: str = "gaoyou", **given: Any) -> Any:
        body = {"event": event, "version": permit["version"]} | given
        return log_in(who).post(f"/api/permits/{permit['id']}/events", json=body)

    return send
