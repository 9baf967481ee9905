"""The functions that filters may call beyond those of the standard; /ogc/functions lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from layers.cql2.columns import Type


@dataclass(frozen=True, slots=True)
class Function:
    """SQL of a function, with {0}, {1} for its arguments."""

    name: str
    takes: tuple[tuple[Type, ...], ...]
    """The types that each argument may have."""
    returns: Type
    sql: str
    title: str


NUMBER: tuple[Type, ...] = ("number", "integer")
TIME: tuple[Type, ...] = ("date", "datetime")
STRING: tuple[Type, ...] = ("string",)
GEOMETRY: tuple[Type, ...] = ("geometry",)

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        f.name: f
        for f in (
            Function("lower", (STRING,), "string", "lower({0})", "小写 · In lower case"),
            Function("upper", (STRING,), "string", "upper({0})", "大写 · In upper case"),
            Function("length", (STRING,), "integer", "length({0})", "字符数 · Number of characters"),
            Function("abs", (NUMBER,), "number", "abs(({0})::float8)", "绝对值 · Absolute value"),
            Function("round", (NUMBER,), "number", "round(({0})::float8)", "取整 · Nearest whole number"),
            Function("floor", (NUMBER,), "number", "floor(({0})::float8)", "向下取整 · Whole number below"),
            Function("ceil", (NUMBER,), "number", "ceil(({0})::float8)", "向上取整 · Whole number above"),
            Function("year", (TIME,), "integer", "extract(year from ({0}) at time zone 'UTC')::integer", "年 · Year (UTC)"),
            Function("month", (TIME,), "integer", "extract(month from ({0}) at time zone 'UTC')::integer", "月 · Month (UTC)"),
            Function("area", (GEOMETRY,), "number", "st_area(({0})::geography)", "面积，m² · Area on the ellipsoid, m²"),
            Function("centroid", (GEOMETRY,), "geometry", "st_centroid({0})", "中心 · Centroid"),
            Function(
                "distance", (GEOMETRY, GEOMETRY), "number", "st_distance(({0})::geography, ({1})::geography)",
                "距离，m · Distance on the ellipsoid, m",
            ),
        )
    }
)  # fmt: skip


def listed() -> list[dict[str, object]]:
    """The functions as OGC 19-079r2 has them listed."""
    names = {"date": "datetime"}

    def types(given: tuple[Type, ...]) -> list[str]:
        return list(dict.fromkeys(names.get(one, one) for one in given))

    return [
        {
            "name": f.name,
            "description": f.title,
            "args": [{"type": types(given)} for given in f.takes],
            "returns": types((f.returns,)),
        }
        for f in FUNCTIONS.values()
    ]
