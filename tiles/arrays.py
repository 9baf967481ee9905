"""PostgreSQL's binary arrays as numpy arrays: what `array_send(array_agg(…))` gives, without NULL elements."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
HEAD = 20
"""Bytes before the elements: dimensions, flags, type, length, lower bound."""


def read(sent: bytes | None, kind: str) -> Array:
    """The elements of type `kind` (i2, i4, i8, f4, f8); none, if nothing was aggregated."""
    if sent is None:
        return np.zeros(0, kind)
    layout = np.dtype([("length", ">i4"), ("value", f">{kind}")])
    return np.frombuffer(sent, layout, offset=HEAD)["value"].astype(kind)
