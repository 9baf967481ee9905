"""The evidence of a finding 疑似线索, for the file of a case: what was seen, why it is suspected, who decided what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.dossiers import parts, queries
from app.dossiers.paper import Picture
from app.dossiers.sections import Dossier, Entry, Fact, Lang, Point, Section
from app.dossiers.words import NONE, Words

Row = Mapping[str, Any]
OPEN = ("suspected", "unsure")


def dossier(session: Session, candidate_id: int, lang: Lang) -> Dossier:
    """Everything that speaks for a finding. Raises NotFound if there is none in scope."""
    found = queries.candidate(session, candidate_id)
    words = Words(lang, queries.counties(session, {found["county_code"]}))
    what = words.value("candidates", "category", found["category"])
    suspected = words.pick(f"疑似：{what}", f"Suspected: {what}")
    return Dossier(
        layer="candidates",
        id=candidate_id,
        version=found["version"],
        kind=words.pick("遥感线索证据材料", "Evidence of a finding from imagery"),
        name=suspected if found["state"] in OPEN else what,
        number=found["code"],
        state=found["state"],
        state_text=words.value("candidates", "state", found["state"]),
        demo=found["generated"],
        points=[Point(lon=found["lon"], lat=found["lat"], label=found["code"])],
        sections=[
            _facts(words, found),
            _pictures(words, found),
            _reasons(words, found),
            _permits(words, queries.serving(session, candidate_id)),
            _profile(words, found["profile"]),
            _decisions(words, queries.candidate_decisions(session, candidate_id)),
            _origin(words, found),
        ],
    )


def _facts(words: Words, it: Row) -> Section:
    span = f"{words.volume(it['volume_lo_m3'])} – {words.volume(it['volume_hi_m3'])}"
    names = ("kind", "category", "state", "county_code")
    facts = [
        *(Fact(title=words.title("candidates", name), text=words.value("candidates", name, it[name])) for name in names),
        Fact(title=words.pick("面积", "Area"), text=f"{it['area_m2']:,.0f} m²（{it['area_m2'] / 666.667:,.1f} 亩）" if words.lang == "zh" else f"{it['area_m2']:,.0f} m²"),
        Fact(title=words.pick("估算年水量", "Estimated volume a year"), text=words.volume(it["volume_m3"])),
        Fact(title=words.pick("水量区间", "Interval"), text=span if it["volume_lo_m3"] is not None else "—"),
        Fact(title=words.pick("在效许可水量", "Permitted in force"), text=words.volume(it["permitted_m3"])),
        Fact(title=words.pick("疑似程度", "Score"), text=words.percent(it["score"])),
        Fact(title=words.pick("位置", "Position"), text=f"{it['lon']:.6f}°, {it['lat']:.6f}°"),
    ]  # fmt: skip
    note = words.pick(
        "影像显示的是水面和灌溉植被，不是取水量；水量按面积和定额估算，不是实测",
        "Imagery shows water and irrigated vegetation, not abstraction; the volume is estimated from area and norms, not measured",
    )
    return Section(id="facts", title=words.pick("基本信息", "Facts"), note=note, facts=facts)


def _pictures(words: Words, it: Row) -> Section:
    """The pictures themselves come with the paper; here is what they show."""
    facts = [
        Fact(title=title, text=text)
        for title, text in (
            (words.pick("本期影像", "Image"), caption(words, it, "after")),
            (words.pick("前期影像", "Image before"), caption(words, it, "before")),
        )
        if text
    ]
    return Section(
        id="chips",
        title=words.pick("影像", "Images"),
        note=words.pick("两期取同一范围，同一拉伸；黄线为对象边界", "Both dates cut and stretched alike; the yellow line is the object's outline"),
        empty=words.pick("没有影像切片", "No image patches"),
        facts=facts,
    )  # fmt: skip


def pictures(session: Session, candidate_id: int, lang: Lang, data_dir: Path) -> list[Picture]:
    """Both dates, with date and sensor. Raises NotFound."""
    found = queries.candidate(session, candidate_id)
    words = Words(lang)
    return [
        Picture(data_dir / found[f"chip_{which}"], f"{words.pick(*title)} {caption(words, found, which)}")
        for which, title in (("before", ("前期", "Before:")), ("after", ("本期", "Now:")))
        if found[f"chip_{which}"]
    ]


def caption(words: Words, it: Row, which: str) -> str:
    """Scene, date and sensor of a picture; empty where there is none."""
    scene = it[f"scene_{which}"]
    if scene is None:
        return ""
    when = it[f"acquired_{which}"]
    day = f"{when:%Y-%m-%d}" if when else words.pick("日期不详", "date unknown")
    return " ".join(part for part in (day, it[f"sensor_{which}"] or "", scene) if part)


def _reasons(words: Words, it: Row) -> Section:
    lines = [[str(n), reason[words.lang]] for n, reason in enumerate(it["reasons"], 1)]
    return Section(
        id="reasons",
        title=words.pick("依据", "Reasons"),
        empty=words.pick("没有记录依据", "None on record"),
        table=parts.table(["", words.pick("说明", "What speaks for it")], lines),
    )


def _permits(words: Words, rows: queries.Rows) -> Section:
    return Section(
        id="serving",
        title=words.pick("能供水的取水口及其许可", "Intakes that could serve it, and their permits"),
        empty=words.pick("可供水范围内没有登记取水口", "No registered intake could serve it"),
        table=parts.table(
            [
                words.pick("取水口", "Intake"), words.pick("许可证编号", "Permit"), words.pick("取水权人", "Holder"),
                words.pick("状态", "State"), words.pick("有效期止", "Valid to"), words.pick("年许可水量", "Permitted a year"),
            ],
            [
                [
                    parts.named("intakes", row["id"], f"{row['name']} {row['code']}"), row["permit_no"] or words.pick("没有许可", "none"),
                    row["holder_name"] or "", words.value("permits", "status", row["permit_status"]), words.day(row["valid_to"]),
                    words.volume(row["annual_volume_m3"]),
                ]
                for row in rows
            ],
        ),
    )  # fmt: skip


def _profile(words: Words, points: list[dict[str, Any]]) -> Section:
    def said(value: float | None) -> str:
        return "—" if value is None else f"{value:.2f}"

    return Section(
        id="profile",
        title=words.pick("各期指数", "Indices by date"),
        empty=words.pick("没有各期指数", "None"),
        table=parts.table(
            [words.pick("日期", "Date"), "NDWI", "NDVI", "NDMI", words.pick("周边 NDVI", "NDVI around"), words.pick("影像", "Scene")],
            [
                [point["date"], said(point["ndwi"]), said(point["ndvi"]), said(point["ndmi"]), said(point["around_ndvi"]), point["scene"]]
                for point in points
            ],
        ),
    )  # fmt: skip


DECISIONS = {
    "confirm": ("判为属实", "Confirmed"), "reject": ("判为不属实", "Rejected"), "unsure": ("存疑待查", "Unsure"),
    "reopen": ("撤回研判", "Reopened"), "redraw": ("更改边界", "Outline changed"), "note": ("备注", "Note"), "undo": ("撤回上一步", "Taken back"),
}  # fmt: skip


def _decisions(words: Words, rows: queries.Rows) -> Section:
    return Section(
        id="decisions",
        title=words.pick("研判记录", "Decisions"),
        empty=words.pick("尚未研判", "None yet"),
        entries=[
            Entry(
                heading=words.pick(*DECISIONS[row["decision"]]) + (words.pick("（已撤回）", " (taken back)") if row["undone"] else ""),
                at=row["decided_at"],
                text=" · ".join(part for part in (words.value("candidates", "reason", row["reason"]) if row["reason"] else "", row["note"], words.person(row["actor_name"])) if part),
            )
            for row in rows
        ],
    )  # fmt: skip


def _origin(words: Words, it: Row) -> Section:
    versions = ", ".join(f"{name} {version}" for name, version in (it["versions"] or {}).items())
    facts = [
        Fact(title=words.pick("比对任务", "Run"), text=f"#{it['run_id']}"),
        Fact(title=words.pick("发起", "Asked by"), text=words.person(it["run_actor"]) or NONE),
        Fact(title=words.pick("方法", "Method"), text=it["method"] or "—"),
        Fact(title=words.pick("软件版本", "Software"), text=versions or "—"),
    ]
    return Section(id="origin", title=words.pick("比对方法与来源", "Method and origin"), facts=facts)
