"""Sections that intakes and permits both have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.dossiers.sections import Cell, Difference, Entry, Fact, Section, Table, Target
from app.dossiers.words import Words

Row = Mapping[str, Any]


def counties(versions: Sequence[Row]) -> set[int]:
    """The counties in which an entry lies or lay."""
    return {version["row"]["county_code"] for version in versions}


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell | str]]) -> Table:
    return Table(
        columns=list(columns),
        rows=[[cell if isinstance(cell, Cell) else Cell(text=cell) for cell in row] for row in rows],
    )


def named(layer: str, identifier: int, text: str) -> Cell:
    return Cell(text=text, to=Target(layer=layer, id=identifier))


def facts(words: Words, layer: str, version: Row, names: Sequence[str]) -> Section:
    """What is on record of the thing itself; what is not known is left out."""
    shown = [
        name for name in names if version.get(name) not in (None, "") and not _said_already(version, name)
    ]
    attributes = version.get("attributes") or {}
    return Section(
        id="facts",
        title=words.pick("基本信息", "Facts"),
        facts=[
            *(Fact(title=words.title(layer, n), text=words.value(layer, n, version[n])) for n in shown),
            *(
                Fact(title=n, text=words.value(layer, n, v))
                for n, v in attributes.items()
                if v not in (None, "")
            ),
        ],
    )


def _said_already(version: Row, name: str) -> bool:
    """The usual scheme of codes, and a number that was written as it is kept."""
    usual = {"code_scheme": "register", "permit_no_raw": version.get("permit_no")}
    return name in usual and bool(version[name] == usual[name])


def versions(words: Words, layer: str, found: Sequence[Row]) -> Section:
    """Every version with what it changed, who recorded it and where it came from."""
    entries = []
    for version in found:
        until = version["recorded_until"]
        end = (
            words.pick("现行版本", "now")
            if until is None
            else words.pick(f"至 {words.moment(until)}", f"until {words.moment(until)}")
        )
        said = [words.person(version["actor_name"]), _source(words, version)]
        if not version["differences"] and version["version"] > 1:
            said.append(words.pick("内容无变化", "nothing that is shown differs"))
        entries.append(
            Entry(
                heading=words.pick(
                    f"第{version['version']}版（{end}）", f"Version {version['version']} ({end})"
                ),
                at=version["recorded_at"],
                text=" · ".join(part for part in said if part),
                differences=[
                    Difference(
                        title=words.title(layer, one["field"]),
                        before=_said(words, layer, one["field"], one["old"]),
                        after=_said(words, layer, one["field"], one["new"]),
                    )
                    for one in version["differences"]
                ],
            )
        )
    return Section(id="versions", title=words.pick("版本与变动", "Versions and changes"), entries=entries)


def _source(words: Words, version: Row) -> str:
    """The file of a version that an import made. Who may not see an import is told that there was one."""
    if not version["imported"]:
        return ""
    row = version["row"].get("source_row")
    at = words.pick(f" 第{row}行", f", row {row}") if row else ""
    name = version["filename"] or words.pick("辖区以外账号的导入", "an import of a wider jurisdiction")
    return f"{words.pick('来源：', 'from ')}{name}{at}"


def traced(versions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Versions (the newest first) with `imported`: whether an import made it; its mark stays on later ones."""
    older = [*versions[1:], None]
    marks = [None if one is None else one["row"].get("import_id") for one in (*versions, None)]
    return [
        {**one, "imported": marks[n] is not None and (older[n] is None or marks[n] != marks[n + 1])}
        for n, one in enumerate(versions)
    ]


def _said(words: Words, layer: str, field: str, value: Any) -> str | None:
    if value is None or value == "" or value == []:
        return None
    if field == "limits":
        return words.pick("；", "; ").join(
            f"{_where(words, row)} {words.volume(row['annual_m3'])}" for row in value
        )
    return words.value(layer, field, value)


