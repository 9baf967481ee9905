"""Filters of FES 2.0 (09-026r2, and the spelling of 1.1) into the tree that CQL2 is read into: one engine answers both."""

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from app.errors import InvalidInput
from app.ogc.legacy.gml import NotGml, literal_box, literal_shape
from app.ogc.parameters import READERS
from layers.cql2 import nodes
from layers.cql2.nodes import Call, Instant, Literal, Node, Property
from layers.model import Field, Layer

MOST_BYTES = 100_000
MOST_IDS = 1_000
COMPARISONS = {
    "PropertyIsEqualTo": "=", "PropertyIsNotEqualTo": "<>", "PropertyIsLessThan": "<", "PropertyIsGreaterThan": ">",
    "PropertyIsLessThanOrEqualTo": "<=", "PropertyIsGreaterThanOrEqualTo": ">=",
}  # fmt: skip
SPATIAL = {
    "Intersects": "s_intersects", "Disjoint": "s_disjoint", "Contains": "s_contains", "Within": "s_within",
    "Touches": "s_touches", "Crosses": "s_crosses", "Overlaps": "s_overlaps", "Equals": "s_equals",
}  # fmt: skip
TEMPORAL = {
    "After": ((">", "end"),), "Before": (("<", "start"),), "During": ((">", "start"), ("<", "end")), "TEquals": (("=", "start"),),
    "AnyInteracts": ((">=", "start"), ("<=", "end")), "Begins": (("=", "start"),), "Ends": (("=", "end"),),
}  # fmt: skip
"""What each operator means for our properties, which are instants or days, against an instant or a period."""


class NotFes(ValueError):
    """The text is no filter that this service can answer; the message says what is wrong."""


def parsed(text: str, layer: Layer, fields: Mapping[str, Field]) -> tuple[Node | None, list[str] | None]:
    """The condition, and the resource ids, of a filter. Raises NotFes."""
    if len(text.encode()) > MOST_BYTES:
        raise NotFes("过滤条件过长 (the filter is too long)")
    # Nothing is read from elsewhere, and no entity is expanded: a filter comes from anybody.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotFes(f"过滤条件不是 XML (the filter is no XML): {str(error)[:120]}") from None
    if root.getroottree().docinfo.doctype:
        raise NotFes("过滤条件不能有 DOCTYPE (a filter has no document type)")
    if _name(root) != "Filter":
        raise NotFes(f"应为 fes:Filter，得到 {_name(root)[:40]} (this is no fes:Filter)")
    children = _children(root)
    if not children:
        raise NotFes("过滤条件为空 (the filter is empty)")
    ids = [_id(child) for child in children if _name(child) in ("ResourceId", "FeatureId", "GmlObjectId")]
    if ids:
        if len(ids) != len(children) or len(ids) > MOST_IDS:
            raise NotFes("ResourceId 不能与其他条件并用，且数量有限 (ResourceId stands alone)")
        return None, ids
    if len(children) != 1:
        raise NotFes("应只有一个条件，多个条件请用 And 或 Or (one condition; join more by And or Or)")
    return nodes.within_limits(_Reader(layer, fields).condition(children[0], 0)), None


def _name(element: Any) -> str:
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def _children(element: Any) -> list[Any]:
    return [child for child in element if isinstance(child.tag, str)]


def _id(element: Any) -> str:
    for name in ("rid", "fid", "{http://www.opengis.net/gml}id", "{http://www.opengis.net/gml/3.2}id"):
        if name in element.attrib:
            return str(element.attrib[name])
    raise NotFes("ResourceId 缺少 rid (ResourceId without rid)")


