"""The register on a past day, one entry at a time: as it held, as it was known, and what each version changed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import InvalidInput, NotFound
from app.registry import queries
from layers.clock import CHINA

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
A_DAY = timedelta(days=1) - timedelta(microseconds=1)
"""From the first to the last moment of it."""


@dataclass(frozen=True)
class Moment:
    """What held on a day, as it was known at a moment; None: as it is known now."""

    on: date
    known: datetime | None = None


def moment(on: str | None, known: str | None) -> Moment | None:
    """Of `datetime` and `known` as a request gives them; None if it gives neither. Raises InvalidInput.

    Days are China's. A day for `known` means all that was recorded until its end.
    """
    if on is None and known is None:
        return None
    at = None if known is None else _instant("known", known, end=True)
    day = datetime.now(CHINA).date() if on is None else _instant("datetime", on).astimezone(CHINA).date()
    return Moment(day, at)


def _instant(name: str, given: str, *, end: bool = False) -> datetime:
    try:
        if DAY.fullmatch(given):
            found = datetime.fromisoformat(given).replace(tzinfo=CHINA)
            found += A_DAY if end else timedelta()
        else:
            # A `+` of an address arrives as a blank.
            found = datetime.fromisoformat(given.replace(" ", "+"))
            found = found if found.tzinfo else found.replace(tzinfo=CHINA)
        if not 1900 <= found.astimezone(UTC).year <= 2200:
            raise ValueError
        return found
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{name} 应为日期或时刻 (is a day or a moment): {given!r}",
            field=name,
            value=given,
            expected="2024-06-30 / 2024-06-30T08:00:00+08:00",
        ) from None


# ── one entry on that day ───────────────────────────────────────────────────────────────────────────

VERSION = """
select version from (
  select id, version, effective_on, recorded_at from map.{kind}_current where id = :id
  union all select id, version, effective_on, recorded_at from map.{kind}_former where id = :id) v
where effective_on <= :day and (cast(:known as timestamptz) is null or recorded_at <= cast(:known as timestamptz))
order by version desc limit 1"""
ROW = """
select to_jsonb(v) from (
  select {columns} from shuitu.{kind}s where id = :id and version = :version
  union all select {columns} from shuitu.{kind}_history where id = :id and version = :version) v limit 1"""
IN_FORCE = """l.valid_from <= :day and (l.valid_to is null or l.valid_to > :day or l.ended_at > cast(:known as timestamptz))
  and (cast(:known as timestamptz) is null or l.recorded_at <= cast(:known as timestamptz))"""
PERMITS_THEN = f"""
select p.* from map.link_versions l cross join lateral (
  select v.id, v.permit_no, v.holder_name, map.status_on(v.status, v.ended_on, v.valid_to, :day) as status, v.annual_volume_m3, v.valid_from, v.valid_to
  from (select * from map.permit_current c where c.id = l.permit_id union all select * from map.permit_former f where f.id = l.permit_id) v
  where v.effective_on <= :day and (cast(:known as timestamptz) is null or v.recorded_at <= cast(:known as timestamptz))
  order by v.version desc limit 1) p
