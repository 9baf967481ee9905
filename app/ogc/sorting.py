"""The order of features: `sortby`, and cursors that say where a page ended in that order."""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson

from app.errors import InvalidInput
from app.ogc.parameters import READERS, refused, whole
from layers.model import Audience, Field, Layer

MOST_KEYS = 5
KEYED = re.compile(r"k(\d{1,19})\.(\d{1,19})", re.ASCII)
Value = str | int | float | bool | date | datetime | None


@dataclass(frozen=True, slots=True)
class SortKey:
    """Features without a value come last, in either direction."""

    field: Field
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """The last feature of a page: its values under the sort keys, and its id, which decides between equals."""

    identifier: int
    values: tuple[Value, ...] = ()
    key: int | None = None
    """In the order of a map table's keys (`app.ogc.keyed`), its key there."""

    @property
    def text(self) -> str:
        """The cursor of a position without sort keys."""
        return str(self.identifier) if self.key is None else f"k{self.key}.{self.identifier}"


def sortables(layer: Layer, audience: Audience) -> tuple[Field, ...]:
    """The fields that this audience may sort by: those that it may filter by."""
    return tuple(field for field in layer.fields_for(audience) if field.filter)


def sort_keys(layer: Layer, audience: Audience, text: str) -> tuple[SortKey, ...]:
    """The keys of `sortby=+a,-b`. Raises InvalidInput."""
    known = {field.name: field for field in sortables(layer, audience)}
    keys: list[SortKey] = []
    for part in text.split(","):
        # A plus that the client did not encode arrives as a space.
        name = part.lstrip("+- ") if part[:1] in ("+", "-", " ") else part
        if name not in known or len(part) - len(name) > 1:
            raise refused(
                "sortby", text, f"可排序字段(前面可加 + 或 -)：{' '.join(known)}", f"of {' '.join(known)}"
            )
        if name in (key.field.name for key in keys):
            raise refused("sortby", text, "不重复的字段", "fields that are each given once")
        keys.append(SortKey(known[name], part.startswith("-")))
    if len(keys) > MOST_KEYS:
        raise refused("sortby", text, f"至多{MOST_KEYS}个字段", f"at most {MOST_KEYS} fields")
    return tuple(keys)


def cursor(identifier: int, values: str | None = None) -> str:
    """What `after` says of the last feature of a page; `values` is the JSON array of its sort values."""
    if values is None:
        return str(identifier)
    return base64.urlsafe_b64encode(f"[{identifier},{values}]".encode()).decode().rstrip("=")


def position(text: str, keys: Iterable[SortKey]) -> Position:
    """Where a page begins. Raises InvalidInput if the cursor is none of this order."""
    sort = tuple(keys)
    if not sort:
        if match := KEYED.fullmatch(text):
            return Position(whole("after", match[2]), key=whole("after", match[1]))
        return Position(whole("after", text))
    try:
        identifier, values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if isinstance(identifier, bool) or not isinstance(identifier, int) or len(values) != len(sort):
            raise ValueError
        return Position(
            whole("after", str(identifier)),
            tuple(_value(key.field, value) for key, value in zip(sort, values, strict=True)),
        )
    except (ValueError, TypeError, binascii.Error, InvalidInput):
        raise refused(
            "after", text, " next 链接给出的值", "what a next link gave, with the same sortby"
        ) from None


def _value(field: Field, value: Any) -> Value:
    if value is None:
        return None
    if field.type == "boolean":
        if not isinstance(value, bool):
            raise ValueError
        return value
    if isinstance(value, bool) or isinstance(value, str) == (field.type in ("integer", "number")):
        raise ValueError
    if isinstance(value, str) and "\x00" in value:
        raise ValueError
    found: Value = value if field.type == "number" else READERS[field.type]("after", str(value))
    return found
