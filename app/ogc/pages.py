"""Plain pages for documents that are mostly lists: a sentence, and tables of labels, values and links."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.ogc.documents import TITLE
from app.ogc.links import Addresses, Link
from app.ogc.negotiate import HTML


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: a label, where it leads, what stands beside it, a colour before it."""

    label: str
    value: object = ""
    href: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A table with its title."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step of the path above a page."""

    label: str
    href: str


@cache
def environment(package: str = "app.ogc") -> Environment:
    """The templates of a package; values are escaped, and a value that is missing is an error."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(
    name: str, heading: str, crumbs: Iterable[Crumb], links: Sequence[Link], **facts: object
) -> bytes:
    """A page of our templates, with a link to its machine form."""
    machine = next((one.href for one in links if one.type != HTML and one.rel in ("self", "alternate")), None)
    template = environment().get_template(f"{name}.html")
    text = template.render(
        heading=heading, site=TITLE, crumbs=list(crumbs), links=links, machine=machine, **facts
    )
    return text.encode()


def page(
    at: Addresses,
    heading: str,
    links: Sequence[Link],
    sections: Iterable[Section],
    *,
    text: str = "",
    crumbs: Iterable[Crumb] = (),
) -> bytes:
    """The page of a document, with links to its machine form."""
    home = Crumb("水图 · Shuitu", at.to(f="html"))
    shown = [one for one in links if "{" not in one.href]
    return rendered("plain", heading, [home, *crumbs], shown, text=text, sections=list(sections))
