"""Runs over many scenes: one place after another, or many at once; a scene that fails leaves the rest alone.

`grouped` says which scenes show one place, `run_all` gives the findings of each place as they come. With one
worker everything happens in this process; with more, or with a scheduler's address, on Dask (`parallel`).
The findings are the same.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely

from remote_sensing import compare
from remote_sensing.coding import sensible
from remote_sensing.options import Options
from remote_sensing.pipeline import Detection, detect
from remote_sensing.scene import Scene, SceneError, grid_of, open_scenes, readable

Progress = Callable[[float, str], None]
Register = Callable[[shapely.Geometry], gpd.GeoDataFrame]
"""The registered intakes that may serve what lies in an area (both EPSG:4490), with the columns of
`compare.empty_register`. Asked in the caller's process, when a place's turn comes."""
SAME_PLACE = 0.5
"""Scenes that share this much of the smaller one's area show one place: neighbouring tiles overlap by less."""


@dataclass(frozen=True)
class Group:
    """The scenes of one place: the newest is searched, the one before it gives change."""

    key: str
    """Names the place within the run, and its folder below the run's."""
    scenes: tuple[Scene, ...]


@dataclass(frozen=True)
class LeftOut:
    """A scene that was not used, and why, in words."""

    scene: str
    problem: str


@dataclass(frozen=True)
class Result:
    """What the run found at one place. Without a detection, `problem` says why."""

    key: str
    scenes: tuple[str, ...]
    """Ids of the scenes that were used."""
    detection: Detection | None
    left_out: tuple[LeftOut, ...] = ()
    problem: str | None = None
    seconds: float = 0.0


class Cancelled(Exception):
    """The run was cancelled while a place was worked on."""


class RunError(Exception):
    """The run as a whole cannot go on, in words; what was found so far stands."""


def opened(paths: Iterable[Path]) -> tuple[list[Scene], list[LeftOut]]:
    """The scenes at many paths; what cannot be used is told, and the rest goes on."""
    scenes: list[Scene] = []
    left_out: list[LeftOut] = []
    for path in paths:
        try:
            scenes += open_scenes(path)
        except (SceneError, OSError, ValueError, KeyError) as error:
            left_out.append(LeftOut(str(path), str(error)))
    return scenes, left_out


def grouped(scenes: Iterable[Scene]) -> list[Group]:
    """Scenes by place, each in order of date; places from north to south. A scene that cannot be opened is a place of
    its own at the end, so that the run tells why."""
    places: list[tuple[shapely.Geometry, list[Scene]]] = []
    for scene in sorted(scenes, key=_when, reverse=True):
        shape = _footprint(scene)
        for newest, members in places:
            common = shapely.area(shapely.intersection(newest, shape))
            if common > 0 and common >= SAME_PLACE * min(shapely.area(newest), shapely.area(shape)):
                members.append(scene)
                break
        else:
            places.append((shape, [scene]))
    places.sort(key=lambda place: _north_first(place[0]))
    return [
        Group(f"p{number:04d}", tuple(reversed(members))) for number, (_, members) in enumerate(places, 1)
    ]


def _footprint(scene: Scene) -> shapely.Geometry:
    """The scene's outline; empty if its files cannot be opened."""
    try:
        return scene.footprint
    except SceneError:
        return shapely.Polygon()


def _north_first(shape: shapely.Geometry) -> tuple[float, float]:
    if shape.is_empty:
        return (np.inf, 0.0)
    west, _, _, north = shape.bounds
    return (-north, west)


def _when(scene: Scene) -> tuple[float, str]:
    return (scene.taken_s, scene.item_id)


