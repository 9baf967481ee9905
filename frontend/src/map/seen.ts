/** What is drawn at the moment: counts for the legend, and the selected feature as its tile carries it. */

import { type GeoJSONFeature, LngLat, type MapGeoJSONFeature, type Map as MapLibre } from "maplibre-gl";
import type { Layer } from "@/api/pending";
import { view } from "@/state/view";
import { countSeen } from "./counts";
import { inView, picked, uncover } from "./instance";

function key(layer: Layer, feature: MapGeoJSONFeature): string {
	if (layer.kind !== "point" || feature.geometry.type !== "Point") return String(feature.id);
	return "cell" in feature.properties ? feature.geometry.coordinates.join() : String(feature.id);
}

/** Count what is drawn of these layers; `parts` names the style layers that draw features, none if switched off. */
export function look(m: MapLibre, layers: readonly Layer[], parts: (layer: Layer) => string[]): void {
	for (const layer of layers) {
		const ids = parts(layer);
		if (!ids.length || m.getZoom() < layer.minzoom) {
			inView.delete(layer.id);
			continue;
		}
		const seen = m.queryRenderedFeatures({ layers: ids }).map((feature) => ({
			id: feature.id,
			properties: feature.properties,
			key: key(layer, feature),
		}));
		inView.set(layer.id, countSeen(layer.legend, seen));
	}
	recover(m);
}

/** A selection that came with the address has no clicked feature, and one that changed has an old one: find it
 * among what is drawn. */
function recover(m: MapLibre): void {
	const chosen = view.selection;
	if (!chosen || !m.getSource(chosen.layer)) return;
	const { layer, id } = chosen;
	const known = picked.value?.layer === layer && picked.value.id === id ? picked.value : undefined;
	const found = m
		.querySourceFeatures(layer, { sourceLayer: layer, filter: ["==", ["id"], id] })
		.find((feature) => !("cell" in feature.properties));
	if (!found || JSON.stringify(found.properties) === JSON.stringify(known?.properties)) return;
	keep(layer, found, known ? new LngLat(known.lon, known.lat) : m.getCenter());
	if (!known && picked.value && found.geometry.type === "Point") uncover(picked.value.lon, picked.value.lat);
}

/** Keep a feature for its drawer; `near` is where it was met, for what is no point. */
export function keep(layer: string, feature: GeoJSONFeature, near: LngLat): void {
	const point = feature.geometry.type === "Point" ? (feature.geometry.coordinates as [number, number]) : null;
	picked.value = {
		layer,
		id: Number(feature.id),
		properties: feature.properties,
		lon: point?.[0] ?? near.lng,
		lat: point?.[1] ?? near.lat,
	};
}
