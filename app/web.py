"""What each of the web server's own processes starts with."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def service() -> ASGIApp:
    """The service. What is loaded stays: nobody searches it for garbage, neither meanwhile nor later, when that would
    hold up answers for a tenth of a second."""
    gc.disable()
    from app.main import create

    made = create()
    gc.freeze()
    gc.enable()
    return made
