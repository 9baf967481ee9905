"""Pixels to objects, piece by piece: memory follows the piece, never the scene.

Each piece is labelled by itself (8-connected); its labels are numbered on from the last piece's. Where
two pieces meet, labels that touch are one object (union-find), sums over pixels add up, outlines join.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import shapely
from rasterio.windows import Window

from remote_sensing import memory, outlines
from remote_sensing.scene import Grid
from remote_sensing.sources import Coding, reflectance

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.uint8]
KIND, STRONG = 3, 4
"""Bits of a code: the kind (0 nothing), and whether the pixel may stand for an object by itself."""
LAYERS = ("water_index", "nir", "red", "shadow", "before", "seen_before")
"""What is summed over objects: index and reflectance, and the pixels that are dark, that were of the same
kind at the earlier date, and that the earlier date shows."""
SHADOW = 0.03
"""Reflectance in green, red and near infrared below which a pixel may be shadow of cloud, hill or building. A flag only."""


@dataclass(frozen=True)
class Part:
    """The labelled pixels of one piece. Labels count from 1."""

    window: Window
    kind: Array
    pixels: Array
    strong: Array
    sums: Array
    """Sums of the layers over each label, shape (labels, layers)."""
    box: Array
    """First and last column and row in the scene, shape (labels, 4): col0, row0, col1, row1 (inclusive)."""
    border: tuple[Array, Array, Array, Array]
    """Labels along the north, south, west and east side."""
    rings: outlines.Rings
    """Of the labels that touch a side, and may go on beyond it."""
    whole: tuple[Array, Array]
    """The other labels, and a geometry for each."""


@dataclass(frozen=True)
class Objects:
    """Objects of one kind, one entry each."""

    pixels: Array
    sums: dict[str, Array]
    box: Array
    shapes: Array
    """Geometries in pixel corners."""

    def mean(self, name: str) -> Array:
        """Mean of a layer over each object."""
        return self.sums[name] / self.pixels


@numba.njit(nogil=True, cache=True)
def _measure(  # type: ignore[no-untyped-def]
    labels, codes, row0, col0, index, planes, before, seen, darkest, kind, pixels, strong, sums, box
):
    (nirs, nir_coding), (reds, red_coding), (greens, green_coding) = planes
    height, width = labels.shape
    for row in range(height):
        for col in range(width):
            k = labels[row, col]
            if k == 0:
                continue
            i = k - 1
            if pixels[i] == 0:
                kind[i] = codes[row, col] & 3
                box[i, 0], box[i, 1], box[i, 2], box[i, 3] = col + col0, row + row0, col + col0, row + row0
            pixels[i] += 1
            strong[i] += codes[row, col] >> 2
            box[i, 0] = min(box[i, 0], col + col0)
            box[i, 2] = max(box[i, 2], col + col0)
            box[i, 3] = row + row0
            nir = reflectance(nirs[row, col], nir_coding[0], nir_coding[1], nir_coding[2])
            red = reflectance(reds[row, col], red_coding[0], red_coding[1], red_coding[2])
            green = reflectance(greens[row, col], green_coding[0], green_coding[1], green_coding[2])
            sums[i, 0] += index[row, col]
            sums[i, 1] += nir
            sums[i, 2] += red
            sums[i, 3] += max(nir, red, green) < darkest
            if seen.size and seen[row, col]:
                sums[i, 4] += (before[row, col] & 3) == (codes[row, col] & 3)
                sums[i, 5] += 1


@dataclass(frozen=True)
class Look:
    """What is measured over the objects of one piece; arrays of the piece's shape."""

    index: Array
    bands: Mapping[str, tuple[Array, Coding]]
    """Numbers as they are in the files, and how they become reflectance: only those of objects are."""
    before: Codes | None = None
    seen_before: npt.NDArray[np.bool_] | None = None

    def planes(self) -> tuple[tuple[Array, Coding], ...]:
        """Near infrared, red and green. Bands that are not there are stood in for."""
        nir = self.bands["nir"]
        return nir, self.bands.get("red", nir), self.bands.get("green", nir)


