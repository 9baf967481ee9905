/** Overview cells: what one stands for, and where. */

import type { Bounds, Layer, LegendEntry } from "@/api/pending";
import { worldOf } from "./stale";

/** Levels of cells below a tile: 32 × 32 cells (the tile server's `CELL_DEPTH`). */
const DEPTH = 5;

const lonOf = (x: number): number => (x - 0.5) * 360;
const latOf = (y: number): number => (Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) * 180) / Math.PI;

/** The ground that a cell covers: its symbol lies somewhere in it. */
export function cellBounds(lon: number, lat: number, tileZoom: number): Bounds {
	const n = 2 ** (tileZoom + DEPTH);
	const [x, y] = worldOf(lon, lat).map((part) => Math.floor(part * n)) as [number, number];
	return [lonOf(x / n), latOf((y + 1) / n), lonOf((x + 1) / n), latOf(y / n)];
}

export interface Share {
	entry: LegendEntry;
	n: number;
	/** Of all in the cell, 0..1. */
	part: number;
}

/** What a cell stands for: how many, how much, and how many of each class of the legend's first group. */
export function contents(layer: Layer, properties: Record<string, unknown>) {
	const n = Number(properties.n ?? 0);
	const shares: Share[] = (layer.legend[0]?.entries ?? [])
		.map((entry) => ({ entry, n: Number(properties[`n_${entry.value}`] ?? 0) }))
		.filter((share) => share.n > 0)
		.map((share) => ({ ...share, part: n ? share.n / n : 0 }));
	const summed = layer.fields.find((field) => field.unit === "m3");
	const volume = properties.volume === undefined ? null : Number(properties.volume);
	return { n, shares, volume: summed && volume !== null ? { title: summed.title, m3: volume } : null };
}
