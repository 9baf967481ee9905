"""What a decision does, and how two records compare. Plain values in, plain values out.

Scope and outcomes: 水资管〔2024〕120号 三（一）: off-stream intakes 河道外 of the field register, each brought to the
intake that a permit lists. Grounds on which none is needed: 取水许可和水资源费征收管理条例 art. 4, 48.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import Conflict, InvalidInput
from app.linkage.schemas import Action, Agreement, Comparison, Outcome

OUTCOMES: dict[Outcome, str] = {
    "one_to_one": "一口一证",
    "n_to_one": "多口一证",
    "one_to_n": "一口多证",
    "intake_without_permit": "有口无证",
    "permit_without_intake": "有证无口",
    "exempt": "无需办证",
    "pending": "待定",
}
GROUNDS = {
    "collective_pond": "本集体经济组织水塘、水库（条例四条一款一项）",
    "household": "家庭生活、零星畜禽等少量取水（条例四条一款二项）",
    "dewatering": "地下工程临时应急疏干排水（条例四条一款三项）",
    "public_safety": "消除公共安全危害的临时应急取水（条例四条一款四项）",
    "drought": "农业抗旱、生态应急取水，经同意（条例四条一款五项）",
    "filing_only": "监测、勘探等只须备案的取水（条例四十八条）",
    "public_supply": "由公共供水管网供水，不直接取水",
    "registered": "登记时已认定（见登记表）",
}
"""Grounds by code. `registered`: said by the register itself when it was brought in."""

OF_INTAKE: frozenset[Action] = frozenset(
    {"accept", "reject", "reassign", "split", "unlicensed", "exempt", "postpone"}
)
OF_PERMIT: frozenset[Action] = frozenset({"accept", "reject", "register", "missing", "postpone"})


def check(action: Action, *, of_intake: bool, ground: str | None, targets: int) -> None:
    """Raises InvalidInput where the decision lacks what it needs, Conflict where it does not fit its subject."""
    if action not in (OF_INTAKE if of_intake else OF_PERMIT):
        raise Conflict(
            "该操作只适用于取水口 (this can be decided for an intake of the register only)"
            if action in OF_INTAKE
            else "该操作只适用于证照取水口 (this can be decided for an intake listed by a permit only)",
            field="action",
        )
    if (action == "exempt") != (ground is not None):
        raise InvalidInput(
            "无需办证须写明依据，其他操作不带依据 (exempt needs its ground, nothing else has one)",
            field="ground",
            expected=", ".join(sorted(GROUNDS)),
        )
    least = {"reassign": 1, "split": 2}.get(action, 0)
    if targets < least or (action == "reassign" and targets != 1):
        raise InvalidInput(
            f"{'改配须指定一个' if least == 1 else '拆分须指定两个以上'}证照取水口 "
            f"({action} names {'one intake of a permit' if least == 1 else 'two or more intakes of permits'})",
            field="targets",
        )


def outcome_of(partners: Sequence[int]) -> Outcome:
    """The outcome of an intake by its links in force: for each, how many intakes share the permit's intake.

    One permit intake and one entry is 1:1; several entries that are one permit intake n:1; an entry that is several
    permit intakes 1:n. Without links there is nothing to derive: `pending`. `standing.DERIVE` is the same for many at
    once; a test holds them equal.
    """
    if not partners:
        return "pending"
    if len(partners) > 1:
        return "one_to_n"
    return "n_to_one" if partners[0] > 1 else "one_to_one"


# ── side by side ────────────────────────────────────────────────────────────────────────────────────

COMPARED = ("name", "holder_name", "uscc", "permit_no", "county_code", "town", "place", "water_body", "source_type", "purpose", "annual_m3")  # fmt: skip
CLOSE_M3 = 0.1
"""Volumes within a tenth of each other count as near: two roundings and a part year make as much. A guess of 2026-11."""
NOTHING = {"", "unknown", "other", None}


def compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Comparison]:
    """Field by field, how the register and the permit agree."""
    return [
        Comparison(
            field=name,
            intake=left.get(name),
            permit=right.get(name),
            agreement=_agreement(name, left.get(name), right.get(name)),
        )
        for name in COMPARED
    ]


def _agreement(name: str, left: Any, right: Any) -> Agreement:
    if left in NOTHING or right in NOTHING:
        return "missing"
    if left == right:
        return "same"
    if name == "annual_m3":
        return "near" if math.isclose(left, right, rel_tol=CLOSE_M3) else "differs"
    if isinstance(left, str) and isinstance(right, str) and name not in ("source_type", "purpose", "uscc"):
        a, b = _plain(left), _plain(right)
        if a == b:
            return "same"
        return "near" if a in b or b in a else "differs"
    return "differs"


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
