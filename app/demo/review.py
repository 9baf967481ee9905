"""The demo's review: what the linkage decided goes its way, each county a stage further, by the service's own steps.

Nothing is written past the service: the officers of the counties, the prefecture, the province and the basin
agencies compose, approve, send back and judge as people would. Without outcomes there is nothing to review.
"""

from collections.abc import Callable

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.actor import Actor, Jurisdiction, Role, system
from app.db.engine import transaction
from app.deps import Services
from app.errors import Conflict
from app.review import queries, rules, samples, service
from app.review.routes import days, publisher, terms
from app.review.rules import Reviewer
from app.review.schemas import ReviewFilter

ACTOR = system("demo")
REASON = "示例：位置落在取用水户办公地址，请核对现场取水位置"
GOES_TO: dict[int, rules.Stage | None] = {
    321012: "basin",  # and through the spot check, onto the map
    321081: "province",
    321023: "prefecture",
    321084: "county",
    321003: "county",
    321002: None,  # a draft
}
"""How far each county of the pilot has come."""
SENT_BACK = 3


def walk(services: Services, progress: Callable[[float, str], None] = lambda share, step: None) -> None:
    """Bring the pilot's outcomes into review, once."""
    with transaction(services.engine, ACTOR) as session:
        begun = session.execute(text("select exists (select from shuitu.review_batches)")).scalar_one()
    if begun:
        return
    for number, (county, stage) in enumerate(GOES_TO.items()):
        progress(number / (len(GOES_TO) + 1), "送审示例成果 (reviewing what was matched)")
        _county(services, county, stage)
    _spot_checks(services)
    progress(1.0, "完成 (done)")


def officer(where: Jurisdiction, name: str) -> Actor:
    """An officer of the demo, as one who had logged in."""
    return Actor(f"demo:{where.key}", Role.OFFICER, where, display_name=f"示例 · {name}")


def _county(services: Services, county: int, to: rules.Stage | None) -> None:
    here = officer(Jurisdiction.of_region(str(county)), "县级审核员")
    with transaction(services.engine, here) as session:
        try:
            made = service.compose(session, here, county, ReviewFilter(), "示例批次")
        except Conflict:  # nothing was matched here
            return
        if to is None:
            return
        for batch_id in made:
            version = queries.batch(session, batch_id).version
            service.submit(session, here, batch_id, version, "", days(services.settings), publisher(services))
    for batch_id in made:
        _raise(services, batch_id, to)


def _raise(services: Services, batch_id: int, to: rules.Stage) -> None:
    """Approve a batch until it stands at a stage; on its way its first reviewer sends a few items back."""
    publish, allowed = publisher(services), days(services.settings)
    first = True
    while True:
        with transaction(services.engine, ACTOR) as session:
            row = queries.batch(session, batch_id)
        if row.state != "reviewing" or rules.STAGES.index(row.stage) >= rules.STAGES.index(to):
            return
        actor = _reviewer(service.reviewer_of(row))
        with transaction(services.engine, actor) as session:
            if first and row.items > 10 * SENT_BACK:
                doubtful = _doubtful(session, batch_id)
                service.send_items_back(session, actor, batch_id, row.version, doubtful, REASON, publish)
                row = queries.batch(session, batch_id)
            service.approve(session, actor, batch_id, row.version, "", allowed, publish)
        first = False


def _reviewer(at: Reviewer) -> Actor:
    if at.stage == "basin":
        return officer(Jurisdiction.of_basin(at.code), "流域审核员")
    return officer(
        Jurisdiction(at.code, at.code + rules.SPANS[at.stage]),
        {"county": "县级审核员", "prefecture": "市级审核员", "province": "省级审核员"}[at.stage],
    )


def _doubtful(session: Session, batch_id: int) -> list[int]:
    """The items furthest from what their permit says."""
    found = session.execute(
        text("""select id from shuitu.review_items where batch_id = :id and state = 'in_review'
                order by (facts #>> '{pair,distance_m}')::float8 desc nulls last, id limit :n"""),
        {"id": batch_id, "n": SENT_BACK},
    )
    return list(found.scalars())


def _spot_checks(services: Services) -> None:
    """Each basin agency draws from what waits, finds it right, and closes; what another county sends later waits."""
    with transaction(services.engine, ACTOR) as session:
        waiting = session.execute(
            text("""select distinct county_code / 10000 * 10000 as province, basin_id from shuitu.review_batches
                    where stage = 'basin' and state = 'reviewing' and basin_id is not null""")
        ).all()
    for province, basin in waiting:
        actor = officer(Jurisdiction.of_basin(basin), "流域审核员")
        with transaction(services.engine, actor) as session:
            try:
                sample_id = samples.draw(session, actor, province, terms(services.settings))
            except Conflict:  # only what the agency issued itself
                continue
            for item_id in session.execute(
                text("select item_id from shuitu.review_sample_items where sample_id = :id order by seq"),
                {"id": sample_id},
            ).scalars():
                samples.judge(session, actor, sample_id, item_id, "correct", "")
            version = samples.one(session, sample_id).version
            samples.close(session, actor, sample_id, version, "示例抽查", publisher(services))