def _where(words: Words, row: Row) -> str:
    """What a limit applies to."""
    parts = (
        row["period"] or words.pick("全年", "all year"),
        "" if row["source_type"] == "all" else words.value("permits", "source_type", row["source_type"]),
        row["well_field"],
        "" if row["purpose"] == "all" else words.value("permits", "purpose", row["purpose"]),
    )
    return " · ".join(part for part in parts if part)


def limits(words: Words, rows: Sequence[Row], *, of_one: bool) -> Section:
    heading = [
        words.pick("适用", "Applies to"),
        words.pick("年", "Annual"),
        words.pick("日最大", "Daily"),
        words.pick("流量", "Flow"),
        words.pick("条件", "Condition"),
    ]
    lines = [
        [
            *(() if of_one else (row["permit_no"],)),
            _where(words, row), words.volume(row["annual_m3"]), words.volume(row["daily_m3"]),
            words.value("intakes", "design_flow_m3s", row["flow_m3s"]), row["condition"],
        ]
        for row in rows
    ]  # fmt: skip
    return Section(
        id="limits",
        title=words.pick("许可限额", "Limits"),
        empty=words.pick("没有分项限额", "No limits as rows"),
        table=table(heading if of_one else [words.pick("许可证编号", "Permit"), *heading], lines),
    )


def linkage(
    words: Words, outcomes: Sequence[Row], pairs: Sequence[Row], decisions: Sequence[Row], one: str
) -> Section:
    """What the comparison of register and permits came to, and why."""
    other = "permits" if one == "intake" else "intakes"
    return Section(
        id="linkage",
        title=words.pick("比对衔接", "Linkage"),
        empty=words.pick("尚未比对", "Not compared yet"),
        facts=[Fact(title=_outcome_title(words, row), text=_outcome(words, row)) for row in outcomes],
        table=table(
            [
                words.pick("许可证", "Permit") if one == "intake" else words.pick("取水口", "Intake"),
                words.pick("可能性", "Probability"),
                words.pick("状态", "State"),
                words.pick("理由", "Reasons"),
            ],
            [
                [
                    named(other, row[f"{other[:-1]}_id"], row["permit_no"] if one == "intake" else f"{row['name']} {row['code']}"),
                    words.percent(row["probability"]),
                    words.code("pair", row["state"]) + (f"（{words.code('decided_by', row['decided_by'])}）" if row["decided_by"] else ""),
                    words.pick("；", "; ").join(reason[words.lang] for reason in row["reasons"]),
                ]
                for row in pairs
            ],
        ) if pairs else None,
        entries=[
            Entry(
                heading=_action(words, row["action"]) + (words.pick("（已撤销）", " (undone)") if row["undone"] else ""),
                at=row["decided_at"],
                text=" · ".join(part for part in (words.person(row["actor_name"]), row["note"]) if part),
            )
            for row in decisions
        ],
    )  # fmt: skip


def _outcome_title(words: Words, row: Row) -> str:
    if row["seq"] is None:
        return words.pick("结论", "Outcome")
    return words.pick(f"证照取水口{row['seq']}", f"Permit intake {row['seq']}")


def _outcome(words: Words, row: Row) -> str:
    by = row["decided_by"]
    who = words.person(row["decided_name"]) if by == "person" else words.code("decided_by", by) if by else ""
    parts = (
        words.code("outcome", row["outcome"]),
        row["note"],
        who,
        words.moment(row["decided_at"]) if who else "",
    )
    return " · ".join(part for part in parts if part)


