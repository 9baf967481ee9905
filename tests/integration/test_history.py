"""Nothing is overwritten: a changed permit or intake leaves its former version, with the time until it held."""

from sqlalchemy import text

from app.actor import system
from app.db.engine import Dsns, engine, transaction

INSERT = """insert into shuitu.permits (permit_no, permit_no_raw, status, holder_name, county_code, annual_volume_m3)
            values (:no, :no, 'valid', '示例公司', 321084, 25100000) returning id"""


def test_a_changed_permit_keeps_its_former_version(database: Dsns) -> None:
    service = engine(database.service)
    with transaction(service, system("test")) as tx:
        permit = tx.execute(text(INSERT), {"no": "C321084S2019-0001"}).scalar_one()
    with transaction(service, system("test")) as tx:
        tx.execute(
            text("update shuitu.permits set annual_volume_m3 = 12840000 where id = :id"), {"id": permit}
        )
    with transaction(service, system("test")) as tx:
        now = tx.execute(
            text("select version, annual_volume_m3 from shuitu.permits where id = :id"), {"id": permit}
        ).one()
        former = tx.execute(
            text(
                "select version, annual_volume_m3, recorded_until >= recorded_at from shuitu.permit_history where id = :id"
            ),
            {"id": permit},
        ).all()
    service.dispose()
    assert tuple(now) == (2, 12_840_000)
    assert [tuple(row) for row in former] == [(1, 25_100_000, True)]


def test_a_write_that_changes_nothing_makes_no_version(database: Dsns) -> None:
    service = engine(database.service)
    with transaction(service, system("test")) as tx:
        permit = tx.execute(text(INSERT), {"no": "C321084S2019-0002"}).scalar_one()
        tx.execute(
            text("update shuitu.permits set annual_volume_m3 = annual_volume_m3 where id = :id"),
            {"id": permit},
        )
        versions = tx.execute(
            text("select count(*) from shuitu.permit_history where id = :id"), {"id": permit}
        ).scalar()
    service.dispose()
    assert versions == 0
