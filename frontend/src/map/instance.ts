/** What other parts of the page may know of and ask from the one map. */

import type { Map as MapLibre } from "maplibre-gl";
import { reactive, ref, shallowRef } from "vue";
import type { Bounds } from "@/api/pending";
import type { LayerCount } from "./counts";

export const map = shallowRef<MapLibre>();
/** Features in view by layer, as last drawn. */
export const inView = reactive(new Map<string, LayerCount>());
/** Properties of the selected feature as its tile carries them: all that the public sees. */
export const picked = shallowRef<{
	layer: string;
	id: number;
	properties: Record<string, unknown>;
	lon: number;
	lat: number;
}>();
export const zoom = ref(0);

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Free space around the middle of the map that sheets leave; set by the page's layout. */
export const sheets = reactive({ left: 0, right: 0, top: 0, bottom: 0 });

export function flyTo(lon: number, lat: number, least = 13): void {
	const m = map.value;
	if (!m) return;
	const target = {
		center: [lon, lat] as [number, number],
		zoom: Math.max(m.getZoom(), least),
		padding: { ...sheets },
	};
	if (still()) m.jumpTo(target);
	else m.easeTo({ ...target, duration: 700 });
}

export function fit(bounds: Bounds, most = 16): void {
	const [w, s, e, n] = bounds;
	map.value?.fitBounds(
		[
			[w, s],
			[e, n],
		],
		{ padding: 40, maxZoom: most, duration: still() ? 0 : 700 },
	);
}
