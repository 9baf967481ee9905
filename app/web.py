"""What each of the web server's own processes starts with."""

from __future__ import annotations

import ctypes
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, MAPPED_FROM_BYTES = 64 * 2**20, 32 * 2**20


def service() -> ASGIApp:
    """The service. What is loaded stays: nobody searches it for garbage, neither meanwhile nor later, when that would
    hold up answers for a tenth of a second."""
    _keep_freed_memory()
    gc.disable()
    from app.main import create

    made = create()
    gc.freeze()
    gc.enable()
    return made


def _keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next tile: as a rule it maps large arrays, whose pages are
    faulted in one by one, and gives them back at once, which takes as long as filling them. glibc's only."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
