"""The first page of each screen at the size of a nation, for an officer of a county, of a province and of the ministry.

Asked of the service over HTTP, with row-level security on. The first time tells what it takes when the database has
nothing of it in memory yet; the better of the next two what it takes afterwards.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.testclient import TestClient
from sqlalchemy import text

from app.access import service as access
from app.actor import Jurisdiction, Role
from app.db.engine import transaction
from app.deps import Services
from app.main import create
from benchmarks import Figure
from benchmarks.register.nation import ACTOR

LIMIT_MS = 1_000.0
SCREENS = {
    "matching: open lines": "/api/linkage/outcomes?outcome=pending&state=open",
    "matching: all lines": "/api/linkage/outcomes",
    "matching: of a region": "/api/linkage/outcomes?outcome=pending&region={county}",
    "matching: doubtful, groundwater": "/api/linkage/outcomes?outcome=pending&source=groundwater&min_probability=0.6&max_probability=0.9",
    "matching: permits' intakes without an entry": "/api/linkage/outcomes?outcome=permit_without_intake",
    "matching: decided by persons": "/api/linkage/outcomes?state=person",
    "matching: with a conflict": "/api/linkage/outcomes?conflict=distance",
    "matching: by two characters": "/api/linkage/outcomes?q={two}",
    "matching: by three characters": "/api/linkage/outcomes?q={three}",
    "matching: by a name": "/api/linkage/outcomes?q={name}",
    "matching: a line": "/api/linkage/outcomes/{line}",
    "matching: in bulk, counted": "/api/linkage/batches/preview?action=accept&outcome=pending",
    "matching: in bulk, latest": "/api/linkage/batches",
    "matching: progress": "/api/linkage/progress",
    "matching: permits near by": "/api/linkage/permit-points?lon={lon}&lat={lat}",
    "matching: permits by holder": "/api/linkage/permit-points?q={three}",
    "matching: runs": "/api/linkage/runs",
    "review: batches": "/api/review/batches",
    "review: mine": "/api/review/batches?mine=true",
    "review: ready in a county": "/api/review/ready?county={county}",
    "review: items of a batch": "/api/review/items?batch={batch}",
    "review: items in review": "/api/review/items?state=in_review",
    "review: a batch": "/api/review/batches/{batch}",
    "review: samples": "/api/review/samples",
    "statistics: by region and state": "/api/statistics/intakes?by=region&across=permit_state",
    "statistics: by purpose": "/api/statistics/intakes?by=purpose",
    "statistics: by region on a past day": "/api/statistics/intakes?by=region&datetime={past}",
    "statistics: issuers": "/api/statistics/issuers",
    "statistics: progress": "/api/statistics/progress",
    "search: two characters": "/api/search?q={two}",
    "search: three characters": "/api/search?q={three}",
    "search: a name": "/api/search?q={name}",
    "search: a permit number": "/api/search?q={permit_no}",
    "dossier of an intake": "/api/dossiers/intakes/{intake}",
    "dossier of a permit": "/api/dossiers/permits/{permit}",
    "imports": "/api/imports",
    "exchange: changes": "/api/exchange/changes",
}
# The county with the most entries: what is slow there is slow anywhere.
CHOSEN = """
select i.id as intake, i.county_code as county, i.name, l.permit_id as permit, p.permit_no, o.id as line, st_x(i.geom) as lon, st_y(i.geom) as lat,
  (select min(b.id) from shuitu.review_batches b where b.county_code = i.county_code) as batch
from shuitu.intakes i join shuitu.permit_intakes l on l.intake_id = i.id join shuitu.permits p on p.id = l.permit_id
join shuitu.link_outcomes o on o.intake_id = i.id
where i.county_code = (select county_code from shuitu.intakes where county_code % 4 = 0 group by 1 order by count(*) desc limit 1) order by i.id limit 1"""
PASSWORD = "benchmark-of-desks"


@dataclass(frozen=True)
class Login:
    name: str
    jurisdiction: Jurisdiction


def measure(services: Services) -> Iterator[Figure]:
    """The slowest of the three logins for each screen, and what each took."""
    with transaction(services.engine, ACTOR) as session:
        chosen = dict(session.execute(text(CHOSEN)).one()._mapping)
    name = str(chosen["name"])
    given = chosen | {"two": name[:2], "three": "提水站", "past": "2026-01-01"}
    county = int(chosen["county"])
    logins = (
        Login("county", Jurisdiction.of_region(str(county))),
        Login("province", Jurisdiction.of_region(str(county // 10_000))),
        Login("ministry", Jurisdiction.nation()),
    )
    keys = {one.name: _key(services, one) for one in logins}
    with TestClient(create(services.settings)) as web:
        for what, path in SCREENS.items():
            took = {one: _asked(web, path.format(**given), key) for one, key in keys.items()}
            slowest = max(again for _, again in took.values())
            told = ", ".join(f"{one} {first:.0f} then {again:.0f}" for one, (first, again) in took.items())
            yield Figure(what, slowest, "ms", "limit", LIMIT_MS, LIMIT_MS / slowest, 1.0, told)


def _asked(web: TestClient, path: str, key: str) -> tuple[float, float]:
    took = []
    for _ in range(3):
        began = time.perf_counter()
        answer = web.get(path, headers={"X-API-Key": key})
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200 and "too-costly" not in answer.text:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:300]}")
    return took[0], min(took[1:])


def _key(services: Services, login: Login) -> str:
    with transaction(services.engine, ACTOR) as session:
        found = session.execute(
            text("select id from shuitu.users where username = :name"), {"name": f"desk-{login.name}"}
        ).scalar()
        user = (
            found
            or access.add_user(session, f"desk-{login.name}", PASSWORD, Role.OFFICER, login.jurisdiction).id
        )
        return access.add_key(session, user, "benchmark")[1]
