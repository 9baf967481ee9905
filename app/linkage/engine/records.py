"""What the engine takes and gives: the standard record, the settings, and linked pairs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Cardinality = Literal["auto", "one_to_one", "many_to_one", "one_to_many", "many_to_many"]
Backend = Literal["duckdb", "spark"]
Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) from time to time."""

RECORD = pa.schema(
    [
        ("id", pa.string()),
        ("code", pa.string()),
        ("name", pa.string()),
        ("holder", pa.string()),
        ("uscc", pa.string()),
        ("permit_no", pa.string()),
        ("previous_no", pa.string()),
        ("county_code", pa.string()),
        ("town", pa.string()),
        ("place", pa.string()),
        ("water_body", pa.string()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
        ("position_error_m", pa.float64()),
        ("source_type", pa.string()),
        ("purpose", pa.string()),
        ("annual_m3", pa.float64()),
        ("group", pa.string()),
    ]
)
"""The standard record of a side: `id` must be given and be unique, every other column may be missing or null.

`lon`/`lat` are degrees (EPSG:4490 or 4326), `annual_m3` cubic metres a year; `group` is what several
records of a side belong to (side B: the permit). Columns of other types are cast; others are ignored.
"""

REASON = pa.struct([("code", pa.string()), ("zh", pa.string()), ("en", pa.string()), ("against", pa.bool_())])
PAIRS = pa.schema(
    [
        ("a", pa.string()),
        ("b", pa.string()),
        ("probability", pa.float64()),
        ("weight", pa.float64()),
        ("distance_m", pa.float64()),
        ("outcome", pa.string()),
        ("decision", pa.string()),
        ("reasons", pa.list_(REASON)),
    ]
)
"""`outcome`: one_to_one, n_to_one, one_to_n, or pending (a rival of the chosen pair, or below `choose`);
`decision`: confirmed, doubtful, rejected; `weight`: log2 odds of the pair before its rivals are looked at."""


@dataclass(frozen=True)
class LinkSettings:
    """How to link. The defaults suit registers of intakes."""

    cardinality: Cardinality = "auto"
    """How many rows of one side a row of the other may be; `auto` starts one to one and lets the data object."""
    confirm_at: float = 0.98
    """Pairs this probable, without a conflict and without sharing a partner unexplained, are confirmed by rule."""
    choose_at: float = 0.5
    """Pairs this probable are the best guess: listed, and doubtful unless confirmed."""
    keep_at: float = 0.02
    """Pairs less probable than this are not reported."""
    backend: Backend = "duckdb"
    """Where Splink estimates the model: DuckDB in this process, or a Spark cluster."""
    memory_gib: float = 6.0
    """Memory that DuckDB may take before it spills to `scratch`."""
    scratch: Path | None = None
    """Folder for what does not fit in memory; a temporary one without it."""
    batch_rows: int = 100_000
    """Rows of side A that a process compares at a time, which bounds memory."""
    processes: int = 0
    """Processes that compare; as many as there are cores with 0."""
    training_rows: int = 15_000
    """Rows of side A from which the model is estimated."""
    decided: pa.Table | None = None
    """Decided pairs (a, b, same: bool) to calibrate the probabilities with."""
    model: Mapping[str, Any] | None = None
    """A model of an earlier run; without it one is estimated from the data."""
    seed: int = 20240422


@dataclass(frozen=True)
class Linked:
    """What linking found."""

    pairs: pa.Table
    """Schema PAIRS, the most probable first."""
    unmatched_a: list[str]
    """Ids of A without a chosen pair."""
    unmatched_b: list[str]
    """Ids of B without a chosen pair."""
    model: Mapping[str, Any]
    """The model as JSON, for `score` and for `LinkSettings.model`."""
    alone_a: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """How likely each row of `unmatched_a` has no partner at all, in their order."""
    alone_b: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Counts and seconds, for reports."""
