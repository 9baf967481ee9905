/** The style that MapLibre draws: the server's style with this reader's switches, selection and imagery.
 *
 * A pure function of the state, so that a change of theme or language loses nothing. Data is drawn as the
 * server says; only the selection's ring is added here.
 */

import type { FilterSpecification, LayerSpecification, StyleSpecification } from "maplibre-gl";
import { type Overlay, rasterSource } from "@/imagery/raster";
import type { Selection } from "@/state/view";
import { withFilter, withQuery } from "./facets";

export interface Switches {
	/** Ids of the catalogue layers that are on; those of the base map are always on. */
	on: ReadonlySet<string>;
	switchable: ReadonlySet<string>;
	selection: Selection | null;
	/** Code of the region that is looked at. */
	region: string | null;
	pin: readonly [number, number] | null;
	/** Colour of the selection's ring. */
	accent: string;
	overlay: Overlay | null;
	/** CQL2 text by layer, of those that are filtered. */
	filters: ReadonlyMap<string, string>;
	/** A past day, and the layers that can be shown as they were on it; null: today. */
	past: { day: string; layers: ReadonlySet<string> } | null;
}

type Part = "label" | "cells" | undefined;

export interface Tagged {
	layer: string | undefined;
	part: Part;
}

/** Which catalogue layer a style layer belongs to, by the server's metadata. */
export function tag(layer: LayerSpecification): Tagged {
	const metadata = (layer.metadata ?? {}) as Record<string, unknown>;
	return { layer: metadata["shuitu:layer"] as string | undefined, part: metadata["shuitu:part"] as Part };
}

/** Ids of the style layers that draw features of a catalogue layer: without labels, numbers on cells last. */
export function drawn(style: StyleSpecification, layer: string): string[] {
	return style.layers
		.filter((part) => {
			const found = tag(part);
			return (
				found.layer === layer && found.part !== "label" && !(found.part === "cells" && part.type === "symbol")
			);
		})
		.map((part) => part.id);
}

/** Over an image a line of any one colour is lost somewhere: it gets a light edge. */
function edge(line: LayerSpecification): LayerSpecification {
	const paint = { "line-color": "#ffffff", "line-width": 8, "line-opacity": 0.85 };
	return { ...line, id: "selection-edge", paint } as LayerSpecification;
}

function ring(selection: Selection, kind: string, accent: string): LayerSpecification {
	const common = {
		id: "selection",
		source: selection.layer,
		"source-layer": selection.layer,
		filter: ["all", ["==", ["id"], selection.id], ["!", ["has", "cell"]]] as FilterSpecification,
	};
	if (kind === "point") {
		return {
			...common,
			type: "circle",
			paint: {
				"circle-radius": 14,
				"circle-color": accent,
				"circle-opacity": 0.12,
				"circle-stroke-color": accent,
				"circle-stroke-width": 3,
			},
		};
	}
	return {
		...common,
		type: "line",
		layout: { "line-join": "round" },
		paint: { "line-color": accent, "line-width": 4, "line-opacity": 0.9 },
	};
}

function outline(region: string, accent: string): LayerSpecification {
	return {
		id: "region-outline",
		type: "line",
		source: "regions",
		"source-layer": "regions",
		filter: ["==", ["get", "code"], Number(region)],
		layout: { "line-join": "round" },
		paint: { "line-color": accent, "line-width": 3, "line-opacity": 0.8 },
	};
}

export function compose(
	server: StyleSpecification,
	kinds: ReadonlyMap<string, string>,
	s: Switches,
): StyleSpecification {
	const sources = { ...server.sources };
	for (const [id, filter] of s.filters) {
		const source = sources[id];
		if (source?.type !== "vector") continue;
		sources[id] = { ...source, tiles: (source.tiles ?? []).map((address) => withFilter(address, filter)) };
	}
	for (const id of s.past?.layers ?? []) {
		const source = sources[id];
		if (source?.type !== "vector") continue;
		const tiles = (source.tiles ?? []).map((address) => withQuery(address, "datetime", s.past?.day ?? ""));
		sources[id] = { ...source, tiles };
	}
	let layers: LayerSpecification[] = server.layers.map((layer) => {
		const of = tag(layer).layer;
		if (of === undefined || !s.switchable.has(of)) return layer;
		const visibility = s.on.has(of) ? "visible" : "none";
		return { ...layer, layout: { ...layer.layout, visibility } } as LayerSpecification;
	});
	if (s.overlay) {
		sources.imagery = rasterSource(s.overlay);
		// Above the base map, below everything of the register.
		const first = layers.findIndex((layer) => s.switchable.has(tag(layer).layer ?? ""));
		const at = first < 0 ? layers.length : first;
		layers = [
			...layers.slice(0, at),
			{ id: "imagery", type: "raster", source: "imagery" },
			...layers.slice(at),
		];
	}
	if (s.region && sources.regions) layers.push(outline(s.region, s.accent));
	if (s.pin) {
		const [lon, lat] = s.pin;
		sources.pin = {
			type: "geojson",
			data: { type: "Feature", properties: {}, geometry: { type: "Point", coordinates: [lon, lat] } },
		};
		const paint = {
			"circle-radius": 8,
			"circle-color": s.accent,
			"circle-stroke-color": "#ffffff",
			"circle-stroke-width": 3,
		};
		layers.push({ id: "pin", type: "circle", source: "pin", paint });
	}
	const { selection } = s;
	if (selection && sources[selection.layer] && s.on.has(selection.layer)) {
		const drawn = ring(selection, kinds.get(selection.layer) ?? "polygon", s.accent);
		if (s.overlay && drawn.type === "line") layers.push(edge(drawn));
		layers.push(drawn);
	}
	return { ...server, sources, layers };
}
