"""Where cloud shadow may lie, from the picture alone: dark land near a cloud looks wet to every index.

Dark flood water over plants has the very spectrum of shaded plants, so no rule of colours alone may throw water
away: only where a cloud stands near enough to cast a shadow are dark pixels asked for more.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from rasterio.windows import Window
from scipy import ndimage

from remote_sensing.scene import CLASSES, Scene

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
SIDE = 1_024
"""Pixels along the longer side of the small picture that clouds are looked for in."""
BRIGHT, WHITE = 0.25, 0.25
"""A cloud reflects this much in every visible band and near infrared, and its visible bands differ by less than this share."""
NOT_SNOW = 0.15
"""Snow reflects less than this in short wave."""
LEAST_M = 150.0
"""A cloud is at least this wide: smaller white things are roofs."""
REACH_M = 6_000.0
"""How far a shadow falls from its cloud: 3 km of height, the sun 27° high."""
MATCH = 0.4
"""Share of the clouds that must fall on dark land when they are moved along the light, else no shadow is told …"""
BY_CHANCE = 2.0
"""… and more by this many times the dark share of all land: where floods darken much of it, large clouds match
some of it wherever they are moved (shares of .5 to .6, against .8 and more of true shadows)."""
HEIGHTS = (0.5, 1.5)
"""Other clouds of the scene stand this much lower or higher than those that match best."""
DARK = 0.15
"""Reflectance in near infrared above which a pixel is in no shadow."""
DARKER = 0.6
"""Land in shadow reflects less than this share of what land does on the whole, in near infrared."""
VISIBLE = 2.0
"""Water in a shadow is this much brighter in green than in infrared once the haze is taken off."""


@dataclass(frozen=True)
class Shadows:
    """Where dark pixels may be shadow, on a coarse grid, and the haze of each band."""

    zone: Bools
    """Rows and columns of the small picture; the whole scene stretched over it."""
    haze: dict[str, float]
    """What the darkest pixels of the scene read, by band: light that never touched the ground."""
    height: int
    width: int
    cloud: Bools
    """The clouds themselves, on a coarse grid too."""

    def __bool__(self) -> bool:
        return bool(self.zone.any())

    def within(self, row: int, col: int, shape: tuple[int, int]) -> Bools:
        """The zone over a block of the scene, one entry a pixel."""
        return self._over(self.zone, row, col, shape)

    def clouded(self, row: int, col: int, shape: tuple[int, int]) -> Bools | None:
        """The clouds over a block of the scene; None if the scene has none."""
        return self._over(self.cloud, row, col, shape) if self.cloud.any() else None

    def _over(self, plane: Bools, row: int, col: int, shape: tuple[int, int]) -> Bools:
        rows = np.clip(
            (np.arange(row, row + shape[0]) * plane.shape[0]) // self.height, 0, plane.shape[0] - 1
        )
        cols = np.clip((np.arange(col, col + shape[1]) * plane.shape[1]) // self.width, 0, plane.shape[1] - 1)
        return np.asarray(plane[rows[:, None], cols[None, :]])

    def shaded(self, bands: dict[str, Floats]) -> Bools:
        """Dark pixels whose green, without haze, does not stand out from their infrared: shaded land."""
        green = np.maximum(bands["green"] - self.haze["green"], 0) + 1e-3
        dark: Bools = bands["nir"] < DARK
        dull = np.zeros(green.shape, bool)
        for name in ("nir", "swir16"):
            if name in bands:
                dull |= green < VISIBLE * (np.maximum(bands[name] - self.haze[name], 0) + 1e-3)
        return np.asarray(dark & dull)


SCL_SHADOW, SCL_HIDDEN = (3,), (0, 1, 8, 9, 10, 11)
"""Scene classification of Sentinel-2 L2A: cloud shadow; no data, defective, cloud, cirrus, snow."""
BITS = {
    "qa_pixel": (1 << 4, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 5),
    "fmask": (1 << 3, 1 << 1 | 1 << 4),
    "qa60": (0, 1 << 10 | 1 << 11),
}
"""Bits of cloud shadow, and of what hides the ground: QA_PIXEL of Landsat Collection 2 (fill, cirrus, cloud, snow; its
dilated clouds are left to the eye), Fmask of HLS (cloud, snow), QA60 of Sentinel-2 (cloud, cirrus)."""
FMASK_NONE = 255


def quality(scene: Scene, window: Window) -> tuple[Bools, Bools] | None:
    """What the scene's own classes say over a window: hidden from view, and in shadow. None if it has none.

    A shadow is not believed alone: dark flood water is often called one.
    """
    name = next((n for n in CLASSES if n in scene.bands), None)
    return told(name, np.nan_to_num(scene.read(name, window))) if name else None


def told(name: str, numbers: npt.NDArray[np.generic]) -> tuple[Bools, Bools]:
    """Hidden from view, and in shadow, by the numbers of a band of classes."""
    if name == "scl":
        return np.isin(numbers, SCL_HIDDEN), np.isin(numbers, SCL_SHADOW)
    shadow, hidden = BITS[name]
    bits = numbers.astype(np.int64)
    if name == "fmask":
        bits[bits == FMASK_NONE] = hidden
    return (bits & hidden) > 0, (bits & shadow) > 0


def _tells_shadow(scene: Scene) -> bool:
    return "scl" in scene.bands or any(shadow and name in scene.bands for name, (shadow, _) in BITS.items())


NONE = Shadows(np.zeros((1, 1), bool), {}, 1, 1, np.zeros((1, 1), bool))


def shadows_of(scene: Scene) -> Shadows:
    """Where clouds and their shadows may lie in a scene. Nowhere if it shows no cloud, or is no reflectance."""
    if not scene.calibrated:
        return NONE
    small, cloud, pixel_m = _small(scene)
    told = _tells_shadow(scene)
    if not cloud.any() and not told:
        return NONE
    haze = {n: float(np.nanpercentile(values, 0.1)) for n, values in small.items()}
    # A cloud's soft edge is cloud.
    around = ndimage.binary_dilation(cloud, iterations=2)
    whole = Shadows(np.ones((1, 1), bool), haze, scene.grid.height, scene.grid.width, around)
    if told:
        return whole
    # What is matched is darker than the land is: where all land is dark, every shift would fit.
    lit = small["nir"][~cloud & np.isfinite(small["nir"])]
    if not lit.size:  # nothing but cloud
        return replace(whole, zone=np.zeros((1, 1), bool))
    dark = whole.shaded(small) & (small["nir"] < DARKER * np.median(lit)) & ~cloud
    zone = _cast(cloud, dark, max(2, round(REACH_M / pixel_m)))
    return replace(whole, zone=zone)


def _small(scene: Scene) -> tuple[dict[str, Floats], Bools, float]:
    """A small picture of the scene, its clouds, and the side of its pixels in m."""
    names = [n for n in ("blue", "green", "red", "nir", "swir16") if n in scene.bands]
    grid = scene.grid
    scale = max(1, -(-max(grid.width, grid.height) // SIDE))
    shape = (max(1, grid.height // scale), max(1, grid.width // scale))
    small = scene.read_bands(names, Window(0, 0, grid.width, grid.height), shape)
    pixel_m = grid.pixel_m * scale
    return small, _clouds(small, max(1, round(LEAST_M / pixel_m))), pixel_m


def cover(scene: Scene) -> Bools:
    """Clouds with their soft edges and the dark land in their shadow, in a small picture stretched over the scene.

    For scenes without classes of their own. Nothing where numbers are no reflectance.
    """
    if not scene.calibrated:
        return np.zeros((1, 1), bool)
    small, cloud, _ = _small(scene)
    shadows = shadows_of(scene)
    shade = shadows.zone & shadows.shaded(small) if shadows else np.zeros(cloud.shape, bool)
    return np.asarray(ndimage.binary_dilation(cloud | shade, iterations=2))


def _cast(cloud: Bools, dark: Bools, reach: int) -> Bools:
    """Where the clouds' shadows fall: the clouds moved to where they cover most dark pixels, as Fmask does.

    `reach` in pixels of the small picture. Clouds that shade nothing dark, whichever way they are moved, cast no
    shadow that could be mistaken.
    """
    reach = min(reach, min(cloud.shape) - 1)
    if reach < 1 or not dark.any():
        return np.zeros(cloud.shape, bool)
    # overlap[dy, dx]: clouds on dark pixels when moved by (dy, dx); room: clouds still inside the picture.
    overlap, room = (_moved(cloud, over, reach) for over in (dark, np.ones(cloud.shape, bool)))
    share = np.where(room >= 0.25 * cloud.sum(), overlap / np.maximum(room, 1), 0)
    dy, dx = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    share[(dy * dy + dx * dx > reach * reach) | (dy * dy + dx * dx < 4)] = 0
    if share.max() < MATCH + BY_CHANCE * dark.sum() / max(1, (~cloud).sum()):
        return np.zeros(cloud.shape, bool)
    y, x = np.unravel_index(int(np.argmax(share)), share.shape)
    zone = np.zeros(cloud.shape, bool)
    steps = np.linspace(*HEIGHTS, max(3, int(np.hypot(y - reach, x - reach)) + 1))
    for row, col in {(round((y - reach) * k), round((x - reach) * k)) for k in steps}:
        zone |= ndimage.shift(cloud, (row, col), order=0, cval=0, prefilter=False)
    return np.asarray(ndimage.binary_dilation(zone, iterations=3))


def _moved(cloud: Bools, over: Bools, reach: int) -> Floats:
    """How many cloud pixels lie on `over`, by how far they are moved: shape (2 reach + 1, 2 reach + 1)."""
    # Imported here: it brings all of scipy.stats, and only a cloudy scene needs it.
    from scipy.signal import fftconvolve

    full = fftconvolve(over.astype(np.float32), cloud[::-1, ::-1].astype(np.float32), mode="full")
    row, col = cloud.shape[0] - 1, cloud.shape[1] - 1
    return np.asarray(full[row - reach : row + reach + 1, col - reach : col + reach + 1])


def _clouds(bands: dict[str, Floats], least: int) -> Bools:
    visible = np.stack([bands[n] for n in ("blue", "green", "red") if n in bands])
    darkest, brightest = visible.min(axis=0), visible.max(axis=0)
    with np.errstate(invalid="ignore"):
        found = (darkest > BRIGHT) & (bands["nir"] > BRIGHT) & (brightest - darkest < WHITE * brightest)
        if "swir16" in bands:
            found &= bands["swir16"] > NOT_SNOW
    return np.asarray(ndimage.binary_opening(found, np.ones((least, least), bool)) if least > 1 else found)
