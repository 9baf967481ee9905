"""One entry of the register of intakes at a time: created, replaced, updated, deleted.

An entry is held to the rules of imports. Every change makes a new version (the trigger keeps the former one),
writes a change with its place, and publishes the feature, all in the caller's transaction.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.actor import Actor
from app.changes import service as changes
from app.errors import Conflict, InvalidInput, NotAllowed, NotFound
from app.regions import locate
from app.registry import import_checks, queries

Publish = Callable[[Session, Iterable[int]], None]
"""Brings the map up to these intakes, in the same transaction."""
Place = tuple[float, float]
"""Longitude and latitude in CGCS2000."""
DEFAULTS: Mapping[str, Any] = {
    "holder_name": "",
    "source_type": "unknown",
    "status": "in_use",
    "purpose": "other",
    "water_body": "",
    "off_stream": True,
    "place": "",
}
"""What a field is when it is not given; None for all others."""


@dataclass(frozen=True)
class _Rules:
    """What the checks of imports want to know of the mapping: positions must lie in the county stated."""

    bounds: None = None
    check_region: bool = True


@dataclass(frozen=True)
class _Known:
    scope: Any
    mapping: _Rules = _Rules()


def locked(session: Session, intake_id: int) -> Row[Any]:
    """The entry, which nobody else can change until the transaction ends. Raises NotFound."""
    row = queries.locked_intake(session, intake_id)
    if row is None:
        raise NotFound(
            f"没有取水口 {intake_id}，或不在您的辖区内 (no such intake, or outside your jurisdiction)"
        )
    return row


def create(session: Session, actor: Actor, values: Mapping[str, Any], place: Place, publish: Publish) -> int:
    """A new entry; returns its id. `values` by field of the layer; what is missing has its default.

    Raises InvalidInput if it breaks a rule, NotAllowed outside the jurisdiction, Conflict if the code is taken.
    """
    wanted = _checked(session, actor, {**DEFAULTS, **_given(values)}, place, basin=actor.jurisdiction.basin)
    if queries.code_taken(session, wanted["code"]):
        raise Conflict(f"取水口编码 {wanted['code']} 已登记 (this code is registered already)", field="code")
    wanted["holder_id"] = _holder(session, wanted)
    intake_id = queries.insert_intake(session, wanted, place)
    _record(session, actor, "create", intake_id, wanted, place, {"fields": sorted(_given(values))})
    publish(session, [intake_id])
    return intake_id


def change(
    session: Session,
    actor: Actor,
    before: Row[Any],
    values: Mapping[str, Any],
    place: Place | None,
    publish: Publish,
    *,
    whole: bool,
) -> None:
    """A new version of a locked entry. `whole`: fields that are not given go back to their defaults; else they stay.

    Raises as `create`.
    """
    here = (before.lon, before.lat)
    # A client that writes back what it read has seven decimals of the place: that is no move.
    place = (
        here if place is None or max(abs(a - b) for a, b in zip(place, here, strict=True)) < 6e-8 else place
    )
    kept = {name: getattr(before, name) for name in queries.WRITTEN}
    wanted = {**(DEFAULTS if whole else kept), **_set(values)}
    wanted = _checked(session, actor, wanted, place, basin=before.basin_id)
    if wanted["code"] != before.code and queries.code_taken(session, wanted["code"]):
        raise Conflict(f"取水口编码 {wanted['code']} 已登记 (this code is registered already)", field="code")
    changed = sorted(name for name in queries.WRITTEN if wanted[name] != getattr(before, name))
    if place != here:
        changed.append("geometry")
    if not changed:
        return
    same_holder = wanted["holder_name"] == before.holder_name and wanted["county_code"] == before.county_code
    wanted["holder_id"] = before.holder_id if same_holder else _holder(session, wanted)
    queries.update_intake(session, before.id, wanted, place)
    if wanted["county_code"] != before.county_code:
        queries.move_links(session, before.id, wanted["county_code"])
        changes.record(
            session, actor.username, "intakes", "update", before.county_code,
            basin_id=before.basin_id, entity_id=before.id, box=_box(here),
            facts={"moved_to": wanted["county_code"]},
        )  # fmt: skip
    _record(session, actor, "update", before.id, wanted, place, {"fields": changed}, here)
    publish(session, [before.id])


def delete(session: Session, actor: Actor, before: Row[Any], publish: Publish) -> None:
    """Take a locked entry out of the register; its last version goes to the history.

    What a regulator decided about it must stay: an entry with permits, or one that a decision on a finding names,
    is ended instead. Raises Conflict then.
    """
    _may(actor, before.county_code, before.basin_id)
    if found := queries.decided_on(session, before.id):
        raise Conflict(
            f"该取水口{found.zh}，不能删除；请将使用状态改为“停用” "
            f"(this intake {found.en} and cannot be deleted: set its status to ended)",
            field="status",
            expected="ended",
        )
    place = (before.lon, before.lat)
    queries.delete_intake(session, before.id)
    wanted = {"county_code": before.county_code, "basin_id": before.basin_id}
    _record(
        session, actor, "delete", before.id, wanted, place, {"code": before.code, "version": before.version}
    )
    publish(session, [before.id])


# ── below: how ──────────────────────────────────────────────────────────────────────────────────────


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with those that are unset at their defaults."""
    return {name: DEFAULTS.get(name) if value is None else value for name, value in values.items()}


