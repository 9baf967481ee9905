"""What a candidate is shown with: its indices on every date, and its pictures."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.windows import Window

from remote_sensing import change, chips, profile
from remote_sensing.judge import Candidate, with_profile
from remote_sensing.kept import Keep
from remote_sensing.options import Options
from remote_sensing.scene import Grid, Held, Scene

Floats = npt.NDArray[np.float32]
Progress = Callable[[float, str], None]
Placed = tuple[Candidate, shapely.Geometry]
"""A candidate and its shape in the newest scene's coordinates."""
LANE, BLOCK = 2_048, 512
"""Candidates are worked on in the order in which a scene is read, some columns at a time, so that blocks which have to be
decoded for one are still there for the next …"""
CACHE_BYTES = 64 * 2**20
"""… in this much memory."""
BATCHES = 8
"""Neighbouring candidates are worked on by one thread, which has so many such batches in a run."""


@dataclass(frozen=True)
class Evidence:
    """Makes it for the candidates of one place."""

    newest: Scene
    earlier: change.Aligned | None
    dates: Sequence[Scene]
    """In order of date."""
    keep: Keep
    out: Path
    options: Options

    def of(self, candidates: Sequence[Placed], progress: Progress) -> list[Candidate]:
        """The candidates with their indices, what these say, and the names of their pictures; the likeliest first."""
        if not candidates:
            return []
        order = _as_read(self.newest.grid, [shape for _, shape in candidates])
        batches = np.array_split(order, min(len(order), BATCHES * self.options.workers))
        stretch = chips.stretch_of(self.newest)
        done: dict[int, Candidate] = {}
        with (
            rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
            Held() as held,
            ThreadPoolExecutor(self.options.workers) as pool,
        ):

            def work(numbers: npt.NDArray[np.int64]) -> list[tuple[int, Candidate]]:
                return [(i, self._one(i + 1, candidates[i], stretch, held)) for i in numbers.tolist()]

            for made in pool.map(work, batches):
                done |= made
                progress(
                    0.78 + 0.2 * len(done) / len(candidates), "制作影像对比图 (cutting the image patches)"
                )
        return sorted((done[i] for i in range(len(candidates))), key=lambda made: -made.score)

    def _one(self, number: int, placed: Placed, stretch: chips.Stretch, held: Held) -> Candidate:
        (candidate, shape), newest, earlier = placed, self.newest, self.earlier

        def own(scene: Scene, names: Sequence[str], window: Window) -> Mapping[str, Floats]:
            """A date on its own grid."""
            date = (
                0
                if scene is newest
                else 1
                if earlier and earlier.as_it_is and scene is earlier.scene
                else None
            )
            kept = None if date is None else self.keep.bands(date, names, window)
            return scene.read_bands(names, window, held=held) if kept is None else kept

        points = profile.of_shape(self.dates, newest.grid.crs, shape, own)
        window = chips.window_around(newest, shape)

        def save(name: str, scene: Scene, read: chips.Read) -> str:
            # Both dates are cut from the newer grid and stretched alike, so that a difference is a difference.
            pixels = chips.picture(newest, read, window, stretch)
            chips.save(self.out / name, scene.acquired_at, scene.sensor, pixels, newest, window, shape)
            return name

        after = save(f"c{number:05d}-after.png", newest, lambda names, window: own(newest, names, window))
        old = None
        if earlier and chips.same_bands(earlier.scene, newest):

            def moved(names: Sequence[str], window: Window) -> Mapping[str, Floats]:
                """The earlier date on the newest one's grid."""
                kept = self.keep.bands(1, names, window)
                return earlier.read_bands(names, window, held) if kept is None else kept

            old = save(f"c{number:05d}-before.png", earlier.scene, moved)
        return replace(with_profile(candidate, points, self.options), chip_after=after, chip_before=old)


def _as_read(grid: Grid, shapes: Sequence[shapely.Geometry]) -> npt.NDArray[np.int64]:
    """The numbers of shapes by lane, from north to south."""
    west, south, east, north = shapely.bounds(np.asarray(shapes, object)).T
    t, x, y = ~grid.transform, (west + east) / 2, (south + north) / 2
    col, row = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
    return np.lexsort((col, row // BLOCK, col // LANE))
