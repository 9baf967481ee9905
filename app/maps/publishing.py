"""Brings the map tables up to the facts, in the transaction of the facts: in bulk by county, or one by one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from layers import catalog
from tiles import publish, shapes

Connection = psycopg.Connection[Any]
SCOPE = ("app.scope_lo", "app.scope_hi", "app.scope_basin")
NATION = ("0", "1000000", "")


def publish_counties(connection: Connection, layer: str, counties: Iterable[int] | None) -> None:
    """Everything of a layer in these counties, or all of it. Permits lie where their intakes do, so they follow."""
    if layer == "regions":
        shapes.rebuild_shapes(connection)
        return
    declared = catalog.load()
    if declared[layer].points is None or counties == ():
        return
    codes = None if counties is None else sorted(set(counties))
    # A permit that ended takes its intakes in other counties with it, where whoever ended it sees nothing.
    with nationwide(connection):
        for name in ("intakes", "permits") if layer == "intakes" else (layer,):
            publish.rebuild(connection, declared[name], codes)
        if layer == "intakes" and codes is not None:
            publish.features(connection, declared["permits"], _ids(connection, PERMITS_ELSEWHERE, codes))


def publish_features(connection: Connection, layer: str, ids: Iterable[int]) -> None:
    """Single features of a layer after they were created, changed or deleted, and what hangs on their place or
    dates. Call it once a transaction, after the facts are written.

    An intake that is deleted takes its links with it: name the permits it had in a call of their own.
    """
    declared = catalog.load()
    if declared[layer].points is None:
        return
    wanted = list(ids)
    intakes, permits = declared["intakes"], declared["permits"]
    if layer == "permits":
        # Intakes first, as everywhere: two transactions that lock in one order wait, and do not block each other.
        with nationwide(connection):
            publish.features(connection, intakes, _ids(connection, INTAKES_OF, wanted))
    moved = publish.features(connection, declared[layer], wanted)
    if layer == "intakes" and moved:
        with nationwide(connection):
            publish.features(connection, permits, _ids(connection, PERMITS_OF, moved))


PERMITS_OF = "select distinct permit_id from shuitu.permit_intakes where intake_id = any(%s)"
INTAKES_OF = "select distinct intake_id from shuitu.permit_intakes where permit_id = any(%s)"
PERMITS_ELSEWHERE = """
select distinct l.permit_id from shuitu.permit_intakes l join shuitu.permits p on p.id = l.permit_id
where l.county_code = any(%s) and p.county_code <> l.county_code"""


def _ids(connection: Connection, query: str, given: list[int]) -> list[int]:
    return [row[0] for row in connection.execute(query.encode(), (given,))]


@contextmanager
def nationwide(connection: Connection) -> Iterator[None]:
    """Publishing is a system task: a permit of another county moves with the intake that was moved here."""
    mine = connection.execute(
        f"select {', '.join(f'current_setting({name!r}, true)' for name in SCOPE)}".encode()
    ).fetchone()
    _set(connection, NATION)
    yield
    _set(connection, tuple(value or "" for value in mine or ()))


def _set(connection: Connection, values: tuple[str, ...]) -> None:
    for name, value in zip(SCOPE, values, strict=True):
        connection.execute("select set_config(%s, %s, true)", (name, value))
