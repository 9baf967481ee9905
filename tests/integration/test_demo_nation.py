"""The nation's generated register: complete, in place, and the tables as they were around it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app import wiring
from app.actor import Actor, Jurisdiction, Role, system
from app.db.engine import Dsns, transaction
from app.demo.nation import load_nation
from app.deps import Services
from app.errors import Conflict
from app.settings import Settings

INTAKES, PERMITS = 20_000, 4_000
SHAPE = """select array_agg(d order by d) from (
  select indexdef as d from pg_indexes where schemaname = 'shuitu'
  union all select conrelid::regclass::text || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'shuitu'::regnamespace
  union all select relname::text || relforcerowsecurity::text from pg_class where relnamespace = 'shuitu'::regnamespace and relkind = 'r') s"""


def rows(services: Services, query: str, actor: Actor | None = None) -> list[Any]:
    with transaction(services.engine, actor or system("test")) as session:
        return list(session.execute(text(query)).all())


@pytest.fixture(scope="module")
def nation(
    new_database: Callable[[], Dsns], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Services, Any]]:
    """Services with a small register of the whole country, and the tables' shape before it came."""
    settings = Settings(
        database_url=new_database().admin, data_dir=tmp_path_factory.mktemp("nation"), log_level="warning"
    )
    services = wiring.services(settings)
    before = rows(services, SHAPE)
    load_nation(services, INTAKES, PERMITS, seed=3)
    yield services, before
    services.engine.dispose()


def test_every_row_is_there_and_on_the_map(nation: tuple[Services, Any]) -> None:
    services, _ = nation
    assert rows(services, "select count(*), count(distinct county_code) from shuitu.intakes") == [
        (INTAKES, 2890)
    ]
    assert rows(services, "select count(*) from shuitu.permits") == [(PERMITS,)]
    assert rows(services, "select count(*) from map.intake_points") == [(INTAKES,)]
    assert rows(services, "select sum(n) from map.intake_cells where key >= 1 << 10 and key < 4 << 10") != [
        (None,)
    ]


def test_each_intake_stands_in_its_county(nation: tuple[Services, Any]) -> None:
    services, _ = nation
    outside = rows(
        services,
        "select count(*) from (select * from shuitu.intakes order by id limit 3000) i join map.regions r "
        "on r.code = i.county_code and r.level = 3 where not st_covers(r.geom, i.geom)",
    )
    assert outside == [(0,)]


def test_permits_keep_the_tail_and_intakes_share_their_volume(nation: tuple[Services, Any]) -> None:
    services, _ = nation
    median, ninth = rows(
        services,
        "select percentile_cont(0.5) within group (order by annual_volume_m3), "
        "percentile_cont(0.9) within group (order by annual_volume_m3) from shuitu.permits",
    )[0]
    assert median == pytest.approx(9_100, rel=0.01)
    assert ninth == pytest.approx(905_000, rel=0.01)
    assert rows(
        services,
        "select count(*) from shuitu.permits p where not exists (select from shuitu.permit_intakes l where l.permit_id = p.id)",
    ) == [(0,)]
    wrong = rows(
        services,
        """select count(*) from shuitu.permits p join (
             select l.permit_id, sum(i.annual_volume_m3) as taken, count(*) as n from shuitu.permit_intakes l
             join shuitu.intakes i on i.id = l.intake_id group by 1) s on s.permit_id = p.id
           where abs(s.taken - p.annual_volume_m3) > s.n""",
    )
    assert wrong == [(0,)]


def test_permit_states_follow_from_the_permits(nation: tuple[Services, Any]) -> None:
    services, _ = nation
    odd = rows(
        services,
        """select count(*) from shuitu.intakes i left join shuitu.permit_intakes l on l.intake_id = i.id
           left join shuitu.permits p on p.id = l.permit_id
           where i.permit_state <> case when p.status = 'valid' and p.valid_to >= current_date then 'linked' when p.id is not null then 'ended'
                 else i.permit_state end or (p.id is null and i.permit_state in ('linked', 'ended'))""",
    )
    assert odd == [(0,)]


def test_indexes_keys_and_row_level_security_are_as_before(nation: tuple[Services, Any]) -> None:
    services, before = nation
    assert rows(services, SHAPE) == before
    county = Actor("officer", Role.OFFICER, Jurisdiction.of_region("321084"))
    assert rows(services, "select distinct county_code from shuitu.intakes", county) == [(321084,)]


def test_ids_count_on(nation: tuple[Services, Any]) -> None:
    services, _ = nation
    with transaction(services.engine, system("test")) as session:
        made = session.execute(
            text("insert into shuitu.holders (name, county_code) values ('新户', 321084) returning id")
        ).scalar_one()
    assert made == PERMITS + 1


def test_it_is_not_loaded_twice(nation: tuple[Services, Any]) -> None:
    services, _ = nation
    with pytest.raises(Conflict):
        load_nation(services, INTAKES, PERMITS)
