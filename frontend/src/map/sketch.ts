/** What a desk draws on the map for the case at hand: two ends, a line between, a few words. Not data: it is never kept. */

import type { LayerSpecification, StyleSpecification } from "maplibre-gl";
import { shallowRef } from "vue";

export interface Sketch {
	/** Where the register has it. */
	from: readonly [number, number] | null;
	/** `ring`: round what the map shows there, which must be seen. */
	ends: readonly { at: readonly [number, number]; label: string; chosen: boolean; ring?: boolean }[];
}

export const sketch = shallowRef<Sketch | null>(null);

interface Feature {
	type: "Feature";
	properties: Record<string, unknown>;
	geometry: { type: "Point"; coordinates: number[] } | { type: "LineString"; coordinates: number[][] };
}

function features(drawn: Sketch): Feature[] {
	const found: Feature[] = [];
	for (const { at, label, chosen, ring } of drawn.ends) {
		const properties = { label, chosen };
		if (drawn.from) {
			const coordinates = [[...drawn.from], [...at]];
			found.push({
				type: "Feature",
				properties: { chosen },
				geometry: { type: "LineString", coordinates },
			});
		}
		found.push({
			type: "Feature",
			properties: { ...properties, end: ring ? "ring" : "permit" },
			geometry: { type: "Point", coordinates: [...at] },
		});
	}
	if (drawn.from) {
		found.push({
			type: "Feature",
			properties: { end: "intake", chosen: true, label: "" },
			geometry: { type: "Point", coordinates: [...drawn.from] },
		});
	}
	return found;
}

/** The style with the sketch above everything; `font` is one that the style has. */
export function sketched(
	style: StyleSpecification,
	drawn: Sketch,
	colours: { accent: string; text: string; halo: string },
): StyleSpecification {
	const font = style.layers.find((layer) => layer.type === "symbol")?.layout?.["text-font"];
	const layers: LayerSpecification[] = [
		{
			id: "sketch-line",
			type: "line",
			source: "sketch",
			filter: ["==", ["geometry-type"], "LineString"],
			layout: { "line-cap": "round" },
			paint: {
				"line-color": colours.accent,
				"line-width": ["case", ["get", "chosen"], 3, 1.5],
				"line-opacity": ["case", ["get", "chosen"], 1, 0.6],
				"line-dasharray": [2, 1.5],
			},
		},
		{
			id: "sketch-ends",
			type: "circle",
			source: "sketch",
			filter: ["==", ["geometry-type"], "Point"],
			paint: {
				// The entry is a ring round what the map shows there; a permit's intake is a square-ish hollow dot.
				"circle-radius": [
					"match",
					["get", "end"],
					"intake",
					13,
					"ring",
					["case", ["get", "chosen"], 15, 10],
					["case", ["get", "chosen"], 8, 6],
				],
				"circle-color": ["match", ["get", "end"], "permit", colours.halo, "rgba(0,0,0,0)"],
				"circle-stroke-color": colours.accent,
				"circle-stroke-width": ["case", ["get", "chosen"], 3, 2],
			},
		},
		{
			id: "sketch-words",
			type: "symbol",
			source: "sketch",
			filter: ["all", ["==", ["geometry-type"], "Point"], ["!=", ["get", "label"], ""]],
			layout: {
				"text-field": ["get", "label"],
				"text-size": 14,
				"text-offset": [0, 1.1],
				"text-anchor": "top",
				"text-variable-anchor": ["top", "bottom", "left", "right"],
				"text-radial-offset": 1,
				...(font ? { "text-font": font as string[] } : {}),
			},
			paint: { "text-color": colours.text, "text-halo-color": colours.halo, "text-halo-width": 2 },
		},
	];
	const data = { type: "FeatureCollection" as const, features: features(drawn) };
	return {
		...style,
		sources: { ...style.sources, sketch: { type: "geojson", data } },
		layers: [...style.layers, ...layers],
	};
}
