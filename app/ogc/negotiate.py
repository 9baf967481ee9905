"""Which representation a client gets: `f=` before `Accept`, q-values honoured (RFC 9110, 12.5.1)."""

from dataclasses import dataclass

from app.errors import InvalidInput, NotAcceptable

GEOJSON = "application/geo+json"
JSON = "application/json"
HTML = "text/html"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
SCHEMA = "application/schema+json"


@dataclass(frozen=True, slots=True)
class Formats:
    """What a resource can be sent as: its machine form, the names that also mean it, and HTML."""

    machine: str
    also: tuple[str, ...] = ()


DOCUMENT = Formats(JSON)
FEATURES = Formats(GEOJSON, (JSON, "application/vnd.geo+json"))
QUERYABLES = Formats(SCHEMA, (JSON,))
DEFINITION = Formats(
    OPENAPI,
    (JSON, "application/vnd.oai.openapi+json", "application/openapi+json", "application/vnd.oai.openapi"),
)


def chosen(formats: Formats, f: str | None, accept: str | None) -> str:
    """The media type to send: the machine form unless HTML is asked for.

    Raises InvalidInput for an unknown `f`, NotAcceptable if `Accept` excludes both.
    """
    if f is not None:
        if f not in ("json", "html"):
            raise InvalidInput(
                f"格式 f 应为 json 或 html，得到 {f[:40]!r} (f is json or html)",
                field="f",
                value=f[:40],
                expected="json html",
            )
        return HTML if f == "html" else formats.machine
    if not accept or not accept.strip():
        return formats.machine
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    machine = max(_quality(ranges, name) for name in (formats.machine.partition(";")[0], *formats.also))
    html = _quality(ranges, HTML)
    if max(machine, html) <= 0:
        raise NotAcceptable(
            f"只提供 {formats.machine} 和 text/html (only these two are offered)",
            offered=[formats.machine, HTML],
        )
    return HTML if html > machine else formats.machine


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
