/** Overview cells: what one stands for, and where. */

import type { Bounds, Layer, LegendEntry } from "@/api/pending";

const lonOf = (x: number): number => (x - 0.5) * 360;
const latOf = (y: number): number => (Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) * 180) / Math.PI;

/** The ground that a cell covers, from the tile that it says it is: its symbol lies somewhere in it. */
export function cellBounds(properties: Record<string, unknown>): Bounds {
	const [z, x, y] = [properties.cz, properties.cx, properties.cy].map(Number) as [number, number, number];
	const n = 2 ** z;
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
