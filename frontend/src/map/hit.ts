/** What lies under a pixel. */

import type { MapGeoJSONFeature, Map as MapLibre, Point } from "maplibre-gl";
import type { Layer } from "@/api/pending";

const RANK = { point: 0, line: 1, polygon: 2 };
/** Pixels by which a pointer may miss a point or a line. */
const SLACK = 5;

export interface Hit {
	layer: Layer;
	feature: MapGeoJSONFeature;
}

/** Regions lie upon each other: far out the province is meant, close by the county. */
function ofRank(found: MapGeoJSONFeature[], zoom: number): MapGeoJSONFeature | undefined {
	const wanted = zoom < 5.5 ? 1 : zoom < 8 ? 2 : 3;
	const distance = (feature: MapGeoJSONFeature) => Math.abs(Number(feature.properties.level) - wanted);
	return [...found].sort((a, b) => distance(a) - distance(b))[0];
}

/** Symbols overlap: the one whose middle is nearest is meant. */
function nearest(m: MapLibre, at: Point, found: MapGeoJSONFeature[]): MapGeoJSONFeature | undefined {
	const distance = ({ geometry }: MapGeoJSONFeature) =>
		geometry.type === "Point" ? m.project(geometry.coordinates as [number, number]).dist(at) : Infinity;
	return [...found].sort((a, b) => distance(a) - distance(b))[0];
}

/** The feature under a pixel: points before lines before areas, the upper layer first. `parts` names style layers. */
export function hit(
	m: MapLibre,
	at: Point,
	layers: readonly Layer[],
	parts: (layer: Layer) => string[],
): Hit | null {
	if (!m.isStyleLoaded()) return null;
	for (const layer of [...layers].sort((a, b) => RANK[a.kind] - RANK[b.kind] || b.order - a.order)) {
		const slack = layer.kind === "polygon" ? 0 : SLACK;
		const ids = parts(layer);
		if (!ids.length) continue;
		const found = m.queryRenderedFeatures(
			[
				[at.x - slack, at.y - slack],
				[at.x + slack, at.y + slack],
			],
			{ layers: ids },
		);
		const feature =
			layer.kind === "point"
				? nearest(m, at, found)
				: layer.id === "regions"
					? ofRank(found, m.getZoom())
					: found[0];
		if (feature) return { layer, feature };
	}
	return null;
}