class _Reader:
    """Reads elements from the outside in; texts take the type of the property beside them."""

    def __init__(self, layer: Layer, fields: Mapping[str, Field]) -> None:
        self.layer, self.fields = layer, fields

    def condition(self, element: Any, depth: int) -> Node:
        if depth > nodes.MAX_DEPTH:
            raise NotFes("过滤条件嵌套过深 (the filter is nested too deeply)")
        name, children = _name(element), _children(element)
        if name in ("And", "Or"):
            if len(children) < 2:
                raise NotFes(f"{name} 需要至少两个条件 ({name} joins two conditions or more)")
            return Call(name.lower(), tuple(self.condition(child, depth + 1) for child in children))
        if name == "Not":
            return Call("not", (self.condition(_only(children, name), depth + 1),))
        read = self._reader(name)
        if read is None:
            raise NotFes(f"不支持运算 {name[:40]} (this operator is not supported)")
        return read(element, name, children)

    def _reader(self, name: str) -> Callable[[Any, str, list[Any]], Node] | None:
        if name in COMPARISONS:
            return self._comparison
        if name in SPATIAL:
            return self._spatial
        if name in TEMPORAL:
            return self._temporal
        return {
            "PropertyIsLike": self._like,
            "PropertyIsNull": self._null,
            "PropertyIsNil": self._null,
            "PropertyIsBetween": self._between,
            "BBOX": self._box,
        }.get(name)

    def _comparison(self, element: Any, name: str, children: list[Any]) -> Node:
        left, right = _two(children, name)
        field = self._field_of(left) or self._field_of(right)
        sides = self._operand(left, field), self._operand(right, field)
        if element.get("matchCase", "true") == "false" and field is not None and field.type == "string":
            sides = Call("casei", (sides[0],)), Call("casei", (sides[1],))
        return Call(COMPARISONS[name], sides)

    def _like(self, element: Any, name: str, children: list[Any]) -> Node:
        left, right = _two(children, name)
        many, one = element.get("wildCard", "*"), element.get("singleChar", "?")
        escape = element.get("escapeChar") or element.get("escape", "\\")
        pattern = Literal(_pattern(_text(right), many, one, escape))
        if element.get("matchCase", "true") == "false":
            return Call("like", (Call("casei", (self._property(left),)), Call("casei", (pattern,))))
        return Call("like", (self._property(left), pattern))

    def _null(self, element: Any, name: str, children: list[Any]) -> Node:
        return Call("isnull", (self._property(_only(children, name)),))

    def _between(self, element: Any, name: str, children: list[Any]) -> Node:
        found = {_name(child): child for child in children}
        lower, upper = found.get("LowerBoundary"), found.get("UpperBoundary")
        if len(children) != 3 or lower is None or upper is None:
            raise NotFes("PropertyIsBetween 需要上下界 (PropertyIsBetween has two boundaries)")
        field = self._field_of(children[0])
        ends = (self._operand(_only(_children(end), name), field) for end in (lower, upper))
        return Call("between", (self._operand(children[0], field), *ends))

    def _spatial(self, element: Any, name: str, children: list[Any]) -> Node:
        left, right = _two(children, name)
        try:
            shape = literal_box(right) if _name(right) == "Envelope" else literal_shape(right)
        except NotGml as error:
            raise NotFes(str(error)) from None
        return Call(SPATIAL[name], (self._geometry(left), shape))

    def _box(self, element: Any, name: str, children: list[Any]) -> Node:
        if not 1 <= len(children) <= 2:
            raise NotFes("BBOX 需要一个 Envelope (BBOX has one Envelope)")
        try:
            box = literal_box(children[-1])
        except NotGml as error:
            raise NotFes(str(error)) from None
        if len(children) == 2:
            self._geometry(children[0])
        return Call("s_intersects", (Property("geometry"), box))

    def _temporal(self, element: Any, name: str, children: list[Any]) -> Node:
        left, right = _two(children, name)
        field = self._field_of(left)
        if field is None or field.type not in ("date", "datetime"):
            raise NotFes(f"{name} 需要时间字段 ({name} asks a property of time)")
        ends = self._time(right)
        made = [Call(sign, (Property(field.name), ends[end])) for sign, end in TEMPORAL[name]]
        return made[0] if len(made) == 1 else Call("and", tuple(made))

    def _time(self, element: Any) -> dict[str, Instant]:
        texts = [text.strip() for text in element.itertext() if text.strip()]
        if len(texts) != (2 if _name(element) == "TimePeriod" else 1):
            raise NotFes("应为时间或时段 (a time instant or period)")
        return {"start": self._instant(texts[0]), "end": self._instant(texts[-1])}

    def _instant(self, text: str) -> Instant:
        kind = "date" if len(text) == 10 else "datetime"
        try:
            return Instant(READERS[kind]("filter", text))
        except InvalidInput as error:
            raise NotFes(str(error)) from None

    def _operand(self, element: Any, field: Field | None) -> Node:
        if _name(element) in ("ValueReference", "PropertyName"):
            return self._property(element)
        if _name(element) != "Literal":
            raise NotFes(f"不支持表达式 {_name(element)[:40]} (this expression is not supported)")
        return self._literal(_text(element), field)

    def _literal(self, text: str, field: Field | None) -> Node:
        kind = "string" if field is None else field.type
        try:
            value = READERS[kind]("filter", text)
        except InvalidInput as error:
            if kind == "integer":  # a client may compare whole numbers with a fraction
                return self._literal_number(text, error)
            raise NotFes(str(error)) from None
        return Instant(value) if kind in ("date", "datetime") else Literal(value)

    def _literal_number(self, text: str, error: InvalidInput) -> Node:
        try:
            return Literal(READERS["number"]("filter", text))
        except InvalidInput:
            raise NotFes(str(error)) from None

    def _property(self, element: Any) -> Property:
        field = self._field_of(element)
        if field is None:
            known = " ".join(self.fields)
            raise NotFes(f"没有可筛选字段 {_text(element)[:60]!r} (no such queryable; there are: {known})")
        return Property(field.name)

    def _field_of(self, element: Any) -> Field | None:
        if _name(element) not in ("ValueReference", "PropertyName"):
            return None
        return self.fields.get(plain_name(_text(element)))

    def _geometry(self, element: Any) -> Property:
        if _name(element) not in ("ValueReference", "PropertyName") or plain_name(_text(element)) not in (
            "geometry", self.layer.source.geometry,
        ):  # fmt: skip
            raise NotFes("空间条件的字段应为 geometry (a spatial condition asks geometry)")
        return Property("geometry")


