"""Tables as they are asked for: counted, named, dated."""

from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from app.actor import Actor
from app.db.engine import driver_of
from app.errors import InvalidInput
from app.statistics import briefing, counting, queries, rules
from app.statistics.briefing import COUNTS, RATES, Brief
from app.statistics.counting import Question
from app.statistics.rules import Counted, Dimension, Key, Line
from app.statistics.schemas import (
    About,
    BriefingOut,
    BriefOut,
    ColumnOut,
    CountOut,
    DimensionOut,
    IssuerOut,
    IssuersOut,
    LineOut,
    RateOut,
    SumOut,
    TableOut,
)
from layers import catalog
from layers.model import Layer, Text
from tiles.ask import options_of
from tiles.options import BadOption, TileOptions

BY_PLACE = Text(
    zh="取水口按其所在地统计，含河道内；合计为所列各项之和，水量为许可或登记的年取水量",
    en="Intakes, counted where they lie, in-stream ones included; the total is the sum of the rows; volume is the annual volume permitted or registered",
)
BY_ISSUER = Text(
    zh="取水许可证按审批机关统计，即审批工作量，与取水口所在地无关；不与按所在地的统计相加",
    en="Permits, counted by the authority that issued them: its workload, wherever the intakes lie; not to be added to counts by place",
)
BRIEF = Text(
    zh="按取水口(许可证)所在地统计；比率的分母逐项注明",
    en="Counted where the intake (or the permit) lies; each rate names its denominator",
)


def layer() -> Layer:
    return catalog.load()["intakes"]


def offered() -> list[DimensionOut]:
    """By what intakes can be counted."""
    return [_dimension(one) for one in rules.dimensions(layer()).values()]


def intakes(
    session: Session,
    actor: Actor,
    by: str,
    across: str | None,
    region: int | None,
    basin: int | None,
    filter_: str | None,
    filter_lang: str,
    on: date | None,
) -> TableOut:
    """Intakes counted by one or two things, where they lie.

    Raises InvalidInput for what cannot be asked, TooCostly if it takes too long.
    """
    of = layer()
    rows, columns = rules.dimension(of, by), rules.dimension(of, across) if across else None
    asked = Question(of, rows, columns, region, basin, _options(of, actor, filter_, filter_lang), on)
    if across == by:
        raise InvalidInput(
            "行和列须按不同的项目统计 (rows and columns are to be different)", field="across", value=across
        )
    counted, from_map = counting.count(driver_of(session), asked)
    titles = {
        "region": queries.region_titles(session, _keys(asked, counted, "region")),
        "basin": queries.basin_titles(),
        "zone_code": queries.zone_titles(session),
    }
    made = rules.table(asked.by, asked.across, counted, titles)
    what = [asked.by.title, *([asked.across.title] if asked.across else [])]
    title = Text(
        zh=f"取水口统计：按{'、'.join(one.zh for one in what)}",
        en=f"Intakes by {' and '.join(one.en for one in what)}",
    )
    return TableOut(
        **_about(session, title, BY_PLACE, region, basin, filter_, on).model_dump(),
        by=_dimension(asked.by),
        across=_dimension(asked.across) if asked.across else None,
        columns=[ColumnOut(key=key, title=named) for key, named in made.columns],
        rows=[_line(line) for line in made.lines],
        total=_line(made.total),
        from_map=from_map,
    )


def issuers(session: Session, region: int | None, basin: int | None, on: date | None) -> IssuersOut:
    """Permits counted by their issuer."""
    rows = queries.issuers(session, region, basin, on, datetime.now(UTC).date())
    lines = [IssuerOut.model_validate(row._mapping) for row in rows]
    sums = {
        name: sum(getattr(line, name) for line in lines)
        for name in IssuerOut.model_fields
        if name not in ("level", "authority")
    }
    title = Text(zh="取水许可统计：按审批机关", en="Permits by issuing authority")
    return IssuersOut(
        **_about(session, title, BY_ISSUER, region, basin, None, on).model_dump(),
        rows=lines,
        total=IssuerOut(level=None, authority="", **sums),
    )


def progress(session: Session, by: str, region: int | None, basin: int | None) -> BriefingOut:
    """The figures of the briefing 调度通报, by place."""
    sums = briefing.added(queries.briefs(session, by, region, basin))
    titles = queries.basin_titles() if by == "basin" else queries.region_titles(session, sums)
    keys: list[Key] = sorted((key for key in sums if key is not None), key=str)
    briefs = [
        Brief(key, titles.get(key) or (rules.UNKNOWN if key is None else Text(zh=str(key), en=str(key))), sums[key])
        for key in [*keys, *([None] if None in sums else [])]
    ]  # fmt: skip
    title = Text(zh="比对衔接与审核进展通报", en="Progress of linkage and review")
    return BriefingOut(
        **_about(session, title, BRIEF, region, basin, None, None).model_dump(),
        by="basin" if by == "basin" else "region",
        counts=[CountOut(name=one.name, title=one.title) for one in COUNTS],
        rates=[
            RateOut(name=one.name, title=one.title, part=one.part, whole=one.whole, of=one.of)
            for one in RATES
        ],
        rows=[_brief(one) for one in briefs],
        total=_brief(briefing.total(briefs)),
    )


# ── below: how ──────────────────────────────────────────────────────────────────────────────────────


def _options(of: Layer, actor: Actor, filter_: str | None, lang: str) -> TileOptions:
    """The filter as the map understands it. Raises InvalidInput."""
    try:
        return options_of(
            of, actor.audience, {"filter-lang": lang, **({"filter": filter_} if filter_ else {})}
        )
    except BadOption as error:
        raise InvalidInput(str(error), field="filter", value=filter_) from None


def _keys(asked: Question, counted: Counted, name: str) -> set[Key]:
    """Rows or columns that are of this dimension."""
    found: set[Key] = set()
    for row, column, _ in counted:
        found |= {key for key, one in zip((row, column), asked.told_apart, strict=False) if one.name == name}
    return found


def _about(
    session: Session,
    title: Text,
    counted: Text,
    region: int | None,
    basin: int | None,
    filter_: str | None,
    on: date | None,
) -> About:
    named = queries.region_titles(session, [region]) if region is not None else {}
    return About(
        title=title,
        counted=counted,
        region_code=region,
        region_name=named[region].zh if region in named else None,
        basin=queries.basin_titles().get(basin) if basin is not None else None,
        filter=filter_,
        on=on,
        as_of=datetime.now(UTC),
        generated=queries.generated(session),
    )


def _dimension(of: Dimension) -> DimensionOut:
    return DimensionOut(name=of.name, title=of.title, exact=of.kind != "column")


def _line(line: Line) -> LineOut:
    return LineOut(
        key=line.key,
        title=line.title,
        n=line.total.n,
        volume_m3=line.total.volume_m3,
        cells=[SumOut(n=cell.n, volume_m3=cell.volume_m3) for cell in line.cells],
    )


def _brief(one: Brief) -> BriefOut:
    return BriefOut(
        key=one.key,
        title=one.title,
        counts=dict(one.counts),
        rates={rate.name: one.share(rate) for rate in RATES},
    )