def run_all(
    groups: Sequence[Group],
    register: Register,
    out: Path,
    *,
    options: Options | None = None,
    aoi: shapely.Geometry | None = None,
    scheduler: str | None = None,
    workers: int = 1,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Progress = lambda share, step: None,
) -> Iterator[Result]:
    """Find the candidates of every place; results come as places are finished, in no order.

    Pictures and reports go to `out / group.key`. `scheduler` (tcp://host:port) runs the places on the workers of a
    Dask cluster, which must see the scenes and `out` under the same paths; otherwise `workers` processes of this
    machine work. To resume, hand in the groups that gave no result yet. When `cancelled` says so, what is running
    stops and no more results come. Raises RunError if the cluster cannot be reached or is lost.
    """
    options = options or Options()
    if scheduler is None and workers <= 1:
        yield from _serial(groups, register, out, options, aoi, cancelled, progress)
        return
    from remote_sensing import parallel

    yield from parallel.run(groups, register, out, options, aoi, scheduler, workers, cancelled, progress)


def _serial(
    groups: Sequence[Group],
    register: Register,
    out: Path,
    options: Options,
    aoi: shapely.Geometry | None,
    cancelled: Callable[[], bool],
    progress: Progress,
) -> Iterator[Result]:
    def told(number: int) -> Progress:
        def tell(share: float, step: str) -> None:
            if cancelled():
                raise Cancelled
            progress((number + share) / len(groups), step)

        return tell

    for number, group in enumerate(groups):
        if cancelled():
            return
        try:
            yield one(group, intakes_of(group, register, aoi), out / group.key, options, aoi, told(number))
        except Cancelled:
            return


def intakes_of(group: Group, register: Register, aoi: shapely.Geometry | None) -> gpd.GeoDataFrame:
    """The register of a place, asked for what its scenes and the area of interest have in common."""
    area = shapely.union_all([_footprint(scene) for scene in group.scenes])
    area = shapely.intersection(area, aoi) if aoi is not None else area
    return compare.empty_register() if area.is_empty else register(area)


def one(
    group: Group,
    intakes: gpd.GeoDataFrame,
    out: Path,
    options: Options,
    aoi: shapely.Geometry | None = None,
    progress: Progress = lambda share, step: None,
) -> Result:
    """The findings of one place. A scene that cannot be used is left out and told; Cancelled is passed on."""
    started = time.perf_counter()
    left_out = [
        LeftOut(scene.item_id, fault) for scene in group.scenes if (fault := fault_of(scene)) is not None
    ]
    scenes = [scene for scene in group.scenes if scene.item_id not in {gone.scene for gone in left_out}]
    out.mkdir(parents=True, exist_ok=True)
    found: Detection | None = None
    problem: str | None = None
    while scenes and found is None and problem is None:
        try:
            found = detect(scenes, intakes, aoi=aoi, options=options, out=out, progress=progress)
        except SceneError as error:
            # A file that is cut short fails only where it ends: the other dates may do without it.
            bad = [s for s in scenes if error.file in {band.file for band in s.bands.values()}]
            left_out += [LeftOut(scene.item_id, str(error)) for scene in bad]
            scenes = [scene for scene in scenes if scene not in bad]
            problem = None if bad else str(error)
        except (OSError, ValueError, ArithmeticError, MemoryError, rasterio.errors.RasterioError) as error:
            problem = f"{type(error).__name__}: {error}"
    if found is None and problem is None:
        problem = "没有可用的影像 (no scene of this place can be used)"
    ids = tuple(scene.item_id for scene in scenes) if found else ()
    return Result(group.key, ids, found, tuple(left_out), problem, round(time.perf_counter() - started, 3))


def fault_of(scene: Scene) -> str | None:
    """Why a scene cannot be used, as far as opening its files tells; None if it can."""
    try:
        for name, band in scene.bands.items():
            grid_of(band.file)
            with readable(band.file), rasterio.open(band.file) as source:
                if not 1 <= band.index <= source.count:
                    return (
                        f"{Path(band.file).name} 只有 {source.count} 个波段，没有第 {band.index} 个"
                        f" (has no band {band.index} for {name})"
                    )
            if not sensible(band.scale, band.offset) or not np.isfinite(band.scale):
                return (
                    f"{name} 的比例 {band.scale} 和偏移 {band.offset} 不合理 (scale and offset make no sense)"
                )
    except SceneError as error:
        return str(error)
    return None
