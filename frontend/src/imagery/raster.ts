/** Tiles of a scene as a source of the map. */

import type { RasterSourceSpecification } from "maplibre-gl";
import type { Bounds } from "@/api/pending";

export interface Overlay {
	scene: number;
	bounds: Bounds;
	rendering: string;
	/** The scene whose stretch is used: two dates that are compared are stretched alike. */
	like?: number | undefined;
}

export function rasterSource(overlay: Overlay): RasterSourceSpecification {
	const like = overlay.like === undefined ? "" : `&like=${overlay.like}`;
	return {
		type: "raster",
		tiles: [
			`${location.origin}/imagery/${overlay.scene}/{z}/{x}/{y}.webp?render_as=${overlay.rendering}${like}`,
		],
		tileSize: 256,
		bounds: overlay.bounds as [number, number, number, number],
	};
}
