"""The dossier of an intake 取水口."""

from typing import Any

from sqlalchemy.orm import Session

from app.documents import queries as documents
from app.dossiers import decided, parts, queries
from app.dossiers.sections import Dossier, Fact, Lang, Point, Section
from app.dossiers.words import Words
from app.registry import past

SHOWN = (
    "code", "code_scheme", "name", "holder_name", "county_code", "basin_id", "zone_code", "town", "place", "lon", "lat",
    "position_error_m", "declared_datum", "source_type", "water_body_type", "water_body", "aquifer_layer", "well_status",
    "well_depth_m", "abstraction_mode", "works_type", "purpose", "industry_code", "off_stream", "status", "permit_state",
    "annual_volume_m3", "design_flow_m3s", "started_on",
)  # fmt: skip


def dossier(session: Session, intake_id: int, lang: Lang) -> Dossier:
    """Everything known about an intake. Raises NotFound if there is none in scope."""
    now = queries.present(session, "intake", intake_id)
    versions = parts.traced(past.versions(session, "intake", intake_id))
    words = Words(lang, queries.counties(session, parts.counties(versions)))
    links = queries.links_of_intake(session, intake_id)
    in_force = [link for link in links if link["valid_to"] is None]
    return Dossier(
        layer="intakes",
        id=intake_id,
        version=now["version"],
        kind=words.pick("取水口档案", "Dossier of an intake"),
        name=now["name"],
        number=now["code"],
        state=now["permit_state"],
        state_text=words.value("intakes", "permit_state", now["permit_state"]),
        demo=queries.is_demo(session),
        points=[Point(lon=now["lon"], lat=now["lat"], label=now["name"])],
        sections=[
            parts.facts(words, "intakes", now, SHOWN),
            _links(words, links),
            _volumes(words, now, in_force),
            parts.limits(
                words, queries.limits(session, [one["permit_id"] for one in in_force]), of_one=False
            ),
            *decided.sections(session, words, "intake", intake_id),
            _candidates(words, queries.candidates(session, intake_id)),
            parts.documents(words, documents.of(session, "intakes", intake_id)),
            parts.versions(words, "intakes", versions),
            parts.provenance(words, versions),
        ],
    )


def _links(words: Words, links: queries.Rows) -> Section:
    def point(link: dict[str, Any]) -> str:
        return (
            ""
            if link["seq"] is None
            else words.pick("证照取水口", "permit intake ") + f"{link['seq']} {link['point_name']}"
        )

    return Section(
        id="links",
        title=words.pick("取水许可", "Permits"),
        empty=words.pick("没有对应的取水许可", "Under no permit"),
        table=parts.table(
            [
                words.pick("许可证编号", "Permit"), words.pick("取水权人", "Holder"), words.pick("状态", "Status"),
                words.pick("年许可水量", "Permitted a year"), words.pick("有效期", "Term"),
                words.pick("对应时段", "Linked"), words.pick("对应来源", "Linked by"),
            ],
            [
                [
                    parts.named("permits", link["permit_id"], link["permit_no"]), link["holder_name"],
                    words.value("permits", "status", link["status"]), words.volume(link["annual_volume_m3"]),
                    f"{words.day(link['permit_from'])} – {words.day(link['permit_to'])}", held(words, link),
                    " · ".join(part for part in (words.code("origin", link["origin"]), point(link)) if part),
                ]
                for link in links
            ],
        ),
    )  # fmt: skip


def held(words: Words, link: dict[str, Any]) -> str:
    if link["valid_to"] is not None and link["valid_to"] == link["valid_from"]:
        return words.pick("未曾成立，已撤销", "never held, withdrawn")
    return words.span(link["valid_from"], link["valid_to"])


def _volumes(words: Words, now: dict[str, Any], in_force: queries.Rows) -> Section:
    """Registered beside permitted: a limit belongs to the permit, so what several intakes share is said to be shared."""
    facts = [
        Fact(
            title=words.pick("登记年取水量", "Registered, a year"), text=words.volume(now["annual_volume_m3"])
        )
    ]
    for link in in_force:
        if link["point_m3"] is not None:
            facts.append(
                Fact(
                    title=words.pick(f"{link['permit_no']} 证照取水口{link['seq']}", f"{link['permit_no']}, permit intake {link['seq']}"),
                    text=words.volume(link["point_m3"]),
                )
            )  # fmt: skip
        shared = (
            words.pick(f"（{link['shared']}个取水口共用）", f" (shared by {link['shared']} intakes)")
            if link["shared"] > 1
            else ""
        )
        facts.append(Fact(title=link["permit_no"], text=words.volume(link["annual_volume_m3"]) + shared))
    return Section(
        id="volumes",
        title=words.pick("水量", "Volumes"),
        note=words.pick("许可水量属于许可证，不是取水口的水量，不可相加", "A limit belongs to the permit: it is not the intake's, and is not added up"),
        facts=facts,
    )  # fmt: skip


def _candidates(words: Words, found: queries.Rows) -> Section:
    return Section(
        id="candidates",
        title=words.pick("遥感线索", "Findings from imagery"),
        note=words.pick(
            f"指向本取水口或相距 {queries.NEAR_M:.0f} m 以内的疑似线索",
            f"Suspected findings that name this intake or lie within {queries.NEAR_M:.0f} m",
        ),
        empty=words.pick("没有相关线索", "None"),
        table=parts.table(
            [words.pick("线索", "Finding"), words.pick("类型", "Kind"), words.pick("状态", "State"), words.pick("影像日期", "Image of"), words.pick("距离", "Distance"), words.pick("估算水量", "Estimated volume")],
            [
                [
                    parts.named("candidates", row["id"], row["code"]), words.value("candidates", "kind", row["kind"]),
                    words.value("candidates", "state", row["state"]), words.moment(row["acquired_at"])[:10], f"{row['distance_m']:,.0f} m",
                    words.volume(row["volume_m3"]),
                ]
                for row in found
            ],
        ),
    )  # fmt: skip
