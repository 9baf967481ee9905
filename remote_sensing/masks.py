"""The masks of a scene, piece by piece; what a block decides rests on that block alone, whatever the piece."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from remote_sensing import clouds, irrigation, memory, water
from remote_sensing.scene import Scene
from remote_sensing.strips import HALO, Piece

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
CODE = {"water_body": 1, "irrigated_land": 2}
"""Kind in the codes of a mask."""


class Masks:
    """Which pixels of a scene are water and which are fields."""

    def __init__(self, scene: Scene, kinds: Sequence[str], own_grid: bool = True) -> None:
        """`own_grid`: off where pieces come on another scene's grid; then the scene's classes are not asked."""
        self.scene, self.own_grid = scene, own_grid
        self.kinds = tuple(kinds)
        self.greenness = irrigation.least_ndvi(scene)
        self.water = water.method_for(scene)
        self.shadows = clouds.shadows_of(scene) if own_grid and "water_body" in self.kinds else clouds.NONE
        wanted = {*self.water.bands, *irrigation.BANDS}
        self.bands = tuple(name for name in sorted(wanted) if name in scene.bands)
        # Red is measured over water, and not asked what water is.
        fields, shade = "irrigated_land" in self.kinds, ("green", "nir", "swir16") if self.shadows else ()
        self._asked = {*self.water.bands, "nir", *(irrigation.BANDS if fields else ()), *shade}

    def codes(self, piece: Piece) -> tuple[Codes, Floats]:
        """Codes (`objects.KIND`, `objects.STRONG`) and the water index of a piece, without its halo.

        The arrays are this thread's own and hold until it asks for the codes of the next piece.
        """
        shape = (int(piece.window.height), int(piece.window.width))
        grid = "own" if self.own_grid else "earlier"
        codes = memory.zeros(f"codes {grid}", shape, np.uint8)
        index = memory.scratch(f"index {grid}", shape, np.float32)
        told = clouds.quality(self.scene, piece.window) if self.own_grid else None
        for r0, r1 in pairwise(piece.rows):
            for c0, c1 in pairwise(piece.cols):
                at = (slice(r0, r1), slice(c0, c1))
                around = piece.block((r0, r1), (c0, c1), self._asked)
                block = {name: values[HALO:-HALO, HALO:-HALO] for name, values in around.items()}
                water.index(self.water, block, index[at])
                if "water_body" in self.kinds:
                    corner = int(piece.window.row_off) + r0, int(piece.window.col_off) + c0
                    limit = water.threshold(
                        self.water, self._in_view(index[at], corner, told and told[0][at])
                    )
                    if self.water.smooth:
                        self._smoothed(around, limit, codes[at])
                    else:
                        water.mark(self.water, index[at], block, limit, codes[at])
                    if self.shadows:
                        zone = told[1][at] if told else self.shadows.within(*corner, index[at].shape)
                        codes[at][zone & self.shadows.shaded(block)] = 0
                if "irrigated_land" in self.kinds:
                    irrigation.mark(around, (0, 0), irrigation.limit(block, self.greenness), codes[at])
        if told:
            codes[told[0]] = 0
        return codes, index

    def _in_view(self, values: Floats, corner: tuple[int, int], hidden: Bools | None) -> Floats:
        """The index of a block where clouds leave it in view: beside land, a cloud would make a mode of its own."""
        if hidden is None:
            hidden = self.shadows.clouded(*corner, values.shape)
        return values if hidden is None or not hidden.any() else np.where(hidden, np.float32(np.nan), values)

    def _smoothed(self, around: Mapping[str, Floats], limit: float, codes: Codes) -> None:
        """A block marked with one pixel around it, which the majority of its border needs."""
        inner = slice(HALO - 1, 1 - HALO)
        bands = {name: values[inner, inner] for name, values in around.items()}
        water.mark(self.water, water.index(self.water, bands), bands, limit, codes)