ACTIONS = {
    "accept": ("确认对应", "Accepted"), "reject": ("否定", "Rejected"), "reassign": ("改配", "Re-assigned"),
    "split": ("拆分", "Split"), "unlicensed": ("认定有口无证", "Found to be without a permit"),
    "exempt": ("认定无需办证", "Found to need no permit"), "register": ("新登记", "Registered"),
    "missing": ("认定有证无口", "Found to have no intake"), "postpone": ("暂缓", "Postponed"), "undo": ("撤销", "Undone"),
    "compose": ("组批", "Composed"), "remove": ("移出", "Taken out"), "submit": ("提交", "Submitted"), "approve": ("通过", "Approved"),
    "return": ("退回", "Returned"), "return_item": ("退回", "Returned"), "withdraw": ("撤回", "Withdrawn"), "draw": ("抽样", "Drawn"),
    "judge": ("抽查复核", "Judged"), "pass": ("抽查合格", "Passed"), "fail": ("抽查不合格", "Failed"), "publish": ("上图", "Published"),
    "stale": ("内容已变动", "Changed since"),
}  # fmt: skip


def _action(words: Words, action: str) -> str:
    return words.pick(*ACTIONS.get(action, (action, action)))


def review(words: Words, items: Sequence[Row], decisions: Sequence[Row]) -> Section:
    """Where it stands in the review level by level 逐级审核."""
    return Section(
        id="review",
        title=words.pick("逐级审核", "Review"),
        empty=words.pick("尚未提交审核", "Not in review yet"),
        table=table(
            [words.pick("批次", "Batch"), words.pick("层级", "Level"), words.pick("状态", "State"), words.pick("结论", "Outcome"), words.pick("期限或上图日期", "Due or published")],
            [
                [
                    str(row["batch_id"]), words.code("stage", row["stage"]),
                    words.code("item", row["state"]) + (f"：{row['reason']}" if row["reason"] else ""),
                    words.code("outcome", row["outcome"]), words.day(row["published_on"] or row["due_on"]),
                ]
                for row in items
            ],
        ) if items else None,
        entries=[
            Entry(
                heading=_action(words, row["action"]),
                at=row["decided_at"],
                text=" · ".join(part for part in (words.code("authority", row["authority"]), words.person(row["actor_name"]), row["note"]) if part),
            )
            for row in decisions
        ],
    )  # fmt: skip


def documents(words: Words, found: Sequence[Row]) -> Section:
    def about(row: Row) -> str:
        parts = [
            words.pick("拍摄于", "taken ") + f"{row['taken_at']:%Y-%m-%d %H:%M}" if row["taken_at"] else "",
            words.pick(f"拍摄位置距登记位置 {row['distance_m']:,.0f} m", f"taken {row['distance_m']:,.0f} m from the registered position")
            if row["distance_m"] is not None else "",
            words.pick(f"已撤下：{row['withdrawn_why']}", f"withdrawn: {row['withdrawn_why']}") if row["withdrawn_at"] else "",
        ]  # fmt: skip
        return " · ".join(part for part in parts if part)

    return Section(
        id="documents",
        title=words.pick("附件", "Documents"),
        empty=words.pick("没有附件", "No documents"),
        table=table(
            [words.pick("名称", "Name"), words.pick("说明", "About"), words.pick("上传", "Added")],
            [
                [
                    row["title"] or row["filename"],
                    about(row),
                    f"{words.person(row['actor_name'])} {words.moment(row['added_at'])}",
                ]
                for row in found
            ],
        ),
    )


def provenance(words: Words, found: Sequence[Row]) -> Section:
    """The imports that the versions came from."""
    files = [version for version in reversed(found) if version["imported"]]
    return Section(
        id="imports",
        title=words.pick("来源", "Where it came from"),
        empty=words.pick("不是由文件导入", "Not from a file"),
        table=table(
            [words.pick("文件", "File"), words.pick("行号", "Row"), words.pick("入库时间", "Recorded")],
            [
                [
                    row["filename"] or words.pick("辖区以外账号的导入", "an import of a wider jurisdiction"),
                    str(row["row"].get("source_row") or ""),
                    words.moment(row["recorded_at"]),
                ]
                for row in files
            ],
        ),
    )  # fmt: skip
