"""The dossier of a permit 取水许可."""

from typing import Any

from sqlalchemy.orm import Session

from app.documents import queries as documents
from app.dossiers import decided, parts, queries
from app.dossiers.intake import held
from app.dossiers.sections import Cell, Dossier, Entry, Fact, Lang, Point, Section, Target
from app.dossiers.words import Words
from app.registry import past

SHOWN = (
    "permit_no", "permit_no_raw", "previous_number", "e_licence", "holder_name", "status", "event", "annual_volume_m3",
    "valid_from", "valid_to", "effective_on", "ended_on", "issuing_authority", "issuing_level", "supervising_authority",
    "source_type", "purpose", "industry_code", "occupies_quota", "county_code", "basin_id", "zone_code", "place",
)  # fmt: skip
MOST_POINTS = 500


def dossier(session: Session, permit_id: int, lang: Lang) -> Dossier:
    """Everything known about a permit. Raises NotFound if there is none in scope."""
    now = queries.present(session, "permit", permit_id)
    versions = parts.traced(past.versions(session, "permit", permit_id))
    links = queries.links_of_permit(session, permit_id)
    listed = queries.points(session, permit_id)
    codes = parts.counties(versions) | {row["county_code"] for row in (*links, *listed)}
    words = Words(lang, queries.counties(session, codes))
    return Dossier(
        layer="permits",
        id=permit_id,
        version=now["version"],
        kind=words.pick("取水许可档案", "Dossier of a permit"),
        name=now["holder_name"],
        number=now["permit_no"],
        state=now["status"],
        state_text=words.value("permits", "status", now["status"]),
        demo=queries.is_demo(session),
        points=_points(links, listed),
        sections=[
            parts.facts(words, "permits", now, SHOWN),
            _events(words, queries.events(session, permit_id)),
            _volumes(words, now, links),
            parts.limits(words, queries.limits(session, [permit_id]), of_one=True),
            _listed(words, listed),
            _intakes(words, links),
            *decided.sections(session, words, "permit", permit_id),
            parts.documents(words, documents.of(session, "permits", permit_id)),
            parts.versions(words, "permits", versions),
            parts.provenance(words, versions),
        ],
    )


def _points(links: queries.Rows, listed: queries.Rows) -> list[Point]:
    """Where its intakes lie: those of the register, else those that the permit lists."""
    linked = [
        Point(lon=row["lon"], lat=row["lat"], label=row["name"]) for row in links if row["valid_to"] is None
    ]
    printed = [
        Point(lon=row["lon"], lat=row["lat"], label=row["name"]) for row in listed if row["lon"] is not None
    ]
    return (linked or printed)[:MOST_POINTS]


def _events(words: Words, found: queries.Rows) -> Section:
    return Section(
        id="events",
        title=words.pick("办理事项", "Events"),
        empty=words.pick("没有办理记录", "No events on record"),
        entries=[
            Entry(
                heading=words.value("permits", "event", row["event"])
                + words.pick(f"（第{row['version']}版）", f" (version {row['version']})"),
                at=row["recorded_at"],
                text=" · ".join(
                    part
                    for part in (
                        words.pick("生效 ", "in effect from ") + words.day(row["effective_on"]) if row["effective_on"] else "",
                        row["document_no"], row["ground"] or "", row["reason"], words.person(row["actor_name"]),
                    )
                    if part
                ),
            )
            for row in found
        ],
    )  # fmt: skip


def _volumes(words: Words, now: dict[str, Any], links: queries.Rows) -> Section:
    current = [row for row in links if row["valid_to"] is None]
    known = [row["annual_volume_m3"] for row in current if row["annual_volume_m3"] is not None]
    facts = [
        Fact(title=words.pick("年许可水量", "Permitted, a year"), text=words.volume(now["annual_volume_m3"]))
    ]
    if current:
        facts.append(
            Fact(
                title=words.pick("对应取水口登记水量合计", "Registered by its intakes, together"),
                text=words.pick(
                    f"{words.volume(sum(known))}（{len(current)}个取水口中{len(known)}个有登记水量）",
                    f"{words.volume(sum(known))} ({len(known)} of {len(current)} intakes have a volume)",
                ),
            )
        )
    return Section(id="volumes", title=words.pick("水量", "Volumes"), facts=facts)


def _listed(words: Words, found: queries.Rows) -> Section:
    def linked(row: dict[str, Any]) -> Cell:
        first = (row["linked"] or [None])[0]
        if first is None:
            return Cell(text=words.pick("未对应", "none"))
        more = len(row["linked"]) - 1
        text = f"{first['name']} {first['code']}" + (
            words.pick(f" 等{more + 1}个", f" and {more} more") if more else ""
        )
        return Cell(text=text, to=Target(layer="intakes", id=first["id"]))

    return Section(
        id="listed",
        title=words.pick("证照所列取水口", "Intakes that the permit lists"),
        empty=words.pick("证照未列取水口", "The permit lists none"),
        table=parts.table(
            [
                words.pick("序号", "No."), words.pick("名称", "Name"), words.pick("编码", "Code"), words.pick("地点", "Place"),
                words.pick("水源", "Source"), words.pick("年许可水量", "Permitted a year"), words.pick("登记取水口", "In the register"),
                words.pick("列入时段", "Listed"),
            ],
            [
                [
                    str(row["seq"]), row["name"], row["code"] or "", row["place"] or words.value("permits", "county_code", row["county_code"]),
                    words.value("permits", "source_type", row["source_type"]), words.volume(row["annual_m3"]), linked(row),
                    words.span(row["valid_from"], row["valid_to"]),
                ]
                for row in found
            ],
        ),
    )  # fmt: skip


def _intakes(words: Words, links: queries.Rows) -> Section:
    return Section(
        id="links",
        title=words.pick("对应的取水口", "Intakes under it"),
        empty=words.pick("没有对应的取水口", "No intake is under it"),
        table=parts.table(
            [
                words.pick("名称", "Name"), words.pick("编码", "Code"), words.pick("所在县", "County"), words.pick("登记年水量", "Registered a year"),
                words.pick("对应时段", "Linked"), words.pick("对应来源", "Linked by"),
            ],
            [
                [
                    parts.named("intakes", row["intake_id"], row["name"]), row["code"],
                    words.value("intakes", "county_code", row["county_code"]), words.volume(row["annual_volume_m3"]),
                    held(words, row), words.code("origin", row["origin"]),
                ]
                for row in links
            ],
        ),
    )  # fmt: skip
