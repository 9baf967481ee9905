"""What is decoded once is kept: evidence is the same as if it were read again, and goes on without."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from remote_sensing import compare, kept, strips
from remote_sensing.options import Options
from remote_sensing.pipeline import Detection, detect
from remote_sensing.scene import Scene, open_scenes
from remote_sensing.sources import SceneSource

WIDTH, HEIGHT = 1_100, 800
NAMES = ("green", "red", "nir")


def scene(folder: Path, day: str, ponds: int) -> Scene:
    """Rough land with ponds, some of which lie across the edges of the pieces; a hole without data."""
    rng = np.random.default_rng(7)
    pixels = (rng.integers(80, 120, (1, HEIGHT, WIDTH)) * np.array([8, 9, 10, 16])[:, None, None]).astype(
        np.uint16
    )
    for n in range(ponds):
        row, col = 105 + 170 * (n % 4), 190 + 256 * (n // 4)
        pixels[:, row : row + 20, col : col + 24] = np.array([500, 600, 400, 150], np.uint16)[:, None, None]
    pixels[:, 560:575, 560:600] = 0
    path = folder / f"S2_{day}.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=4, dtype="uint16", width=WIDTH, height=HEIGHT, crs="EPSG:32650", nodata=0,
        transform=from_origin(500_000, 3_600_000, 10, 10), tiled=True, blockxsize=256, blockysize=256,
    ) as target:  # fmt: skip
        target.write(pixels)
        target.descriptions = ("B02", "B03", "B04", "B08")
        target.update_tags(ACQUISITION_DATE=day)
    return open_scenes(path)[0]


def test_what_is_kept_reads_as_the_file_does(tmp_path: Path) -> None:
    made = scene(tmp_path, "2024-07-01", 16)
    own = SceneSource(made, NAMES)
    plan = strips.Plan.of(made.grid, 512, own)
    with kept.Keep(tmp_path) as keep, ThreadPoolExecutor(2) as pool:
        (source,) = keep.of([own], plan)
        assert keep.bands(0, NAMES, Window(0, 0, 10, 10)) is None  # nothing was read yet
        for read in strips.pieces([source], plan, pool, None):
            read()
        for window in (Window(0, 0, 40, 30), Window(490, 500, 70, 90), Window(WIDTH - 600, 400, 600, 300)):
            found, expected = keep.bands(0, NAMES, window), made.read_bands(NAMES, window)
            assert found is not None
            for name in NAMES:
                np.testing.assert_array_equal(found[name], expected[name])
        assert keep.bands(0, ("swir16",), Window(0, 0, 9, 9)) is None
        assert keep.bands(1, NAMES, Window(0, 0, 9, 9)) is None
    assert [path.name for path in tmp_path.iterdir()] == ["S2_2024-07-01.tif"]


def run(folder: Path, out: str, **options: Any) -> Detection:
    dates = [scene(folder, "2024-04-01", 11), scene(folder, "2024-07-01", 16)]
    (folder / out).mkdir()
    made = Options(kinds=("water_body",), **options)
    return detect(dates, compare.empty_register(), options=made, out=folder / out)


def test_a_run_finds_the_same_with_and_without_what_it_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path, "whole")
    assert len(whole.candidates) == 16
    assert {c.category for c in whole.candidates} == {"no_intake", "new_since_last_date"}
    alone = run(tmp_path, "alone", workers=1, window=512)
    monkeypatch.setattr(kept, "MOST_BYTES", 0)
    again = run(tmp_path, "again")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "MOST_BYTES", 2**40)
    monkeypatch.setattr(os, "pwrite", full)
    crowded = run(tmp_path, "crowded")
    for other, folder in ((alone, "alone"), (again, "again"), (crowded, "crowded")):
        assert other.candidates == whole.candidates
        for candidate in whole.candidates:
            for name in (candidate.chip_before, candidate.chip_after):
                assert name is not None
                assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / folder / name).read_bytes()


def test_of_many_findings_the_likeliest_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    every, few = run(tmp_path, "every"), run(tmp_path, "few", max_candidates=5)
    assert [c.geometry for c in few.candidates] == [c.geometry for c in every.candidates[:5]]
    assert few.facts["left_out"] == 11
