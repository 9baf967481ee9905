/** Drawing on the map: a new part, a piece to cut away, or the corners of the outline that is there (terra-draw). */

import { TerraDraw, TerraDrawPolygonMode, TerraDrawSelectMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";
import { drawing, map } from "@/map/instance";

export type Tool = "add" | "cut" | "replace" | "corners";
interface Polygonal {
	type: string;
	coordinates: unknown;
}
type Ring = [number, number][];

let draw: TerraDraw | undefined;

/** The polygons of a geometry: their outer rings, which is what corners can be moved of. */
function outer(geometry: Polygonal): Ring[] {
	const polygons = (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates) as Ring[][];
	return polygons.flatMap((rings) => (rings[0] ? [rings[0]] : []));
}

/** Whether the corners of an outline can be moved by hand: without holes, and few enough to be seen. */
export function isSimple(geometry: Polygonal): boolean {
	const polygons = (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates) as Ring[][];
	return polygons.every((rings) => rings.length === 1) && outer(geometry).flat().length <= 400;
}

/** Begin to draw; `done` is called with each finished polygon, or (corners) by `take`. Keyboard: Enter ends, Escape leaves. */
export function begin(
	tool: Tool,
	geometry: Polygonal,
	colour: `#${string}`,
	done: (drawn: Polygonal) => void,
): void {
	end();
	const m = map.value;
	if (!m) return;
	drawing.value = true;
	// Outlined, never filled: the image below must be seen.
	const styles = { fillColor: colour, fillOpacity: 0, outlineColor: colour, outlineWidth: 3 };
	draw = new TerraDraw({
		adapter: new TerraDrawMapLibreGLAdapter({ map: m, coordinatePrecision: 9 }),
		modes: [
			new TerraDrawPolygonMode({ styles: { ...styles, closingPointColor: colour } }),
			new TerraDrawSelectMode({
				flags: {
					polygon: { feature: { coordinates: { midpoints: true, draggable: true, deletable: true } } },
				},
				styles: {
					selectedPolygonColor: colour,
					selectedPolygonOutlineColor: colour,
					selectedPolygonFillOpacity: 0,
				},
			}),
		],
	});
	draw.start();
	if (tool !== "corners") {
		draw.setMode("polygon");
		draw.on("finish", (id) => {
			const drawn = draw?.getSnapshotFeature(id)?.geometry;
			if (drawn) done(drawn as Polygonal);
		});
		return;
	}
	const rounded = (ring: Ring): Ring => ring.map(([x, y]) => [Number(x.toFixed(9)), Number(y.toFixed(9))]);
	const made = draw.addFeatures(
		outer(geometry).map((ring) => ({
			type: "Feature" as const,
			properties: { mode: "polygon" },
			geometry: { type: "Polygon" as const, coordinates: [rounded(ring)] },
		})),
	);
	draw.setMode("select");
	const first = made.find((one) => one.valid)?.id;
	if (first !== undefined) draw.selectFeature(first);
}

/** What is on the map now, as one geometry. */
export function take(): Polygonal | null {
	const polygons = (draw?.getSnapshot() ?? [])
		.filter((one) => one.geometry.type === "Polygon" && one.properties.mode === "polygon")
		.map((one) => one.geometry.coordinates);
	return polygons.length ? { type: "MultiPolygon", coordinates: polygons } : null;
}

/** Leave the map as it was. */
export function end(): void {
	draw?.stop();
	draw = undefined;
	drawing.value = false;
}
