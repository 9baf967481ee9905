"""What a batch says, as rows of an import; what a cursor says. Plain values in, plain values out."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from app.errors import InvalidInput
from app.imports.kind import ImportKind, Issue
from app.imports.mapping import Column
from app.imports.mapping import Mapping as FileMapping
from app.imports.raw import EXCESS, RawChunk

Json = dict[str, Any]
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
ATTRIBUTES = "attributes"
LIMITS = "limits"
LIMIT_MEMBERS: Mapping[str, str] = {
    "period": "limit_period",
    "source_type": "limit_source",
    "well_field": "limit_well_field",
    "purpose": "limit_purpose",
    "annual_m3": "annual_volume_m3",
    "daily_m3": "daily_m3",
    "flow_m3s": "flow_m3s",
    "condition": "limit_condition",
}
"""Members of a limit → fields of the import that brings permits."""
OF_LIMITS = frozenset(LIMIT_MEMBERS.values()) - {"annual_volume_m3"}
READ_ONLY = frozenset(
    {
        "id",
        "version",
        "permit_state",
        "recorded_at",
        "permits",
        "intakes",
        "points",
        "permit_no_raw",
        "declared_datum",
    }
)
"""What an entry has when it is read and nobody sets: passed over, so that what was pulled can be pushed."""
RENAMED = {"status": "use_status"}
"""What an entry calls otherwise than a file does."""


# ── the batch ───────────────────────────────────────────────────────────────────────────────────────


def items_of(body: bytes, media_type: str) -> list[Any]:
    """The items of a body: a JSON array, or a JSON value a line. Raises InvalidInput if any of it cannot be read,
    for then it may be half of what was sent."""
    if media_type in NDJSON:
        return [_line(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"内容不是完整的 JSON，未写入任何数据 (the body is no complete JSON; nothing was written): {error}",
            field="body",
        ) from None
    if not isinstance(found, list):
        raise InvalidInput("内容应为 JSON 数组 (the body must be a JSON array)", field="body")
    return found


def _line(number: int, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"第{number}行不是完整的 JSON，未写入任何数据 (line {number} is no complete JSON; nothing was written): {error}",
            field="body",
            line=number,
        ) from None


@dataclass(frozen=True)
class Batch:
    """Items as rows of an import."""

    items: list[Any]
    raw: RawChunk
    mapping: FileMapping
    item_of: tuple[int, ...]
    """Row (from 0) → item (from 0): an item with limits is several rows."""
    attributes: list[str]
    """JSON text, a row."""
    issues: list[Issue] = field(default_factory=list)

    def rows_of(self) -> dict[int, list[int]]:
        """Item → its row numbers, from 1 as everywhere in imports."""
        found: dict[int, list[int]] = {i: [] for i in range(len(self.items))}
        for row, item in enumerate(self.item_of, 1):
            found[item].append(row)
        return found


def batch(kind: ImportKind, items: Sequence[Any], datum: str) -> Batch:
    """Items as texts by field, with an issue for whatever is no member or cannot be a value.

    Volumes are m³ whatever unit a file of this kind is in.
    """
    import pandas as pd  # where a batch comes: most web processes see none

    specs = {spec.name: spec for spec in kind.fields}
    rows: list[dict[str, str]] = []
    item_of: list[int] = []
    attributes: list[str] = []
    issues: list[Issue] = []
    for i, item in enumerate(items):
        for fact in _exploded(kind, item):
            number = len(rows) + 1
            texts: dict[str, str] = {}
            for given, value in fact.items():
                name = given if given in specs else RENAMED.get(given, given)
                if name == ATTRIBUTES or name in READ_ONLY:
                    continue
                if name not in specs:
                    issues.append(_unknown(number, name, value))
                    continue
                try:
                    texts[name] = _text(value, specs[name].form)
                except ValueError as error:
                    issues.append(Issue(number, "reject", name, _shown(value), "bad_value", str(error)))
            extra = fact.get(ATTRIBUTES) or {}
            if not isinstance(extra, dict) or "\\u0000" in orjson.dumps(extra).decode():
                issues.append(
                    Issue(number, "reject", ATTRIBUTES, _shown(extra), "bad_value", "attributes 应为 JSON 对象 (must be a JSON object)")
                )  # fmt: skip
                extra = {}
            rows.append(texts)
            item_of.append(i)
            attributes.append(orjson.dumps(extra).decode())
        if not isinstance(item, dict):
            issues.append(
                Issue(len(rows), "reject", "", _shown(item), "not_an_object", "应为 JSON 对象 (must be a JSON object)", "{…}")
            )  # fmt: skip
    named = {name for row in rows for name in row} | {spec.name for spec in kind.fields if spec.required}
    headings = [name for name in specs if name in named]
    texts_frame = pd.DataFrame(
        [[row.get(name, "") for name in headings] for row in rows], columns=headings, dtype=object
    )
    texts_frame[EXCESS] = ""
    units = {name: Column(column=name, unit="m3") for name in headings if specs[name].form == "volume"}
    mapping = FileMapping(datum=datum, columns=units, keep_rest=False)
    return Batch(list(items), RawChunk(1, texts_frame), mapping, tuple(item_of), attributes, issues)


def _exploded(kind: ImportKind, item: Any) -> list[Json]:
    """A permit with limits is a row for its total and one for each limit; everything else is one row."""
    if not isinstance(item, dict):
        return [{}]
    if kind.name != "permits" or LIMITS not in item:
        return [item]
    base = {name: value for name, value in item.items() if name != LIMITS}
    limits = item[LIMITS]
    if not isinstance(limits, list) or not all(isinstance(one, dict) for one in limits):
        return [base | {LIMITS: limits}]  # no such field, which is what it will be told
    if not limits:
        return [base]
    alone = {name: value for name, value in base.items() if name not in OF_LIMITS | {"annual_volume_m3"}}
    parts = [
        alone | {LIMIT_MEMBERS.get(name, f"{LIMITS}.{name}"): value for name, value in one.items() if name not in ("seq",)}
        for one in limits
    ]  # fmt: skip
    whole = [part for part in parts if all(part.get(n) in (None, "", "all") for n in WHERE)]
    return parts if whole or base.get("annual_volume_m3") is None else [base, *parts]


WHERE = ("limit_period", "limit_source", "limit_well_field", "limit_purpose")


def _unknown(number: int, name: str, value: Any) -> Issue:
    return Issue(
        number,
        "reject",
        name[:100].replace("\0", ""),
        _shown(value),
        "unknown_field",
        f"没有字段 {name[:60]!r}；其他事实请放在 attributes 中 (no such field; put other facts into attributes)",
    )


def _text(value: Any, form: str) -> str:
    """A JSON value as the text that an import reads. Raises ValueError for what is no single value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # A whole number of degrees is exact here, where in a file it would be an angle cut short.
        return repr(float(value)) if form in ("lon", "lat") else repr(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ";".join(value)
    if not isinstance(value, str):
        raise ValueError("应为单个值 (must be a single value)")
    if "\0" in value:
        raise ValueError("文本含空字符 (the text holds a null character)")
    return value


def _shown(value: Any) -> str:
    return (value if isinstance(value, str) else orjson.dumps(value).decode())[:200].replace("\0", "")


def spread(issues: Sequence[Issue], item_of: Sequence[int]) -> list[Issue]:
    """An item goes in whole or not at all: where one of its rows goes back, the others go with it."""
    bad = {item_of[issue.row_no - 1] for issue in issues if issue.severity == "reject"}
    told = {issue.row_no for issue in issues if issue.severity == "reject"}
    return [
        Issue(row, "reject", "", "", "with_its_item", "同一条记录的另一部分有误 (another part of the item is wrong)")
        for row, item in enumerate(item_of, 1)
        if item in bad and row not in told
    ]  # fmt: skip


def repeated(keys: Sequence[tuple[Any, ...] | None], batch_: Batch) -> list[Issue]:
    """Items whose business key an earlier item of the batch has; `keys` by row, None where there is none."""
    first: dict[tuple[Any, ...], int] = {}
    found = []
    for row, (key, item) in enumerate(zip(keys, batch_.item_of, strict=True), 1):
        if key is None:
            continue
        earlier = first.setdefault(key, item)
        if earlier != item:
            found.append(
                Issue(
                    row,
                    "reject",
                    "",
                    " ".join(str(part) for part in key),
                    "duplicate",
                    f"与第{earlier + 1}条编号相同，只采用前者 (has the key of item {earlier + 1}, which is the one taken)",
                )
            )
    return found


# ── the cursor ──────────────────────────────────────────────────────────────────────────────────────

LAYERS = ("intakes", "permits")
PLAIN = re.compile(r"([sc])\.([0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,18})")


@dataclass(frozen=True, order=True)
class Cursor:
    """Where a reader stands: in the first reading of everything, or in the log of changes.

    `all`: the log is read from transaction `xid` on; of layer number `a` everything up to entry `b` was given.
    `log`: everything up to change `a` of transaction `xid` was given, and of the bulk change after it entries up to `b`.
    """

    stage: Literal["all", "log"]
    xid: int
    a: int
    b: int

    def __str__(self) -> str:
        plain = f"{'s' if self.stage == 'all' else 'c'}.{self.xid}.{self.a}.{self.b}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def cursor(text: str) -> Cursor:
    """The cursor of a text that was given out. Raises InvalidInput for any other."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        match = PLAIN.fullmatch(plain)
    except (binascii.Error, UnicodeError, ValueError):
        match = None
    if (
        match is None
        or str(found := _cursor(match)) != text
        or (found.stage == "all" and found.a >= len(LAYERS))
    ):
        raise InvalidInput(
            "cursor 应为此前返回的 next (is a `next` that was given before)", field="cursor", value=text[:120]
        )
    return found


def _cursor(match: re.Match[str]) -> Cursor:
    return Cursor("all" if match[1] == "s" else "log", int(match[2]), int(match[3]), int(match[4]))
