"""The vocabulary of a layer declaration. Everything here is frozen, and validated when it is made.

A declaration names its source, its fields and its symbology once; columns, queryables, TileJSON,
style, legend and the front end's panel are derived from it (`layers.derive`), so they cannot disagree.
"""

from functools import cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic import Field as Setting

Audience = Literal["public", "officer"]
GeometryKind = Literal["point", "line", "polygon"]
FieldType = Literal["string", "integer", "number", "boolean", "date", "datetime"]
Colour = Annotated[str, Setting(pattern=r"^#[0-9a-f]{6}$")]


def _identifier(name: str) -> str:
    if not (name.isascii() and name.isidentifier() and name.islower()):
        raise ValueError(f"{name!r} is not a lower-case SQL identifier")
    return name


def _qualified(name: str) -> str:
    schema, _, relation = name.partition(".")
    if schema != "map":
        raise ValueError(f"{name!r}: the map reads only schema map")
    return f"{_identifier(schema)}.{_identifier(relation)}"


Identifier = Annotated[str, AfterValidator(_identifier)]
Relation = Annotated[str, AfterValidator(_qualified)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Frozen):
    """A text in both languages of the product."""

    zh: str
    en: str

    def get(self, lang: str) -> str:
        return self.zh if lang.startswith("zh") else self.en


class Value(Frozen):
    """One allowed value of a coded field."""

    value: str | int | bool
    title: Text


class Field(Frozen):
    """One attribute of a layer, as every client sees it."""

    name: Identifier
    type: FieldType
    title: Text
    unit: str | None = None
    """Unit of the stored number: m3, m2, m, m3/s, %; the front end shows m3 as 万m³."""
    values: tuple[Value, ...] = ()
    audience: Audience = "officer"
    tile: bool = False
    """Carried in vector tiles; the rest is fetched on click."""
    filter: bool = False
    """May be filtered by clients; then it is indexed, or in the map table."""
    description: Text | None = None


class ListOf(Frozen):
    """A list to filter by: the parts of a text field that strings them together with blanks."""

    name: Identifier
    field: Identifier
    title: Text


class Source(Frozen):
    """Where the rows come from: a view of schema map, and its twin for the public."""

    view: Relation
    id: Identifier = "id"
    geometry: Identifier = "geom"
    kind: GeometryKind
    public_view: Relation | None = None
    """View with public fields at public accuracy; None: the public does not see this layer."""
    datetime: Identifier | None = None
    """Field that `datetime=` asks about, if any."""
    until: Identifier | None = None
    """Field with the end of what begins at `datetime`, where that is no instant; without a value it goes on."""
    past: Relation | None = None
    """Function of a day and of a moment (or null) that gives the view's rows as they were, for those who log in."""
    shapes: Relation | None = None
    """Polygons generalised per zoom, by id; None: drawn from the view at every zoom."""


class Points(Frozen):
    """Map tables of a layer too big for a plain view (design, §4): points in key order, overview cells, and the
    changes not yet folded into them. Needs fields `county_code`; the view that feeds it also has `basin_id`."""

    prefix: Relation
    """`map.intake` names map.intake_points, _blocks, _sheets, _cells, _facets, _deltas, _classes, and of past days
    _past_cells and _past_facets."""
    feed: Relation | None = None
    """View that publishing reads; None: the layer's own."""
    feed_of_one: Relation | None = None
    """View that publishing a single feature reads, with the same rows; None: the same."""
    cells_to_zoom: int = Setting(9, ge=0, le=9)
    """Up to here a tile shows cells, unless it holds at most `max_points` points."""
    max_points: int = Setting(3_000, ge=100)
    facets: tuple[Identifier, ...]
    """Fields by which cells can be filtered exactly, in the order of the class number: coded fields, or whole
    years (an integer field)."""
    counted: Identifier
    """The facet whose values every cell tells apart, as `n_<value>`."""
    summed: Identifier | None = None
    """Number in whole units that every cell sums, as `volume`."""
    carried: tuple[Identifier, ...] = ()
    """Further fields kept in the map table, so that `fields=` need not ask the view."""

    @property
    def table(self) -> str:
        return f"{self.prefix}_points"

    @property
    def blocks(self) -> str:
        return f"{self.prefix}_blocks"

    @property
    def sheets(self) -> str | None:
        """Only of a layer whose places are its view's own, the same for every viewer: None where a feed publishes others."""
        return None if self.feed else f"{self.prefix}_sheets"

    @property
    def cells(self) -> str:
        return f"{self.prefix}_cells"

    @property
    def facet_cells(self) -> str:
        return f"{self.prefix}_facets"

    @property
    def deltas(self) -> str:
        return f"{self.prefix}_deltas"

    @property
    def classes(self) -> str:
        return f"{self.prefix}_classes"

    @property
    def past_cells(self) -> str:
        return f"{self.prefix}_past_cells"

    @property
    def past_facet_cells(self) -> str:
        return f"{self.prefix}_past_facets"


