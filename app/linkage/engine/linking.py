"""`link` and `score`: from two tables in the standard record to probable pairs."""

import gc
import multiprocessing
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.linkage.engine.blocking import Blocks
from app.linkage.engine.calibrating import applied, decided_among, fitted
from app.linkage.engine.comparisons import Levels
from app.linkage.engine.deciding import Verdicts, decide, with_seconds
from app.linkage.engine.fields import with_fields
from app.linkage.engine.measuring import Measured, measures
from app.linkage.engine.model import Model, all_levels
from app.linkage.engine.reasons import reasons_of
from app.linkage.engine.records import PAIRS, Linked, LinkSettings, Progress
from app.linkage.engine.rivals import marginals
from app.linkage.engine.shifting import Step, between
from app.linkage.engine.sides import Side, cleaned, floats, standard
from app.linkage.engine.statistics import Statistics
from app.linkage.engine.training import NEGATIVE_ROWS, estimated, refined, sample

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
HOPELESS = -9.0
"""Natural-log odds below which a pair is no rival of any other."""
FEW_BATCHES = 3
"""Fewer are not worth processes of their own."""
NEIGHBOURHOOD = 0.1
"""Degrees."""


@dataclass(frozen=True)
class Candidates:
    """Compared pairs that are worth a thought."""

    i: Ints
    j: Ints
    log_odds: Floats
    levels: Mapping[str, Levels]
    measured: Mapping[str, Measured]


def link(
    left: pa.Table, right: pa.Table, settings: LinkSettings | None = None, progress: Progress | None = None
) -> Linked:
    """Bring the rows of `left` (a) to those of `right` (b). Both in the standard record (`RECORD`).

    Raises ValueError for tables without `id` or with repeated ids.
    """
    settings = settings or LinkSettings()
    tell = progress or (lambda stage, done, total: None)
    started = time.perf_counter()
    b = cleaned(right)
    _unique(b, "right")
    left, step = _brought_near(left, b, settings)
    blocks = Blocks(b)
    tell("train", 0, 1)
    model = Model.from_json(settings.model) if settings.model else train(left, right, b, blocks, settings)
    trained = time.perf_counter()
    found = _in_batches(left, Compare(b, blocks, model), settings, tell)
    together = _together(found)
    ids_a = left["id"].cast(pa.string()).combine_chunks()
    if len(ids_a.unique()) != len(ids_a):
        raise ValueError("ids of left are not unique")
    linked = _decided(together, ids_a, b, model, settings)
    facts = {
        "rows_a": len(left), "rows_b": len(right), "candidates": len(together.i),
        "step_m": [round(step.east, 1), round(step.north, 1)] if step else None,
        "seconds": {"model": trained - started, "pairs": time.perf_counter() - trained},
    }  # fmt: skip
    return replace(linked, model={**linked.model, "step_m": facts["step_m"]}, facts=facts)


def score(
    left: pa.Table, right: pa.Table, model: Mapping[str, Any], settings: LinkSettings | None = None
) -> pa.Table:
    """Pairs (schema PAIRS) between few rows, by a model of an earlier run. Give rivals of both sides too."""
    settings = settings or LinkSettings()
    kept = Model.from_json(model)
    if model.get("step_m"):
        left = Step(*model["step_m"]).taken_from(standard(left))
    a, b = cleaned(left), cleaned(right)
    return _decided(_compared(a, b, Blocks(b), kept, 0), a.ids, b, kept, settings).pairs


def _brought_near(left: pa.Table, b: Side, settings: LinkSettings) -> tuple[pa.Table, Step | None]:
    left = standard(left)
    if settings.model:
        kept = settings.model.get("step_m")
        step = Step(*kept) if kept else None
    else:
        step = between(cleaned(left.slice(0, settings.training_rows)), b)
    return (step.taken_from(left) if step else left), step


def train(left: pa.Table, right: pa.Table, b: Side, blocks: Blocks, settings: LinkSettings) -> Model:
    """A model of these data, from a part of A and all of B."""
    rng = np.random.default_rng(settings.seed)
    a = cleaned(_some(left, settings.training_rows, rng))
    within = cleaned(_some(right, NEGATIVE_ROWS, rng))
    model = Model.prior(Statistics.of(a, b))
    seen = sample(a, b, blocks, model, within, cleaned(_thinned(left, len(right), rng)))
    return refined(estimated(model, seen, settings), seen)


def _thinned(left: pa.Table, rows_b: int, rng: np.random.Generator) -> pa.Table:
    """A part of A that lies no denser than B: how near and alike other rows are depends on how many there are."""
    some = _some(left, NEGATIVE_ROWS, rng)
    return some.filter(pa.array(rng.random(len(some)) * len(left) < rows_b))


def _some(table: pa.Table, most: int, rng: np.random.Generator) -> pa.Table:
    """About `most` rows: whole neighbourhoods, for rivals must be seen together."""
    if len(table) <= most:
        return table
    lon, lat = (floats(table, name) for name in ("lon", "lat"))
    cells = np.nan_to_num(np.floor(lon / NEIGHBOURHOOD) * 10_000 + np.floor(lat / NEIGHBOURHOOD), nan=-1.0)
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    enough = order[: int(np.searchsorted(np.cumsum(sizes[order]), most)) + 1]
    rows = np.flatnonzero(np.isin(cell, enough))
    if len(rows) > 2 * most:
        rows = rows[: 2 * most] if len(sizes) > 1 else np.sort(rng.choice(rows, most, replace=False))
    return table.take(rows)