def label(window: Window, codes: Codes, look: Look, least: Sequence[float]) -> Part:
    """Label one piece. `codes`: see KIND and STRONG.

    `least`: pixels, by kind, below which an object that touches no side of the piece is not drawn.
    """
    row, col = int(window.row_off), int(window.col_off)
    labels = memory.scratch("labels", codes.shape, np.int32)
    count = _label(codes, labels, memory.scratch("parents", (codes.size + 1,), np.int32))
    kind, pixels, strong = (
        memory.zeros(name, (count,), np.int64) for name in ("kinds", "pixels", "strong pixels")
    )
    sums, box = (
        memory.zeros("sums", (count, len(LAYERS)), np.float64),
        memory.zeros("boxes", (count, 4), np.int64),
    )
    nothing = np.zeros((1, 1), np.uint8) if look.before is None else look.before
    seen = np.zeros((0, 0), np.bool_) if look.seen_before is None else look.seen_before
    _measure(
        labels, codes, row, col, look.index, look.planes(), nothing, seen, np.float32(SHADOW),
        kind, pixels, strong, sums, box,
    )  # fmt: skip
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    drawn = np.zeros(count + 1, bool)
    drawn[1:] = (pixels >= np.asarray(least)[kind]) & (strong > 0)
    for side in sides:
        drawn[side] = True
    drawn[0] = False
    made = outlines.rings(labels, drawn)
    made.points[:, 0] += col
    made.points[:, 1] += row
    # Specks that touch no side are too small for ever: a scene has millions of them.
    number, kept = np.cumsum(drawn, dtype=np.int32) * drawn, drawn[1:]
    made = outlines.Rings(number[made.label], made.start, made.points)
    north, south, west, east = (number[side] for side in sides)
    border = (north, south, west, east)
    open_ended = np.zeros(int(number.max(initial=0)) + 1, bool)
    for side in border:
        open_ended[side] = True
    goes_on = open_ended[made.label]
    whole = outlines.polygons(_only(made, ~goes_on))
    more = (border, _only(made, goes_on), whole)
    return Part(window, kind[kept], pixels[kept], strong[kept], sums[kept], box[kept], *more)


@numba.njit(nogil=True, cache=True)
def _label(codes, labels, parent):  # type: ignore[no-untyped-def]
    """Number the 8-connected pixels of one kind, from 1 in reading order; returns how many there are.

    `parent` has room for one number a pixel and one more.
    """
    height, width = codes.shape
    count = 0
    for row in range(height):
        here, line = codes[row], labels[row]
        for col in range(width):
            kind = here[col] & 3
            if kind == 0:
                line[col] = 0
                continue
            # A neighbour that touches one looked at before was united with it when it was numbered itself.
            mine = 0
            if row > 0 and codes[row - 1, col] & 3 == kind:
                mine = labels[row - 1, col]
            else:
                if col > 0 and here[col - 1] & 3 == kind:
                    mine = line[col - 1]
                elif row > 0 and col > 0 and codes[row - 1, col - 1] & 3 == kind:
                    mine = labels[row - 1, col - 1]
                if row > 0 and col + 1 < width and codes[row - 1, col + 1] & 3 == kind:
                    other = labels[row - 1, col + 1]
                    if mine == 0:
                        mine = other
                    else:
                        a, b = _find(parent, mine), _find(parent, other)
                        parent[max(a, b)] = min(a, b)
            if mine == 0:
                count += 1
                parent[count] = mine = count
            line[col] = mine
    number = 0
    for i in range(1, count + 1):
        # A parent is smaller than its child, so its number is final.
        if parent[i] == i:
            number += 1
            parent[i] = -number
        else:
            root = parent[i]
            parent[i] = root if root < 0 else parent[root]
    for row in range(height):
        line = labels[row]
        for col in range(width):
            if line[col]:
                line[col] = -parent[line[col]]
    return number


