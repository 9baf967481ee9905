"""Which representation a client gets: `f=` before `Accept`, q-values honoured (RFC 9110, 12.5.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.errors import InvalidInput, NotAcceptable

GEOJSON = "application/geo+json"
JSON = "application/json"
HTML = "text/html"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
SCHEMA = "application/schema+json"
JSONFG = "application/vnd.ogc.fg+json"
FLATGEOBUF = "application/flatgeobuf"
GEOPARQUET = "application/vnd.apache.parquet"
CSV = "text/csv"
TABLES = (FLATGEOBUF, GEOPARQUET, CSV)


@dataclass(frozen=True, slots=True)
class Formats:
    """What a resource can be sent as: its machine form, the names that also mean it, HTML, and others."""

    machine: str
    also: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    """Further forms: the value of `f` that asks for each, and its media type."""
    alias: str = ""
    """Another value of `f` for the machine form: one that clients of other servers are used to."""

    def with_others(self, **others: str) -> "Formats":
        return replace(self, others=(*self.others, *others.items()))

    def by_name(self) -> dict[str, str]:
        """Media types by the value of `f` that asks for them."""
        return {"json": self.machine, "html": HTML, **dict(self.others)}

    def names(self) -> tuple[str, ...]:
        """Every value of `f`."""
        return (*self.by_name(), *([self.alias] if self.alias else []))


DOCUMENT = Formats(JSON)
FEATURES = Formats(GEOJSON, (JSON, "application/vnd.geo+json"), alias="geojson")
FEATURE = FEATURES.with_others(jsonfg=JSONFG)
COLLECTION_OF_FEATURES = FEATURE.with_others(fgb=FLATGEOBUF, parquet=GEOPARQUET, csv=CSV)
QUERYABLES = Formats(SCHEMA, (JSON,))
DEFINITION = Formats(
    OPENAPI,
    (JSON, "application/vnd.oai.openapi+json", "application/openapi+json", "application/vnd.oai.openapi"),
)


def chosen(formats: Formats, f: str | None, accept: str | None) -> str:
    """The media type to send: the machine form unless another is asked for.

    Raises InvalidInput for an unknown `f`, NotAcceptable if `Accept` excludes every form.
    """
    named = formats.by_name()
    if f is not None:
        if f and f == formats.alias:
            return formats.machine
        if f not in named:
            raise InvalidInput(
                f"格式 f 应为 {'、'.join(named)} 之一，得到 {f[:40]!r} (f is one of {', '.join(named)})",
                field="f",
                value=f[:40],
                expected=" ".join(named),
            )
        return named[f]
    machine = (formats.machine.partition(";")[0], *formats.also)
    offered = [(formats.machine, machine), *((media, (media.partition(";")[0],)) for media in named.values())]
    return _best(offered, accept)


def accepted(accept: str | None, names: Iterable[str]) -> None:
    """Raises NotAcceptable unless the client takes what goes by one of these names."""
    found = tuple(names)
    _best([(found[0], found)], accept)


def _best(offered: list[tuple[str, tuple[str, ...]]], accept: str | None) -> str:
    """The first of the forms that the client likes best; the first of all if it says nothing."""
    if not accept or not accept.strip():
        return offered[0][0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    weights = [max(_quality(ranges, name) for name in names) for _, names in offered]
    best = max(weights)
    if best <= 0:
        media = list(dict.fromkeys(media for media, _ in offered))
        raise NotAcceptable(f"只提供 {'、'.join(media)} (only these are offered)", offered=media)
    return offered[weights.index(best)][0]


def _range(text: str) -> tuple[str, float]:
    """A media range and its weight; what cannot be read as a weight counts as 1."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                weight = 1.0
    return name, weight


def _quality(ranges: list[tuple[str, float]], name: str) -> float:
    """The weight that the most specific matching range gives to a media type; 0 if none matches."""
    main = name.partition("/")[0]
    for pattern in (name, f"{main}/*", "*/*"):
        found = [weight for given, weight in ranges if given == pattern]
        if found:
            return max(found)
    return 0.0