def _unique(side: Side, name: str) -> None:
    if len(side.ids.unique()) != len(side.ids):
        raise ValueError(f"ids of {name} are not unique")


def _compared(a: Side, b: Side, blocks: Blocks, model: Model, first: int) -> Candidates:
    i, j = blocks.candidates(a)
    measured = measures(a, b, i, j, model.statistics)
    levels = all_levels(measured)
    odds = model.log_odds(a, b, i, j, levels)
    keep = np.flatnonzero(odds > HOPELESS)
    return Candidates(
        i[keep] + first,
        j[keep],
        odds[keep],
        {name: found[keep] for name, found in levels.items()},
        {name: measured[name][keep] for name in ("metres",)},
    )


@dataclass(frozen=True)
class Compare:
    """What a batch of A is compared with: handed to processes by forking, not by copying."""

    b: Side
    blocks: Blocks
    model: Model

    def __call__(self, batch: pa.Table, first: int) -> Candidates:
        return _compared(cleaned(batch), self.b, self.blocks, self.model, first)


def _in_batches(left: pa.Table, compare: Compare, settings: LinkSettings, tell: Progress) -> list[Candidates]:
    """Batches one after another, or in as many processes as there are cores where there are many."""
    starts = range(0, max(1, len(left)), settings.batch_rows)
    batches = [(left.slice(start, settings.batch_rows), start) for start in starts]
    workers = min(settings.processes or (os.cpu_count() or 1), len(batches))
    found: list[Candidates] = []
    if workers < 2 or len(batches) < FEW_BATCHES or not hasattr(os, "fork"):
        for batch, start in batches:
            found.append(compare(batch, start))
            tell("compare", start + len(batch), len(left))
        return found
    _shared["compare"], _shared["left"] = compare, left
    # What forks must leave alone: a connection of DuckDB that a child collects would wait for threads it has not.
    gc.collect()
    gc.freeze()
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
            for part, start in zip(
                pool.map(_batch, starts, [settings.batch_rows] * len(starts)), starts, strict=True
            ):
                found.append(part)
                tell("compare", min(start + settings.batch_rows, len(left)), len(left))
    finally:
        gc.unfreeze()
        _shared.clear()
    return found


_shared: dict[str, Any] = {}
"""What a forked process finds in its memory."""


def _batch(start: int, rows: int) -> Candidates:
    found: Candidates = _shared["compare"](_shared["left"].slice(start, rows), start)
    return found


def _together(parts: list[Candidates]) -> Candidates:
    if len(parts) == 1:
        return parts[0]
    return Candidates(
        np.concatenate([p.i for p in parts]),
        np.concatenate([p.j for p in parts]),
        np.concatenate([p.log_odds for p in parts]),
        {name: np.concatenate([p.levels[name] for p in parts]) for name in parts[0].levels},
        {name: np.concatenate([p.measured[name] for p in parts]) for name in parts[0].measured},
    )


def _decided(found: Candidates, ids_a: pa.Array, b: Side, model: Model, settings: LinkSettings) -> Linked:
    one_a = settings.cardinality in ("auto", "one_to_one", "many_to_one")
    one_b = settings.cardinality in ("auto", "one_to_one", "one_to_many")
    p = marginals(found.i, found.j, found.log_odds, compete_a=one_a, compete_b=one_b)
    if settings.cardinality == "auto":
        numbered = np.array([bool(name.numbers) for name in b.name.values] + [False])[b.name.rows]
        p = np.maximum(
            with_seconds(found.i, found.j, p, found.log_odds, found.levels, model),
            with_fields(found.i, found.j, p, found.log_odds, found.levels, model, numbered),
        )
    if settings.decided is not None:
        at, same = decided_among(found.i, found.j, ids_a, b.ids, settings.decided)
        model = replace(model, calibration=fitted(p[at], same) or model.calibration)
    p = applied(p, model.calibration)
    verdicts: Verdicts = decide(found.i, found.j, p, found.log_odds, found.levels, settings)
    keep = verdicts.order
    told = reasons_of({n: v[keep] for n, v in found.levels.items()}, found.measured["metres"][keep])
    pairs = pa.table(
        [
            ids_a.take(pa.array(found.i[keep])),
            b.ids.take(pa.array(found.j[keep])),
            pa.array(verdicts.probability[keep]),
            pa.array(found.log_odds[keep] / np.log(2)),
            pa.array(found.measured["metres"][keep].astype(np.float64), from_pandas=True),
            pa.array(verdicts.outcome[keep]),
            pa.array(verdicts.decision[keep]),
            told,
        ],
        schema=PAIRS,
    )
    unmatched_a, alone_a = _left_out(ids_a, found.i, p, verdicts.chosen)
    unmatched_b, alone_b = _left_out(b.ids, found.j, p, verdicts.chosen)
    return Linked(pairs, unmatched_a, unmatched_b, model.as_json(), alone_a, alone_b)


def _left_out(ids: pa.Array, ends: Ints, p: Floats, chosen: Ints) -> tuple[list[str], Floats]:
    """Rows without a chosen pair, and how likely none of their pairs is right."""
    free = np.ones(len(ids), bool)
    free[ends[chosen]] = False
    alone: Floats = np.clip(1.0 - np.bincount(ends, p, len(ids)), 0.0, 1.0).astype(np.float64)
    return list(ids.filter(pa.array(free)).to_pylist()), alone[free]
