"""Irrigated or rain-fed? A field that is green while its neighbours are dry is watered; one that follows them is not.

The neighbours (the ring of `profile`) are the rain-fed line: weather and soil are the same, water is what differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from remote_sensing.demand import Climate
from remote_sensing.profile import Point

DRY_NDVI = 0.40
"""Neighbours below this are dry or bare."""
DRY_SHARE = 0.4
"""With weather: a date is dry if rain of the 30 days before is less than this share of reference evapotranspiration."""
DAYS = 30
GREENER, MOISTER = 0.15, 0.08
"""By this much a watered field exceeds its dry neighbours in NDVI and NDMI (three times what dates differ by otherwise)."""
FOLLOWS = 0.10
"""A field that exceeds its neighbours by less on every date follows them."""
EVERGREEN, STEADY, LONG_DAYS = 0.45, 0.25, 150
"""Never below this, by no more apart, over at least so many days: woods and orchards."""


@dataclass(frozen=True)
class Season:
    """What the dates of one field say together."""

    dates: int
    dry: tuple[str, ...]
    """Dates on which the neighbours were dry."""
    greener: float | None
    """Mean NDVI above the neighbours on dry dates; on all dates where none was dry."""
    moister: float | None
    codes: tuple[str, ...]
    """Of `doubts`: dry_green, neighbours_green, rain_fed, evergreen."""


def of(points: Sequence[Point], climate: Climate | None = None) -> Season:
    """Judge a field by its dates; of a single one only the neighbours of that day speak."""
    seen = [p for p in points if p.ndvi is not None and p.around_ndvi is not None]
    dry = [p for p in seen if _dry(p, climate)]
    asked = dry or seen
    greener = _mean([_more(p.ndvi, p.around_ndvi) for p in asked])
    moister = _mean([_more(p.ndmi, p.around_ndmi) for p in asked])
    codes = []
    watered = bool(dry) and greener is not None and greener >= GREENER
    if watered and (moister is None or moister >= MOISTER or len(dry) == 1):
        codes.append("dry_green")
    most = max((_more(p.ndvi, p.around_ndvi) or 0.0 for p in seen), default=None)
    if most is not None and most < FOLLOWS:
        codes.append("rain_fed" if len(seen) >= 3 else "neighbours_green")
    elif not dry and seen:
        codes.append("neighbours_green")
    if _evergreen(seen):
        codes.append("evergreen")
    return Season(len(seen), tuple(p.date for p in dry), greener, moister, tuple(codes))


def _dry(point: Point, climate: Climate | None) -> bool:
    if climate is not None and point.date:
        day = np.datetime64(point.date, "D")
        before = (climate.days > day - DAYS) & (climate.days <= day)
        rain, need = climate.rain[before], climate.et0[before]
        if before.sum() >= DAYS // 2 and np.isfinite(rain).any() and np.isfinite(need).any():
            return bool(np.nanmean(rain) < DRY_SHARE * np.nanmean(need))
    return point.around_ndvi is not None and point.around_ndvi < DRY_NDVI


def _evergreen(points: Sequence[Point]) -> bool:
    known = [(date.fromisoformat(p.date), p.ndvi) for p in points if p.date and p.ndvi is not None]
    if len(known) < 4 or (known[-1][0] - known[0][0]).days < LONG_DAYS:
        return False
    values = [value for _, value in known]
    return min(values) >= EVERGREEN and max(values) - min(values) <= STEADY


def _more(own: float | None, around: float | None) -> float | None:
    return None if own is None or around is None else own - around


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None