def _checked(
    session: Session, actor: Actor, wanted: Mapping[str, Any], place: Place, *, basin: int | None
) -> dict[str, Any]:
    """The values that will be written, every field of them. Raises InvalidInput or NotAllowed."""
    import pandas as pd  # the checks are those of a file's rows; most processes never write one

    found = {name: wanted.get(name) for name in queries.WRITTEN} | {"basin_id": basin}
    for name in ("code", "name"):
        if not str(found[name] or "").strip():
            raise InvalidInput(f"缺少 {name} ({name} is missing)", field=name, expected="text")
    counties = locate.around(session, *place, found["county_code"])
    rows = pd.DataFrame([found | {"lon": place[0], "lat": place[1]}], index=[1])
    if found["county_code"] is None:
        at = int(counties.county_of(*(rows[c].to_numpy(float) for c in ("lon", "lat")))[0])
        if not at:
            raise InvalidInput("位置不在任何县内 (the position lies in no county)", field="geometry")
        found["county_code"] = rows.loc[1, "county_code"] = at
    _may(actor, int(str(found["county_code"])), basin)
    rows["county_code"] = rows["county_code"].astype(object)
    issues = import_checks.place(rows, counties, _Known(actor.jurisdiction), set())
    issues += import_checks.volumes(rows, "annual_volume_m3", None, None)
    wrong = [issue for issue in issues if issue.severity == "reject"]
    if wrong:
        raise InvalidInput(
            "；".join(issue.message for issue in wrong),
            field=wrong[0].field,
            value=wrong[0].value,
            expected=wrong[0].expected,
            errors=[{"field": i.field, "reason": i.reason, "detail": i.message} for i in wrong],
        )
    return found


def _may(actor: Actor, county: int, basin: int | None) -> None:
    if not actor.jurisdiction.covers(county, basin):
        raise NotAllowed(
            f"{county} 不在您的辖区内 (lies outside your jurisdiction)", field="county_code", value=county
        )


def _holder(session: Session, wanted: Mapping[str, Any]) -> int | None:
    if not wanted["holder_name"]:
        return None
    return queries.holder(session, wanted["holder_name"], wanted["county_code"], wanted["basin_id"])


def _box(*places: Place) -> tuple[float, float, float, float]:
    lons, lats = zip(*places, strict=True)
    return min(lons), min(lats), max(lons), max(lats)


def _record(
    session: Session,
    actor: Actor,
    action: str,
    intake_id: int,
    wanted: Mapping[str, Any],
    place: Place,
    facts: dict[str, Any],
    *former: Place,
) -> None:
    changes.record(
        session,
        actor.username,
        "intakes",
        action,
        wanted["county_code"],
        basin_id=wanted["basin_id"],
        entity_id=intake_id,
        box=_box(place, *former),
        facts=facts,
    )
