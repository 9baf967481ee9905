"""What a field needs in water: crop coefficient × reference evapotranspiration, less rain, over the efficiency.

Every step has its published rule, and its uncertainty is carried through by drawing (90 % interval). Without a file of
the weather the norm of the area (用水定额) stands, which `evidence.Quotas` holds.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from remote_sensing.profile import Point
from remote_sensing.scene import SceneError

Floats = npt.NDArray[np.float64]
DRAWS, SEED = 2_000, 20_261_130
KC_SLOPE, KC_START, KC_MOST = 1.25, 0.2, 1.25
"""Crop coefficient from greenness: Kc = 1.25 NDVI + 0.2 (D'Urso and Calera 2006), no more than 1.25 (FAO 56)."""
BARE = 0.25
"""NDVI below which nothing grows that would be watered."""
EFFICIENCY = (0.45, 0.576, 0.75)
"""Share of the water taken that reaches the crop: lowest, likely, highest. 0.576 is the national 农田灌溉水有效利用系数
of 2023 (中国水资源公报); canals without lining and drip lie at the ends. An assumption, to be set for a region."""
SPREAD = {"kc": 0.15, "et0": 0.10, "rain": 0.20}
"""Relative deviations of what enters: judgement, of 2026-11, within what FAO 56 states of each."""
COLUMNS = {
    "date": r"^(date|time|day|datetime|日期|时间)",
    "et0": r"(et0|eto|ref.*evap|pet|参考作物|潜在蒸散)",
    "rain": r"(prec|rain|pr$|^tp$|ppt|降水|降雨)",
    "tmin": r"(tmin|t2m_min|min.*temp|temp.*min|最低)",
    "tmax": r"(tmax|t2m_max|max.*temp|temp.*max|最高)",
    "tmean": r"(tmean|tavg|^t2m$|mean.*temp|temp.*mean|^temp|^tas$|平均气温|气温)",
}


@dataclass(frozen=True)
class Climate:
    """Days of one place. Arrays of one length; mm a day; NaN where unknown."""

    days: npt.NDArray[np.datetime64]
    et0: Floats
    rain: Floats
    method: str
    """How ET0 came: "stated", "Hargreaves" or "Oudin"."""

    def __len__(self) -> int:
        return len(self.days)


def read(path: Path, lon: float, lat: float) -> Climate:
    """The weather at a place from a table (CSV) or a grid (NetCDF, the nearest cell).

    Columns or variables are known by their names: a date, and reference evapotranspiration (mm a day), or lowest and
    highest temperature, or the mean (°C; Kelvin is recognised); rain in mm a day (metres are recognised). Raises
    SceneError with what is missing.
    """
    if not path.is_file():
        raise SceneError(f"没有气象文件 {path} (there is no such file of the weather)")
    frame = _grid(path, lon, lat) if path.suffix.lower() in (".nc", ".nc4", ".cdf") else _table(path)
    columns = {name: _column(frame, pattern) for name, pattern in COLUMNS.items()}
    if columns["date"] is None:
        raise SceneError(f"{path.name} 没有日期列 (no column of dates); {', '.join(map(str, frame.columns))}")
    try:
        days = pd.to_datetime(frame[columns["date"]]).to_numpy("datetime64[D]")
    except (ValueError, TypeError) as error:
        raise SceneError(f"{path.name} 的日期无法识别 (dates cannot be read): {error}") from None
    values = {n: _celsius(_numbers(frame, c)) if n[0] == "t" else _millimetres(_numbers(frame, c)) for n, c in columns.items() if c is not None and n != "date"}  # fmt: skip
    daily = pd.DataFrame(values, index=pd.DatetimeIndex(days)).resample("D").mean()
    days = daily.index.to_numpy("datetime64[D]")
    made = {n: daily[n].to_numpy(np.float64) for n in daily}
    rain = made.get("rain", np.full(len(days), np.nan))
    if "et0" in made:
        return Climate(days, made["et0"], rain, "stated")
    light = _extraterrestrial(days, lat)
    if "tmin" in made and "tmax" in made:
        mean, span = (made["tmax"] + made["tmin"]) / 2, np.maximum(made["tmax"] - made["tmin"], 0)
        # FAO 56, equation 52; radiation in mm of water a day (× 0.408).
        return Climate(days, np.maximum(0.0023 * (mean + 17.8) * np.sqrt(span) * 0.408 * light, 0), rain, "Hargreaves")  # fmt: skip
    if "tmean" in made:
        # Oudin et al. 2005: radiation / (latent heat × density) × (T + 5) / 100 above −5 °C.
        return Climate(days, np.where(made["tmean"] > -5, light / 2.45 * (made["tmean"] + 5) / 100, 0.0), rain, "Oudin")  # fmt: skip
    raise SceneError(
        f"{path.name} 没有参考作物蒸散量或气温 (neither reference evapotranspiration nor temperature); "
        f"{', '.join(map(str, frame.columns))}"
    )


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise SceneError(f"无法读取 {path.name} (cannot be read): {error}") from None


def _grid(path: Path, lon: float, lat: float) -> pd.DataFrame:
    import xarray

    try:
        with xarray.open_dataset(path) as data:
            for axis, at in (("lon", lon), ("lat", lat)):
                name = next((n for n in data.coords if re.match(rf"{axis}|{'x' if axis == 'lon' else 'y'}$", str(n), re.I)), None)  # fmt: skip
                if name is not None and name in data.dims:
                    turned = at % 360 if axis == "lon" and float(data[name].max()) > 180 else at
                    _inside(path, name, data[name].to_numpy(), turned)
                    data = data.sel({name: turned}, method="nearest")
            frame: pd.DataFrame = data.to_dataframe().reset_index()
            return frame
    except (OSError, ValueError) as error:
        raise SceneError(f"无法读取 {path.name} (cannot be read): {error}") from None


def _inside(path: Path, name: Any, axis: npt.NDArray[Any], at: float) -> None:
    step = float(np.abs(np.diff(axis)).max()) if len(axis) > 1 else 1.0
    if not axis.min() - step <= at <= axis.max() + step:
        raise SceneError(f"{path.name} 不覆盖该地 (does not cover the place): {name} {at:.2f}")


def _column(frame: pd.DataFrame, pattern: str) -> Any:
    return next((c for c in frame.columns if re.search(pattern, str(c).strip(), re.I)), None)


def _numbers(frame: pd.DataFrame, column: Any) -> Floats:
    return np.asarray(pd.to_numeric(frame[column], errors="coerce"), np.float64)


def _celsius(values: Floats) -> Floats:
    return np.asarray(values - 273.15 if np.nanmedian(values) > 150 else values)


def _millimetres(values: Floats) -> Floats:
    """ERA5 counts in metres: a climate whose wettest day has less than 0.5 mm of anything does so."""
    return np.asarray(values * 1000 if np.nanmax(values, initial=0.0) < 0.5 else values)


def _extraterrestrial(days: npt.NDArray[np.datetime64], lat: float) -> Floats:
    """Radiation above the air, MJ/m² a day (FAO 56, equation 21)."""
    number = (days - days.astype("datetime64[Y]")).astype(np.float64) + 1
    turn, phi = 2 * np.pi * number / 365, math.radians(lat)
    nearness, tilt = 1 + 0.033 * np.cos(turn), 0.409 * np.sin(turn - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(tilt), -1, 1))
    angle = sunset * math.sin(phi) * np.sin(tilt) + math.cos(phi) * np.cos(tilt) * np.sin(sunset)
    return np.asarray(24 * 60 / np.pi * 0.0820 * nearness * angle, np.float64)


