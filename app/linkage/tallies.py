"""What the desks count is kept in tallies (migration 0059): each change appends to them, and here that is added up."""

from sqlalchemy import text

from app.actor import system
from app.db.engine import transaction
from app.deps import Services

ACTOR = system("fold-tallies")


def fold(services: Services) -> int:
    """Add up what was appended; returns the rows taken up, 0 if there was nothing or another is at it."""
    with transaction(services.engine, ACTOR) as session:
        return int(session.execute(text("select shuitu.fold_tallies()")).scalar_one())
