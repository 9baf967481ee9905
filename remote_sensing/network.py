"""Rivers and canals as a graph: where does water that an intake lifts flow to, and which river lies in between?

Lines are joined where the end of one meets another; lines that merely cross are not (an aqueduct over a river). Water
that was taken flows on in canals only: a river brings it to nobody who did not take it there.
"""

import itertools
import re
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.ops import substring

Array = npt.NDArray[Any]
CANAL = re.compile(r"canal|ditch|channel|aqueduct|lateral|conduit|渠|沟|引水|输水|干管", re.I)
KINDS = ("kind", "type", "fclass", "waterway", "class", "类型", "种类", "name", "NAME", "名称")
"""Columns that may say what a line is."""
FLOW = ("flow", "direction", "flow_dir", "流向")
"""Columns that may say how a line runs: `with` the line as drawn (1), `against` it (-1), or neither (0)."""
SNAP_M = 30.0
"""Ends nearer than this to another line meet it: lines of maps are drawn no better."""


@dataclass(frozen=True)
class Network:
    """Lines cut at their junctions, in one metric CRS."""

    crs: Any
    lines: Array
    canal: npt.NDArray[np.bool_]
    flow: npt.NDArray[np.int8]
    """1 as drawn, -1 against it, 0 unknown: then water may run either way."""
    ends: npt.NDArray[np.int64]
    """Numbers of the junctions at the first and last point of each line, shape (lines, 2)."""

    @classmethod
    def of(cls, frame: gpd.GeoDataFrame, crs: Any, *, drawn_downstream: bool = False) -> "Network":
        """The network of a file of lines (other shapes are left out), in `crs`, a metric one.

        `drawn_downstream`: whether a line without a column of its direction runs as it is drawn. A line is a canal
        if one of its words says so (渠, canal …), else a river. Raises ValueError if the file does not say where it lies.
        """
        if frame.crs is None:
            raise ValueError("水系没有坐标系 (the network has no coordinate reference system)")
        frame = frame.to_crs(crs).explode(ignore_index=True)
        frame = frame[frame.geom_type == "LineString"].reset_index(drop=True)
        flow = _flow(frame, drawn_downstream)
        lines, of = _cut(frame.geometry.to_numpy())
        return cls(crs, lines, _canals(frame)[of], flow[of], _junctions(lines))

    def below(self, points: Array, snap_m: npt.NDArray[np.float64]) -> list[Array]:
        """The canal lines that water taken at each point runs along; none where no canal is within reach."""
        canals = np.flatnonzero(self.canal)
        if not len(canals):
            return [np.empty(0, object)] * len(points)
        graph = self._graph(canals)
        at, number = shapely.STRtree(self.lines[canals]).query(points, predicate="dwithin", distance=snap_m)
        return [self._run(graph, canals[number[at == i]], points[i]) for i in range(len(points))]

    def _graph(self, canals: Array) -> Any:
        graph = nx.MultiDiGraph()
        for number in canals.tolist():
            first, last = self.ends[number].tolist()
            if self.flow[number] >= 0:
                graph.add_edge(first, last, line=number)
            if self.flow[number] <= 0:
                graph.add_edge(last, first, line=number)
        return graph

    def _run(self, graph: Any, started: Array, point: shapely.Geometry) -> Array:
        """The lines below a point, those it stands at cut off above it."""
        found: dict[int, shapely.Geometry] = {}
        nodes: set[int] = set()
        for number in started.tolist():
            line, flow = self.lines[number], int(self.flow[number])
            here = shapely.line_locate_point(line, point)
            part = line if flow == 0 else substring(line, here, line.length) if flow > 0 else substring(line, 0, here)  # fmt: skip
            found[number] = part
            first, last = self.ends[number].tolist()
            nodes |= {first, last} if flow == 0 else {last} if flow > 0 else {first}
        for a, b, key in nx.edge_bfs(graph, [node for node in nodes if node in graph]):
            number = graph.edges[a, b, key]["line"]
            found.setdefault(number, self.lines[number])
        return np.array(list(found.values()), object)

    def between(self, a: Array, b: Array, near_m: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Whether a river lies between each pair of shapes.

        A river nearer to `a` than `near_m`, how well its position is known, separates nothing: it may stand on either bank.
        """
        rivers = self.lines[~self.canal]
        made = np.zeros(len(a), bool)
        if not len(rivers) or not len(a):
            return made
        straight = shapely.shortest_line(a, b)
        pair, river = shapely.STRtree(rivers).query(straight, predicate="intersects")
        apart = shapely.distance(a[pair], rivers[river]) > near_m[pair]
        touches = shapely.intersects(b[pair], rivers[river])
        np.logical_or.at(made, pair, apart & ~touches)
        return made


def _canals(frame: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    said = np.zeros(len(frame), bool)
    for name in KINDS:
        if name in frame:
            said |= frame[name].astype(str).str.contains(CANAL).to_numpy(bool)
    return said


def _flow(frame: gpd.GeoDataFrame, drawn_downstream: bool) -> npt.NDArray[np.int8]:
    column = next((name for name in FLOW if name in frame), None)
    if column is None:
        return np.full(len(frame), int(drawn_downstream), np.int8)
    text = frame[column].astype(str).str.strip().str.lower()
    with_it = text.isin(("1", "1.0", "with", "forward", "顺", "顺向"))
    against = text.isin(("-1", "-1.0", "against", "backward", "reverse", "逆", "逆向"))
    return np.where(with_it, 1, np.where(against, -1, 0)).astype(np.int8)


def _cut(lines: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Lines cut where the end of another meets them, and the line that each part is of."""
    if not len(lines):
        return lines, np.empty(0, np.int64)
    tips = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    tip, line = shapely.STRtree(lines).query(tips, predicate="dwithin", distance=SNAP_M)
    where = shapely.line_locate_point(lines[line], tips[tip])
    length = shapely.length(lines)
    inner = (where > SNAP_M) & (where < length[line] - SNAP_M)
    stops: dict[int, set[float]] = {}
    for number, at in zip(line[inner].tolist(), where[inner].tolist(), strict=True):
        stops.setdefault(number, set()).add(at)
    parts, of = [], []
    for number, whole in enumerate(lines):
        at = [0.0, *sorted(stops.get(number, ())), float(length[number])]
        for start, end in itertools.pairwise(at):
            parts.append(substring(whole, start, end) if len(at) > 2 else whole)
            of.append(number)
    return np.array(parts, object), np.array(of, np.int64)


def _junctions(lines: Array) -> npt.NDArray[np.int64]:
    """Ends nearer than SNAP_M are one junction."""
    tips = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    if not len(tips):
        return np.empty((0, 2), np.int64)
    a, b = shapely.STRtree(tips).query(tips, predicate="dwithin", distance=SNAP_M)
    near = coo_array((np.ones(len(a), bool), (a, b)), shape=(len(tips), len(tips)))
    _, number = connected_components(near, directed=False)
    return np.asarray(number.reshape(2, -1).T, np.int64)
