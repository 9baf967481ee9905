"""Spectral indices: spyndex's formulas, compiled to machine code over whole windows."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import spyndex

Floats = npt.NDArray[np.float32]
BANDS = {"B": "blue", "G": "green", "R": "red", "N": "nir", "S1": "swir16", "S2": "swir22"}
"""spyndex's letters and the names of bands in a scene."""
_NOT_GREEN = "max({greenest} - (N - R) / (N + R), 0.05 - N)"
"""What is nearly black in the infrared may be green: the ratio of two small numbers says little."""
_WET2 = "min(max((G - S2) / (G + S2) - {least}, min(0.02 - S2, (G - N) / (G + N))), " + _NOT_GREEN + ")"
_WET1 = (
    "min(min((G + R - N - S1) / (G + R + N + S1) - {visible}, (G - S1) / (G + S1) - {least}), "
    + _NOT_GREEN
    + ")"
)
OURS = {
    # The strictest of some tests, each 0 at the edge of water. With both short-wave bands: green against the
    # longer one above 0.3 and greenness below 0.2, the rule that Sen1Floods11 starts from (Bonafilia et al. 2020,
    # doi:10.1109/CVPRW50498.2020.00113). It was made for the top of the atmosphere, whose haze lifts green; for
    # the surface the limits that agree with it once haze is taken off (docs/accuracy.md).
    "WET2-TOA": _WET2.format(least=0.3, greenest=0.2),
    "WET2": _WET2.format(least=0.05, greenest=0.3),
    # Without the longer one: visible against infrared separates turbid and flooded water from wet soil better
    # than MNDWI alone; MNDWI as DSWE of the USGS has it (0.124, rounded).
    "WET1-TOA": _WET1.format(visible=-0.05, least=0.1, greenest=0.2),
    "WET1": _WET1.format(visible=-0.25, least=-0.15, greenest=0.3),
}


def formula(name: str) -> str:
    """The formula of an index. Raises KeyError if there is none."""
    return OURS[name] if name in OURS else str(spyndex.indices[name].formula)


def bands_of(name: str) -> tuple[str, ...]:
    """The scene bands that an index needs, in the order of its arguments."""
    return tuple(BANDS[letter] for letter in _letters(name))


@cache
def _letters(name: str) -> tuple[str, ...]:
    code = compile(formula(name), name, "eval")
    return tuple(letter for letter in BANDS if letter in code.co_names)


@cache
def _compiled(name: str) -> Any:
    letters = _letters(name)
    signature = f"float32({', '.join(['float32'] * len(letters))})"
    # Compiled as if it stood in this file, so that the machine code is kept beside it and not made by every process.
    named = f"index_{name.lower().replace('-', '_')}"
    place: dict[str, Any] = {"__name__": __name__}
    source = f"def {named}({', '.join(letters)}): return {formula(name)}"
    exec(compile(source, __file__, "exec"), place)  # noqa: S102 - a formula of the library
    return numba.vectorize([signature], nopython=True, cache=True)(place[named])  # type: ignore[no-untyped-call]


def compute(name: str, bands: Mapping[str, Floats], out: Floats | None = None) -> Floats:
    """The index over arrays of one shape, float32; not finite where a band is NaN or the formula has no value."""
    arguments = [bands[band] for band in bands_of(name)]
    with np.errstate(all="ignore"):
        values: Floats = _compiled(name)(*arguments, out=out)
    return values
