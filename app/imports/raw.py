"""Rows as they came out of a file, before anything is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

EXCESS = "__excess__"
"""The column of what a row has beyond the headings."""


@dataclass(frozen=True)
class RawChunk:
    """Rows as they came: texts by heading, row numbers from 1, and geometries in EPSG:4490 if there are any."""

    first_row: int
    texts: pd.DataFrame
    geometry: npt.NDArray[Any] | None = None