where l.intake_id = :id and {IN_FORCE} order by p.valid_to desc nulls first"""
INTAKES_THEN = f"""
select i.id, i.code, i.name, i.permit_state, i.county_code, st_x(i.geom) as lon, st_y(i.geom) as lat
from (select distinct l.intake_id from map.link_versions l where l.permit_id = :id and {IN_FORCE}) k
cross join lateral (select * from map.intakes_at(:day, cast(:known as timestamptz)) a where a.id = k.intake_id) i
order by i.code"""


def intake(session: Session, intake_id: int, at: Moment) -> dict[str, Any]:
    """An intake on that day, with the permits that it had. Raises NotFound."""
    given = {"id": intake_id, "day": at.on, "known": at.known}
    state = session.execute(
        text("select permit_state from map.intakes_at(:day, cast(:known as timestamptz)) where id = :id"),
        given,
    ).scalar()
    if state is None:
        raise _not_then("取水口", intake_id, at)
    found = _row(session, "intake", given)
    found |= {"permit_state": state, "permits": _rows(session, PERMITS_THEN, given)}
    found["lon"], found["lat"] = found.pop("geom")["coordinates"]
    return found | _around(session, "intake", found)


def permit(session: Session, permit_id: int, at: Moment) -> dict[str, Any]:
    """A permit on that day, with its limits and the intakes under it. Raises NotFound."""
    given = {"id": permit_id, "day": at.on, "known": at.known}
    found = _row(session, "permit", given)
    status = text("select map.status_on(:status, cast(:ended as date), cast(:ends as date), :day)")
    found["status"] = session.execute(
        status,
        {"status": found["status"], "ended": found["ended_on"], "ends": found["valid_to"], "day": at.on},
    ).scalar_one()
    found["limits"] = queries.limits(session, permit_id, found["version"])
    found["intakes"] = _rows(session, INTAKES_THEN, given)
    found["points"] = queries.points(session, permit_id, at.on)
    return found | _around(session, "permit", found)


def _row(session: Session, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    version = session.execute(text(VERSION.format(kind=kind)), given).scalar()
    if version is None:
        raise _not_then(
            "取水口" if kind == "intake" else "取水许可", given["id"], Moment(given["day"], given["known"])
        )
    columns = ", ".join(_columns(session, f"{kind}s"))
    row: dict[str, Any] = session.execute(
        text(ROW.format(kind=kind, columns=columns)), {"id": given["id"], "version": version}
    ).scalar_one()
    return row


def _columns(session: Session, table: str) -> list[str]:
    found = session.execute(
        text(
            "select quote_ident(attname) from pg_attribute where attrelid = cast(:t as regclass) and attnum > 0 and not attisdropped"
        ),
        {"t": f"shuitu.{table}"},
    )
    return list(found.scalars())


def _around(session: Session, kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
    name = text("select name from map.regions where code = :code and level = 3 limit 1")
    county = session.execute(name, {"code": found["county_code"]}).scalar()
    return {"county_name": county, "history": queries.history(session, kind, found["id"])}


def _rows(session: Session, statement: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(text(statement), given)]


def _not_then(title: str, identifier: int, at: Moment) -> NotFound:
    known = f"，按 {at.known.astimezone(CHINA):%Y-%m-%d %H:%M} 的登记" if at.known else ""
    return NotFound(
        f"{at.on} 没有{title} {identifier}{known}，或不在您的辖区内 "
        "(no such entry on that day as known then, or outside your jurisdiction)"
    )


# ── what each version changed ───────────────────────────────────────────────────────────────────────

VERSIONS = """
select v.version, v.recorded_at, v.recorded_until, v.row, i.filename, coalesce(e.actor_name, c.actor_name, i.actor_name) as actor_name,
       e.event, e.effective_on, coalesce(e.document_no, '') as document_no, e.ground, coalesce(e.reason, '') as reason,
       coalesce(e.facts -> 'warnings', '[]') as warnings
from (select version, recorded_at, null::timestamptz as recorded_until, to_jsonb(t) as row from shuitu.{kind}s t where id = :id
      union all
      select version, recorded_at, recorded_until, to_jsonb(t) from shuitu.{kind}_history t where id = :id) v
left join shuitu.imports i on i.id = cast(v.row ->> 'import_id' as uuid)
left join lateral (select * from shuitu.changes where layer = '{kind}s' and entity_id = :id and at = v.recorded_at limit 1) c on true
left join lateral (select * from shuitu.permit_events where '{kind}' = 'permit' and permit_id = :id and version = v.version) e on true
order by v.version desc"""
BOOKKEEPING = frozenset(
    ("id", "version", "recorded_at", "recorded_until", "import_id", "source_row", "holder_id", "event", "effective_on", "zone_code")
)  # fmt: skip
LIMITS = "select version, jsonb_agg(to_jsonb(l) - array['permit_id', 'version', 'county_code', 'basin_id'] order by seq) from shuitu.permit_limits l where permit_id = :id group by version"


def versions(session: Session, kind: str, identifier: int) -> list[dict[str, Any]]:
    """Every version of an intake or a permit, the newest first, with who made it and what it changed.

    Raises NotFound.
    """
    found = _rows(session, VERSIONS.format(kind=kind), {"id": identifier})
    if not found:
        title = "取水口" if kind == "intake" else "取水许可"
        raise NotFound(
            f"没有{title} {identifier}，或不在您的辖区内 (no such entry, or outside your jurisdiction)"
        )
    limits: dict[int, Any] = {}
    if kind == "permit":
        rows = session.execute(text(LIMITS), {"id": identifier})
        limits = {row[0]: row[1] for row in rows}
    plain = [_plain(one["row"], limits.get(one["version"])) for one in found]
    # An import's mark stays on the row that later changes make; the version is not its work.
    for one, before in zip(found, [*found[1:], None], strict=True):
        if before is not None and one["row"].get("import_id") == before["row"].get("import_id"):
            one["filename"] = None
    return [
        one | {"differences": differences(plain[n + 1], plain[n]) if n + 1 < len(plain) else []}
        for n, one in enumerate(found)
    ]


def _plain(row: Mapping[str, Any], limits: Any) -> dict[str, Any]:
    """The facts of a version by field: places as lon,lat, what the register adds under its own headings."""
    kept = {name: value for name, value in row.items() if name not in BOOKKEEPING}
    place = kept.pop("geom", None)
    if place is not None:
        kept["geometry"] = ", ".join(f"{x:.6f}" for x in place["coordinates"])
    more = kept.pop("attributes", None) or {}
    if limits is not None:
        kept["limits"] = limits
    return kept | {f"attributes.{name}": value for name, value in more.items()}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Field by field, in the order of the register."""
    names = [*new, *(name for name in old if name not in new)]
    return [
        {"field": name, "old": old.get(name), "new": new.get(name)}
        for name in names
        if old.get(name) != new.get(name)
    ]