def effective_rain(monthly_mm: Floats) -> Floats:
    """Rain that a crop can use, mm a month: 0.8 P − 25 above 75 mm, else 0.6 P − 10 (FAO training manual 3, 1986)."""
    return np.asarray(
        np.maximum(np.where(monthly_mm > 75, 0.8 * monthly_mm - 25, 0.6 * monthly_mm - 10), 0), np.float64
    )


@dataclass(frozen=True)
class Need:
    """Water to be taken for a field in the season that its dates show."""

    depth_mm: tuple[float, float, float]
    """5 %, median and 95 %."""
    first: date
    last: date

    def volume_m3(self, area_m2: float) -> tuple[float, float, float]:
        low, likely, high = (depth / 1000 * area_m2 for depth in self.depth_mm)
        return low, likely, high


LEAST_DATES = 3
"""Dates that a season needs."""


def need(
    points: Sequence[Point], climate: Climate, efficiency: tuple[float, float, float] = EFFICIENCY
) -> Need | None:
    """What a field of this profile took, if it was watered; None where dates or weather do not reach.

    Greenness is interpolated between dates. Where rain is not known the need is before rain: the upper end.
    """
    known = [(date.fromisoformat(p.date), p.ndvi) for p in points if p.date and p.ndvi is not None]
    if len(known) < LEAST_DATES:
        return None
    at = np.array([d for d, _ in known], "datetime64[D]")
    inside = (climate.days >= at[0]) & (climate.days <= at[-1]) & np.isfinite(climate.et0)
    if inside.mean() == 0 or inside.sum() < 0.8 * ((at[-1] - at[0]).astype(int) + 1):
        return None
    days = climate.days[inside]
    ndvi = np.interp(days.astype(np.float64), at.astype(np.float64), [float(v) for _, v in known])
    grows = ndvi > BARE
    kc = np.where(grows, np.minimum(KC_SLOPE * ndvi + KC_START, KC_MOST), 0.0)
    month = days.astype("datetime64[M]")
    months, of = np.unique(month, return_inverse=True)
    crop = np.bincount(of, kc * climate.et0[inside], len(months))
    rain = effective_rain(
        np.bincount(of, np.nan_to_num(climate.rain[inside]), len(months)).astype(np.float64)
    )
    growing = np.bincount(of, grows, len(months)) / np.bincount(of, minlength=len(months))
    rng = np.random.default_rng(SEED)
    drawn = {name: rng.normal(1, spread, (DRAWS, 1)).clip(0.3) for name, spread in SPREAD.items()}
    lack = np.maximum(crop * drawn["kc"] * drawn["et0"] - rain * growing * drawn["rain"], 0).sum(axis=1)
    taken = lack / rng.triangular(*efficiency, DRAWS)
    low, likely, high = np.quantile(taken, [0.05, 0.5, 0.95])
    return Need((float(low), float(likely), float(high)), known[0][0], known[-1][0])
