"""What may stand against an event of a permit, in words: each with its field, its clause and what would be right."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Words:
    """How a finding is worded; `{…}` are its values."""

    field: str
    clause: str
    text: str
    expected: str = ""
    of_state: bool = False
    """It is the permit's state that forbids it, not what was entered."""


@dataclass(frozen=True)
class Finding:
    """Something that stands against an event (`refuse`), or that a person should know of it (`warn`)."""

    severity: Literal["refuse", "warn"]
    code: str
    field: str
    message: str
    clause: str
    expected: str
    of_state: bool = False


def sentence(findings: Iterable[Finding]) -> str:
    """All of them as one sentence: Chinese with the clauses, then English in brackets."""
    halves = [(one.message.removesuffix(")").rpartition(" ("), one.clause) for one in findings]
    zh = "；".join(f"{parts[0]}〔{clause}〕" if clause else parts[0] for parts, clause in halves)
    return f"{zh} ({'; '.join(parts[2] for parts, _ in halves)})"


def refuse(code: str, **values: Any) -> Finding:
    return _said("refuse", code, values)


def warn(code: str, **values: Any) -> Finding:
    return _said("warn", code, values)


def _said(severity: Literal["refuse", "warn"], code: str, values: dict[str, Any]) -> Finding:
    words = WORDS[code]
    message, expected = words.text.format(**values), words.expected.format(**values)
    return Finding(severity, code, words.field, message, words.clause, expected, words.of_state)


WORDS: dict[str, Words] = {
    # ── the state forbids it ────────────────────────────────────────────────────────────────────────
    "no_permit": Words(
        "event", "条例24", "先发放许可证，再办理其他事项 (a permit is issued first)", "issue", of_state=True
    ),
    "permit_ended": Words(
        "event",
        "行政许可法70",
        "许可证 {number} 已于 {day} {status}，不能再办理“{event}”；确属误登的，用“更正”撤回 "
        "(the permit has ended and cannot be changed any more; an end entered by mistake is taken back by a correction)",
        "correct",
        of_state=True,
    ),
    "not_from_here": Words(
        "event",
        "条例25",
        "状态为“{status}”的许可证不能办理“{event}” (not possible from the permit's present state)",
        "{allowed}",
        of_state=True,
    ),
    "not_ended": Words("reinstate", "", "许可证没有终止，无需恢复 (the permit has not ended)", of_state=True),
    # ── days and terms ──────────────────────────────────────────────────────────────────────────────
    "in_the_future": Words(
        "effective_on",
        "",
        "生效日期 {on} 在今天之后，请届时登记 (lies in the future: enter it then)",
        "≤ {today}",
    ),
    "before_the_law": Words(
        "effective_on", "水法7", "生效日期 {on} 早于水法 (is older than the Water Law)", "≥ {first}"
    ),
    "before_the_last_event": Words(
        "effective_on",
        "",
        "生效日期 {on} 早于上一事项的 {last}，请用“更正” (earlier than the event before it: correct instead)",
        "≥ {last}",
    ),
    "ends_before_it_begins": Words(
        "valid_to", "条例25", "有效期止 {ends} 早于起 {begins} (the term ends before it begins)", "≥ {begins}"
    ),
    "term_too_long": Words(
        "valid_to",
        "条例25",
        "有效期 {begins} 至 {ends} 超过10年 (the term is longer than ten years)",
        "≤ {longest}",
    ),
    "term_unusual": Words(
        "valid_to",
        "条例25",
        "有效期 {begins} 至 {ends} 长于一般的5年 (longer than the usual five years)",
        "≤ {usual}",
    ),
    "term_missing": Words(
        "valid_to", "条例25", "缺少有效期止 (the end of the term is missing)", "YYYY-MM-DD"
    ),
    "term_not_longer": Words(
        "valid_to",
        "条例25",
        "延续后的有效期止 {ends} 不晚于原来的 {former} (the new term ends no later than the old)",
        "> {former}",
    ),
    "gap_between_terms": Words(
        "valid_from",
        "条例25",
        "两个有效期之间有间断：{former} 至 {begins} (there is a gap between the terms)",
        "≤ {follows}",
    ),
    "asked_late": Words(
        "applied_on",
        "条例25",
        "延续申请 {applied} 晚于届满45日前的 {due} (asked for later than 45 days before the term ended)",
        "≤ {due}",
    ),
    "decided_late": Words(
        "effective_on",
        "行政许可法50",
        "有效期 {former} 届满后才决定延续 (decided after the term had ended)",
        "≤ {former}",
    ),
    "not_yet_expired": Words(
        "effective_on", "条例25", "有效期到 {ends} 为止，尚未届满 (the term is not over)", "> {ends}"
    ),
    # ── what an event must say ──────────────────────────────────────────────────────────────────────
    "holder_missing": Words("holder_name", "条例24, 27", "缺少取水权人 (the holder is missing)"),
    "same_holder": Words(
        "holder_name", "条例27", "新的取水权人与原来相同：{holder} (the holder is the same as before)"
    ),
    "is_a_transfer": Words(
        "uscc", "条例27", "取水权人改变属于“转让” (another holder: that is a transfer)", "transfer"
    ),
    "is_a_renewal": Words(
        "valid_to", "条例25", "有效期延长属于“延续” (a longer term: that is a renewal)", "renew"
    ),
    "nothing_changes": Words("event", "条例26", "没有任何改动 (nothing is changed)"),
    "ground_missing": Words(
        "ground", "行政许可法70", "注销须写明法定情形 (a ground of the law is needed)", "{grounds}"
    ),
    "ground_of_another_state": Words(
        "ground",
        "行政许可法70(四)",
        "许可证状态为“{status}”，注销情形不符 (the ground does not fit the permit's state)",
        "{wanted}",
    ),
    "reason_missing": Words("reason", "行政许可法69, 70(六)", "须说明理由 (say why)"),
    "document_missing": Words(
        "document_no", "行政处罚法59; 水法69", "吊销须写明处罚决定书文号 (name the decision on the penalty)"
    ),
}
