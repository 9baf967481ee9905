"""What is read of a scene for a tile: never more than the scene, however wide the tile."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds
from rio_tiler.constants import WEB_MERCATOR_CRS, WGS84_CRS

from app.imagery import render


@pytest.mark.parametrize("zoom", range(15))
def test_a_tile_reads_at_most_a_third_more_than_the_scene(tmp_path: Path, zoom: int) -> None:
    file = tmp_path / "scene.tif"
    placed = {"crs": "EPSG:4549", "transform": from_origin(470_000, 3_640_000, 10, 10)}
    with rasterio.open(file, "w", driver="GTiff", width=300, height=300, count=1, dtype="uint16", **placed) as scene:  # fmt: skip
        scene.write(np.ones((300, 300), np.uint16), 1)
    with rasterio.open(file) as scene:
        west, south, east, north = transform_bounds(scene.crs, WGS84_CRS, *scene.bounds)
        wide = transform_bounds(scene.crs, WEB_MERCATOR_CRS, *scene.bounds, densify_pts=21)
        at = render.GRID.tile((west + east) / 2, (south + north) / 2, zoom)
        there = render.covered(scene, render.GRID.xy_bounds(at))
    assert 1 <= there.width <= render.SIZE
    assert 1 <= there.height <= render.SIZE
    for low, high in ((0, 2), (1, 3)):
        assert 0 < there.bounds[high] - there.bounds[low] < 4 / 3 * (wide[high] - wide[low])
