"""Who asks, as far as maps and features care."""

from app.actor import Actor
from tiles.address import PUBLIC, Viewer


def viewer_of(actor: Actor) -> Viewer:
    """Audience and scope of the actor. The public sees the public form of the whole nation."""
    if actor.audience == "public":
        return PUBLIC
    j = actor.jurisdiction
    return Viewer("officer", j.lo, j.hi, j.basin)
