"""Longitude and latitude in each other's columns: said so, though 119° is no latitude at all."""

import pandas as pd
import pytest

from app.imports.interpret import Interpreter
from app.imports.mapping import Mapping
from app.imports.raw import EXCESS, RawChunk
from app.registry.intake_import import KIND


def issues(lon: str, lat: str) -> list[tuple[str, str]]:
    row = {"取水口编码": "321084000001", "取水口名称": "一号", "经度": lon, "纬度": lat, EXCESS: ""}
    texts = pd.DataFrame([row], dtype=object)
    chunk = Interpreter(KIND, Mapping(), list(texts.columns), False).chunk(RawChunk(1, texts))
    return [(issue.field, issue.reason) for issue in chunk.issues]


@pytest.mark.parametrize(("lon", "lat"), [("32.78", "119.44"), ("32°46′48″", "119°26′24″")])
def test_swapped_angles_east_of_90_degrees_are_called_swapped(lon: str, lat: str) -> None:
    assert issues(lon, lat) == [("lon,lat", "swapped_coordinates")]


def test_an_impossible_latitude_beside_a_good_longitude_is_only_that() -> None:
    assert issues("119.44", "119.44") == [("lat", "angle_out_of_range")]
