"""The search box: name, code, permit number, holder, place, coordinate."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.deps import CurrentActor, Tx
from app.search import queries, rules
from app.search.schemas import Hit, Hits

router = APIRouter(tags=["search"])


@router.get("/api/search")
def search(
    tx: Tx,
    actor: CurrentActor,
    q: Annotated[str, Query(min_length=1, max_length=100)],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Hits:
    """What the text may mean, the likeliest first."""
    place = rules.coordinate(q)
    if place is not None:
        lon, lat = place
        return Hits(
            items=[
                Hit(
                    kind="coordinate",
                    id=None,
                    title=f"{lon:.6f}, {lat:.6f}",
                    subtitle="CGCS2000",
                    lon=lon,
                    lat=lat,
                )
            ]
        )
    words = rules.words_of(q)
    if not words:
        return Hits(items=[])
    found = queries.find(tx, words, limit, officer=actor.audience == "officer")
    return Hits(items=[Hit.model_validate(row) for row in found])