class ColourClass(Frozen):
    """A class of a colour legend: one value, or numbers up to and including `upto`."""

    value: str | int | bool | None = None
    upto: float | None = None
    title: Text
    colour: Colour
    dark: Colour | None = None
    """Instead of it on a dark ground, where that would turn the order of greys around."""
    hollow: bool = False


class ShapeClass(Frozen):
    value: str
    title: Text
    shape: Literal["circle", "triangle", "diamond", "square"]


class SizeClass(Frozen):
    """Numbers below `below` (None: all that remain) are drawn with this radius in pixels."""

    below: float | None = None
    title: Text
    radius: float


class Symbology(Frozen):
    """Paint and legend in one, so that they cannot disagree."""

    colour_by: Identifier | None = None
    colours: tuple[ColourClass, ...]
    shape_by: Identifier | None = None
    shapes: tuple[ShapeClass, ...] = ()
    size_by: Identifier | None = None
    sizes: tuple[SizeClass, ...] = ()
    outline_only: bool = False
    """The image below must be seen (candidates)."""
    line_width: float = 1.0
    opacity: float = Setting(1.0, ge=0, le=1)
    label: Identifier | None = None
    label_minzoom: int = 8


class Layer(Frozen):
    """One layer of the one map."""

    id: Identifier
    title: Text
    description: Text
    source: Source
    fields: tuple[Field, ...]
    lists: tuple[ListOf, ...] = ()
    """Queryables that are arrays of texts (CQL2, array functions)."""
    symbology: Symbology
    points: Points | None = None
    minzoom: int = Setting(0, ge=0, le=22)
    maxzoom: int = Setting(14, ge=0, le=22)
    order: int
    """Drawn from low to high."""
    visible: bool = True
    """Switched on when the map opens."""
    basemap: bool = False
    """Part of the base map: always drawn below, without legend or switch."""
    receivable: tuple[Identifier, ...] = ()
    """Fields that editors write, one feature at a time, beside its place; none: the layer is not edited so."""
    required: tuple[Identifier, ...] = ()
    """Those of them without which a feature is none."""

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError(f"layer {self.id}: a field is declared twice")
        used = {
            self.symbology.colour_by,
            self.symbology.shape_by,
            self.symbology.size_by,
            self.symbology.label,
        }
        for name in used - {None}:
            if name not in names:
                raise ValueError(f"layer {self.id}: symbology names {name!r}, which is no field")
            if not self.field(str(name)).tile:
                raise ValueError(f"layer {self.id}: symbology needs {name!r} in tiles (tile: true)")
        for one in self.lists:
            if one.name in names or one.field not in names or self.field(one.field).type != "string":
                raise ValueError(
                    f"layer {self.id}: list {one.name!r} needs a name of its own and a text field"
                )
        if set(self.required) - set(self.receivable) or set(self.receivable) - set(names):
            raise ValueError(f"layer {self.id}: receivable must be fields, and required some of them")
        if self.points:
            p = self.points
            for name in (*p.facets, *p.carried, *([p.summed] if p.summed else []), "county_code"):
                if name not in names:
                    raise ValueError(f"layer {self.id}: points name {name!r}, which is no field")
            for name in p.facets:
                field = self.field(name)
                if not field.values and field.type != "integer":
                    raise ValueError(f"layer {self.id}: facet {name!r} is neither coded nor a year")
            if p.counted not in p.facets or not self.field(p.counted).values:
                raise ValueError(f"layer {self.id}: {p.counted!r} is counted but no coded facet")
        return self

    def __hash__(self) -> int:
        """By id: what is derived from a layer is kept by layer, and asked for with each tile."""
        return hash(self.id)

    @property
    def is_public(self) -> bool:
        return self.source.public_view is not None

    def field(self, name: str) -> Field:
        """Raises KeyError if the layer has no such field."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def fields_for(self, audience: Audience) -> tuple[Field, ...]:
        """The fields that this audience sees, in declared order."""
        return _seen(self, audience)

    def lists_for(self, audience: Audience) -> tuple[ListOf, ...]:
        """The lists whose fields this audience sees."""
        seen = {field.name for field in self.fields_for(audience)}
        return tuple(one for one in self.lists if one.field in seen)

    def relation_for(self, audience: Audience) -> str | None:
        """The view that this audience reads; None if it does not see the layer."""
        return self.source.view if audience == "officer" else self.source.public_view


@cache
def _seen(layer: Layer, audience: Audience) -> tuple[Field, ...]:
    return tuple(f for f in layer.fields if audience == "officer" or f.audience == "public")
