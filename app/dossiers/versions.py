"""What differs between one version of an entry and the next. Plain values in, plain values out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PASSED_OVER = frozenset(
    {"id", "version", "recorded_at", "recorded_until", "import_id", "source_row", "holder_id", "actor_name", "filename", "geom"}
)  # fmt: skip
"""What is of the record and not of the thing."""
NEAR = 6e-8
"""Degrees: clients that write back what they read have seven decimals."""


@dataclass(frozen=True)
class Changed:
    """One field of a version that the version before had otherwise."""

    field: str
    before: Any
    after: Any


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Changed]:
    """The fields that differ, in the order of the later version; members of `attributes` as `attributes.name`."""
    return [
        Changed(name, old, new)
        for name, old, new in _pairs(before, after)
        if not _same(name, old, new)
    ]  # fmt: skip


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in _names(after, before):
        if name == "attributes":
            old, new = before.get(name) or {}, after.get(name) or {}
            yield from ((f"attributes.{key}", old.get(key), new.get(key)) for key in _names(new, old))
        elif name not in PASSED_OVER:
            yield name, before.get(name), after.get(name)


def _names(*mappings: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys(name for mapping in mappings for name in mapping)


def _same(name: str, old: Any, new: Any) -> bool:
    if name in ("lon", "lat") and old is not None and new is not None:
        return bool(abs(old - new) < NEAR)
    # A text that was empty and one that was not there say the same.
    return bool(old == new or (old in (None, "") and new in (None, "")))


def steps(versions: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], list[Changed]]]:
    """Versions (the newest first) with what each changed; the first of all changed nothing."""
    older: list[Mapping[str, Any] | None] = [*versions[1:], None]
    return [
        (one, [] if before is None else changed(before, one))
        for one, before in zip(versions, older, strict=True)
    ]
