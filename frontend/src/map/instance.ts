/** What other parts of the page may know of and ask from the one map. */

import type { Map as MapLibre } from "maplibre-gl";
import { reactive, ref, shallowRef } from "vue";
import type { Bounds } from "@/api/pending";
import type { LayerCount } from "./counts";
import type { Refresher } from "./refresh";

export const map = shallowRef<MapLibre>();
/** Draws anew what changed, while there is a map. */
export const refresher = shallowRef<Refresher>();
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
/** Somebody draws on the map: it picks nothing meanwhile, and its style stays. */
export const drawing = ref(false);

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Room that sheets take at the edges of the map, in pixels; kept by the page's layout. */
export const sheets = reactive({ left: 0, right: 0, top: 0, bottom: 0 });

/** What the pointer rests on. */
export const hovered = shallowRef<{
	layer: string;
	properties: Record<string, unknown>;
	x: number;
	y: number;
}>();

export function flyTo(lon: number, lat: number, least = 13): void {
	const m = map.value;
	if (!m) return;
	const offset: [number, number] = [(sheets.left - sheets.right) / 2, (sheets.top - sheets.bottom) / 2];
	m.easeTo({ center: [lon, lat], zoom: Math.max(m.getZoom(), least), offset, duration: still() ? 0 : 700 });
}

/** Padding of `fitBounds`: the sheets and a margin, as far as the map has room for both. */
export function padding(margin: number): { left: number; right: number; top: number; bottom: number } {
	const box = map.value?.getContainer();
	const width = box?.clientWidth ?? window.innerWidth;
	const height = box?.clientHeight ?? window.innerHeight;
	const fits =
		sheets.left + sheets.right + 2 * margin < width - 80 &&
		sheets.top + sheets.bottom + 2 * margin < height - 80;
	if (!fits) return { left: 12, right: 12, top: 12, bottom: 12 };
	return {
		left: sheets.left + margin,
		right: sheets.right + margin,
		top: sheets.top + margin,
		bottom: sheets.bottom + margin,
	};
}

export function fitTo(bounds: Bounds, most = 16): void {
	map.value?.fitBounds(bounds as [number, number, number, number], {
		padding: padding(32),
		maxZoom: most,
		duration: still() ? 0 : 700,
	});
}

/** Move just as far as needed for a place not to lie under a sheet. */
export function uncover(lon: number, lat: number): void {
	const m = map.value;
	if (!m) return;
	const { x, y } = m.project([lon, lat]);
	const { clientWidth, clientHeight } = m.getContainer();
	const dx = Math.max(0, x - (clientWidth - sheets.right - 60)) + Math.min(0, x - sheets.left - 40);
	const dy = Math.max(0, y - (clientHeight - sheets.bottom - 40)) + Math.min(0, y - sheets.top - 40);
	if (dx || dy) m.panBy([dx, dy], { duration: still() ? 0 : 300 });
}
