"""What was decided about an intake or a permit: the comparison of register and permits, and the review of it."""

from sqlalchemy.orm import Session

from app.dossiers import parts, queries
from app.dossiers.sections import Section
from app.dossiers.words import Words


def sections(session: Session, words: Words, kind: str, entry_id: int) -> list[Section]:
    """Linkage and review. `kind`: intake or permit."""
    reviews = queries.reviews(session, kind, entry_id)
    return [
        parts.linkage(
            words,
            queries.outcomes(session, kind, entry_id),
            queries.pairs(session, kind, entry_id),
            queries.link_decisions(session, kind, entry_id),
            kind,
        ),
        parts.review(
            words,
            reviews,
            queries.review_decisions(session, [r["batch_id"] for r in reviews], [r["id"] for r in reviews]),
        ),
    ]