def plain_name(text: str) -> str:
    """`shuitu:intakes/shuitu:name` as `name`."""
    return text.strip().rpartition("/")[2].rpartition(":")[2]


def _text(element: Any) -> str:
    text = "".join(element.itertext()).strip()
    if "\x00" in text:
        raise NotFes("文本不能含空字符 (a text may not hold NUL)")
    return text


def _two(children: list[Any], name: str) -> tuple[Any, Any]:
    if len(children) != 2:
        raise NotFes(f"{name} 需要两个操作数 ({name} has two operands)")
    return children[0], children[1]


def _only(children: list[Any], name: str) -> Any:
    if len(children) != 1:
        raise NotFes(f"{name} 需要一个操作数 ({name} has one operand)")
    return children[0]


def _pattern(text: str, many: str, one: str, escape: str) -> str:
    """A pattern of FES as one of CQL2, whose wild cards are % and _ and whose escape is a backslash."""
    if not many or not one or not escape:
        raise NotFes("wildCard、singleChar 与 escapeChar 不能为空 (these may not be empty)")
    made, i = "", 0
    while i < len(text):
        if text.startswith(escape, i) and i + len(escape) < len(text):
            i += len(escape)
            made, i = made + _plain(text[i]), i + 1
        elif text.startswith(many, i):
            made, i = made + "%", i + len(many)
        elif text.startswith(one, i):
            made, i = made + "_", i + len(one)
        else:
            made, i = made + _plain(text[i]), i + 1
    return made


def _plain(character: str) -> str:
    return f"\\{character}" if character in "%_\\" else character
