"""A permit as it is shown: with the parts of its numbers, and what a person should know of it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from app.imports.values import BadValue
from app.registry import lifecycle, numbers
from app.registry.findings import Finding
from app.registry.permits.schemas import LicenceParts, NumberParts, Read, Warned


def shown(row: Mapping[str, Any], today: date, findings: Iterable[Finding] = ()) -> dict[str, Any]:
    """The permit with the parts of its numbers, its flags and the events that may follow."""
    number, licence = read_number(row["permit_no"]), read_licence(row["e_licence"] or "")
    flags = [Warned.model_validate(asdict(one)) for one in findings]
    told = {(flag.code, flag.message) for flag in flags}
    flags += [flag for flag in _flags(row, licence, today) if (flag.code, flag.message) not in told]
    return {
        **row,
        "number": number.number,
        "licence": licence.licence,
        "flags": flags,
        "events_allowed": list(lifecycle.ALLOWED[row["status"]]),
    }


def _flags(row: Mapping[str, Any], licence: Read, today: date) -> list[Warned]:
    flags = []
    if row["e_licence"] and licence.licence is None:
        message = licence.problem or ""
        flags.append(Warned(code="licence_check", field="e_licence", message=message, clause="GB/T 36904", expected=licence.expected or ""))  # fmt: skip
    elsewhere = sorted({i["county_code"] for i in row["intakes"]} - {row["county_code"]})
    elsewhere_listed = sorted({p["county_code"] for p in row["points"]} - {row["county_code"], *elsewhere})
    for field, codes in (("intakes", elsewhere), ("points", elsewhere_listed)):
        if codes:
            words = "、".join(map(str, codes))
            message = f"取水口位于 {words}，不在许可证所在县 {row['county_code']} (intakes lie in another county than the permit)"
            flags.append(Warned(code="intake_elsewhere", field=field, message=message, clause="", expected=""))  # fmt: skip
    flags += _of_term(row, today)
    return flags


def _of_term(row: Mapping[str, Any], today: date) -> list[Warned]:
    """条例 25: a renewal is asked for 45 days before the end."""
    ends = row["valid_to"]
    ends = date.fromisoformat(ends) if isinstance(ends, str) else ends
    if row["status"] != "valid" or ends is None or (ends - today).days > lifecycle.ASK_BEFORE_DAYS:
        return []
    message = f"有效期到 {ends}，距届满不足{lifecycle.ASK_BEFORE_DAYS}日 (the term ends within 45 days: a renewal was to be asked for)"
    return [Warned(code="term_ends_soon", field="valid_to", message=message, clause="条例25", expected="")]


def read_number(text: str) -> Read:
    """A permit number's parts, or why it is none."""
    try:
        found = numbers.permit_number(text)
    except BadValue as bad:
        return Read(problem=bad.message, expected=bad.expected)
    parts = NumberParts(
        text=found.text,
        form=found.form,
        year=found.year,
        serial=found.serial,
        level=found.level,
        region_code=found.region_code,
        source=found.source,
        source_type=found.source_type,
        place=found.place,
        repaired=list(found.repaired),
        warnings=[one.message for one in found.warnings],
    )
    return Read(number=parts)


def read_licence(text: str) -> Read:
    """An electronic licence identifier's parts, or why it is none."""
    try:
        found = numbers.licence_identifier(text)
    except BadValue as bad:
        return Read(problem=bad.message, expected=bad.expected)
    return Read(licence=LicenceParts(text=found.text, **asdict(found)))
