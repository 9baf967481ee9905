"""A mapping: which column of a file is which field, in what unit, datum and spelling."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from app.errors import InvalidInput

SHIPPED = Path(__file__).parent / "mappings"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """Where a field comes from."""

    column: str | None = None
    columns: tuple[str, ...] = ()
    """Several columns, joined by `join`."""
    join: str = " "
    prefix: str = ""
    constant: str | None = None
    unit: str | None = None
    values: dict[str, str] = {}
    """Spelling in the file → value of the field."""
    zero_is_empty: bool = False


def _short(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class Lookup(_Strict):
    """Another file that gives more columns to each row: joined where `match` (here) equals `key` (there)."""

    file: str
    key: str
    match: str


class Mapping(_Strict):
    """One mapping file. Every member may be left out."""

    kind: str | None = None
    title: str = ""
    layer: str | None = None
    """Layer of a GeoPackage or sheet of a workbook."""
    encoding: str | None = None
    undecodable: Literal["strict", "replace"] = "strict"
    """Whether bytes that are not of the encoding stop the reading or become U+FFFD."""
    datum: str = "CGCS2000"
    """CGCS2000, WGS84, GCJ-02 or BD-09: the last two are converted."""
    columns: dict[str, Annotated[Column, BeforeValidator(_short)]] = {}
    lookup: Lookup | None = None
    check_region: bool = True
    """Off for registers of other countries."""
    bounds: tuple[float, float, float, float] | None = None
    """West, south, east, north: positions outside are rejected."""
    keep_rest: bool = True
    """Columns that no field takes are kept as attributes."""


def parse(text: str, name: str) -> Mapping:
    """Raises InvalidInput that names the place in the mapping."""
    try:
        return Mapping.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        raise InvalidInput(
            f"映射文件 {name} 不是 YAML (the mapping is not YAML): {error}", file=name
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"映射文件 {name} 的 {where} 有误 (is wrong): {first['msg']}", file=name, field=where
        ) from None


def load(path: Path) -> Mapping:
    """Raises InvalidInput if the file cannot be read or is no mapping."""
    try:
        return parse(path.read_text("utf-8"), path.name)
    except OSError as error:
        raise InvalidInput(
            f"无法读取映射文件 {path}: {error.strerror} (cannot read the mapping)", file=str(path)
        ) from None


def shipped() -> dict[str, Mapping]:
    """The mappings that come with the product, by name."""
    return {path.stem: load(path) for path in sorted(SHIPPED.glob("*.yaml"))}
