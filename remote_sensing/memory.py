"""Memory for arrays that come and go with every piece of a scene.

Small things that stay (objects, their outlines) are allocated between the large arrays of a piece. Left to the heap,
freed arrays would leave holes that the next do not fit, and a process would grow with the scene. So what is large is
either used again by the same thread, or given back to the system.
"""

import ctypes
import math
import mmap
import threading
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class _Held(threading.local):
    def __init__(self) -> None:
        self.by_name: dict[str, Array] = {}


_held = _Held()


def scratch(name: str, shape: tuple[int, ...], kind: Any) -> Array:
    """An array of this thread, not cleared, that holds until the thread asks for the name again."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    held: Array | None = _held.by_name.get(name)
    if held is None or held.size < size:
        held = _held.by_name[name] = apart((size,), np.uint8)
    made: Array = held[:size].view(kind)
    return made.reshape(shape)


def zeros(name: str, shape: tuple[int, ...], kind: Any) -> Array:
    """As `scratch`, but cleared."""
    made = scratch(name, shape, kind)
    made[:] = 0
    return made


def apart(shape: tuple[int, ...], kind: Any) -> Array:
    """An array of zeros outside the heap; its memory goes back to the system with it."""
    count = math.prod(shape)
    made: Array = np.frombuffer(_pages(max(1, count * np.dtype(kind).itemsize)), kind, count)
    return made.reshape(shape)


def _pages(size: int) -> mmap.mmap:
    """Pages of the system, of 2 MiB where it has them: asking for each of 4 KiB takes a tenth of what decoding does."""
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return mmap.mmap(-1, size)
    made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            made.madvise(mmap.MADV_HUGEPAGE)
    return made


def give_back() -> None:
    """Hand free memory of the heap back to the system, where that is glibc's: by itself it only does so at the top."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