@numba.njit(nogil=True, cache=True)
def _find(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(nogil=True, cache=True)
def _unite(parent, kind, a, b):  # type: ignore[no-untyped-def]
    """Unite the labels of two touching lines of pixels, diagonals included."""
    for i in range(len(a)):
        if a[i] < 0:
            continue
        for j in range(max(0, i - 1), min(len(b), i + 2)):
            if b[j] >= 0 and kind[a[i]] == kind[b[j]]:
                x, y = _find(parent, a[i]), _find(parent, b[j])
                parent[max(x, y)] = min(x, y)


@numba.njit(nogil=True, cache=True)
def _roots(parent):  # type: ignore[no-untyped-def]
    out = np.empty_like(parent)
    for i in range(len(parent)):
        out[i] = _find(parent, i)
    return out


def _joined(parts: Sequence[Part], kind: Array, first: Array, grid: Grid) -> Array:
    """The object (smallest label of the whole scene that belongs to it) of every label."""
    parent = np.arange(len(kind))
    rows: dict[int, Array] = {}
    cols: dict[int, Array] = {}
    for part, start in zip(parts, first.tolist(), strict=True):
        w = part.window
        r0, c0 = int(w.row_off), int(w.col_off)
        r1, c1 = r0 + int(w.height), c0 + int(w.width)
        for lines, at, span, labels, length in (
            (rows, r0, slice(c0, c1), part.border[0], grid.width),
            (rows, r1 - 1, slice(c0, c1), part.border[1], grid.width),
            (cols, c0, slice(r0, r1), part.border[2], grid.height),
            (cols, c1 - 1, slice(r0, r1), part.border[3], grid.height),
        ):
            line = lines.setdefault(at, np.full(length, -1))
            line[span] = np.where(labels > 0, labels + start - 1, -1)
    for lines in (rows, cols):
        for at, line in lines.items():
            if at + 1 in lines:
                _unite(parent, kind, line, lines[at + 1])
    return np.asarray(_roots(parent))


def collect(parts: Sequence[Part], grid: Grid, least: Sequence[float]) -> dict[int, Objects]:
    """The objects by kind: those with a strong pixel and at least `least` pixels (by kind), in reading order."""
    counts = np.array([len(part.kind) for part in parts], np.int64)
    first = np.cumsum(counts) - counts
    kind = np.concatenate([part.kind for part in parts]) if parts else np.zeros(0, np.int64)
    root = _joined(parts, kind, first, grid)
    number, group = np.unique(root, return_inverse=True)
    n = len(number)

    def total(values: Sequence[Array]) -> Array:
        return np.bincount(group, np.concatenate(values), n) if n else np.zeros(0)

    pixels, strong = total([p.pixels for p in parts]), total([p.strong for p in parts])
    sums = {name: total([p.sums[:, i] for p in parts]) for i, name in enumerate(LAYERS)}
    box = np.zeros((n, 4), np.int64)
    if n:
        every = np.concatenate([p.box for p in parts])
        box[:, :2] = np.iinfo(np.int64).max
        for side in (0, 1):
            np.minimum.at(box[:, side], group, every[:, side])
        for side in (2, 3):
            np.maximum.at(box[:, side], group, every[:, side])
    kinds = kind[number]
    keep = (strong > 0) & (pixels >= np.asarray(least)[kinds])
    shapes = _shapes(parts, first, group, keep)
    found = {}
    for k in (1, 2, 3):
        at = np.flatnonzero(keep & (kinds == k))
        at = at[np.lexsort((box[at, 0], box[at, 1]))]
        found[k] = Objects(
            pixels[at].astype(np.int64),
            {name: values[at] for name, values in sums.items()},
            box[at],
            shapes[at],
        )
    return found


def _shapes(parts: Sequence[Part], first: Array, group: Array, keep: Array) -> Array:
    """One geometry an object; pieces of one object are joined."""
    shapes = np.empty(len(keep), object)
    if not keep.any():
        return shapes
    owners, drawn = [], []
    for part, start in zip(parts, first.tolist(), strict=True):
        made = outlines.polygons(_only(part.rings, keep[group[part.rings.label - 1 + start]]))
        for labels, geometries in (part.whole, made):
            owners.append(group[labels - 1 + start])
            drawn.append(geometries)
    owner, geometry = np.concatenate(owners), np.concatenate(drawn)
    order = np.argsort(owner, kind="stable")
    owner, geometry = owner[order], geometry[order]
    numbers, begin, count = np.unique(owner, return_index=True, return_counts=True)
    shapes[numbers[count == 1]] = geometry[begin[count == 1]]
    for number, start, several in zip(numbers[count > 1], begin[count > 1], count[count > 1], strict=True):
        shapes[number] = shapely.union_all(geometry[start : start + several])
    return shapes


def _only(made: outlines.Rings, keep: Array) -> outlines.Rings:
    if keep.all():
        return made
    lengths = np.diff(made.start)
    return outlines.Rings(
        made.label[keep],
        np.concatenate([[0], np.cumsum(lengths[keep])]),
        made.points[np.repeat(keep, lengths)],
    )
