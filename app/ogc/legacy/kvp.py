"""Key-value requests of the older services: names in any case, and what is wrong told in OGC's own way."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import QueryParams

LONGEST = 20_000
"""Characters of one value."""


class Refused(Exception):
    """The request cannot be answered: an OGC exception with its code, the parameter and an HTTP status."""

    def __init__(self, code: str, message: str, locator: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.code, self.locator, self.status = code, locator, status


@dataclass(frozen=True)
class Kvp:
    """The parameters of a request, by their names in upper case."""

    values: Mapping[str, str]

    @classmethod
    def of(cls, query: QueryParams) -> "Kvp":
        """Raises Refused for a parameter that is given twice with different values, or that holds NUL."""
        found: dict[str, str] = {}
        for name, value in query.multi_items():
            key = name.upper()
            if "\x00" in value or len(value) > LONGEST:
                raise Refused("InvalidParameterValue", f"参数 {key} 的值有误 (bad value of {key})", key)
            if found.setdefault(key, value) != value:
                raise Refused("InvalidParameterValue", f"参数 {key} 重复给出 ({key} is given twice)", key)
        return cls(found)

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default).strip()

    def needed(self, name: str) -> str:
        """Raises Refused."""
        value = self.get(name)
        if not value:
            raise Refused("MissingParameterValue", f"缺少参数 {name} (the parameter {name} is missing)", name)
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty without the parameter."""
        value = self.get(name)
        return [part.strip() for part in value.split(",")] if value else []

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Raises Refused."""
        text = self.needed(name) if default is None else self.get(name) or str(default)
        if not (text.isascii() and text.isdigit()) or len(text) > 12 or not least <= int(text) <= most:
            raise Refused(
                "InvalidParameterValue",
                f"参数 {name} 应为{least}–{most}的整数，得到 {text[:40]!r} ({name} is a whole number from {least} to {most})",
                name,
            )
        return int(text)

    def one_of(
        self, name: str, allowed: tuple[str, ...], default: str, code: str = "InvalidParameterValue"
    ) -> str:
        """One of these values, in any case. Raises Refused."""
        text = self.get(name) or default
        for value in allowed:
            if value.lower() == text.lower():
                return value
        raise Refused(
            code,
            f"参数 {name} 应为 {'、'.join(allowed)} 之一，得到 {text[:60]!r} ({name} is one of these)",
            name,
        )
