/** How many features of a layer are in view, by class of its legend. */

import type { LegendEntry, LegendGroup } from "@/api/pending";

export interface Seen {
	id: number | string | undefined;
	properties: Record<string, unknown>;
	/** Tells apart the same cell seen in two neighbouring tiles. */
	key: string;
}

export interface LayerCount {
	total: number;
	/** Some of them are told by overview cells. */
	cells: boolean;
	/** By group field and entry index; null where cells do not tell. */
	groups: (number[] | null)[];
}

function matches(group: LegendGroup, entry: LegendEntry, index: number, value: unknown): boolean {
	if (entry.value !== undefined) return entry.value === value;
	const number = typeof value === "number" ? value : Number.NaN;
	const previous = group.entries[index - 1];
	if (group.kind === "size") {
		const size = Number.isNaN(number) ? 0 : number;
		return (
			size >= (previous?.below ?? Number.NEGATIVE_INFINITY) &&
			size < (entry.below ?? Number.POSITIVE_INFINITY)
		);
	}
	return (
		number > (previous?.upto ?? Number.NEGATIVE_INFINITY) &&
		number <= (entry.upto ?? Number.POSITIVE_INFINITY)
	);
}

/** The entry of a legend group that draws this value; -1 if none does. */
export function entryOf(group: LegendGroup, value: unknown): number {
	return group.entries.findIndex((entry, index) => matches(group, entry, index, value));
}

/** Counts of the features in view. Overview cells tell their total, and the classes they carry (`n_<value>`). */
export function countSeen(legend: LegendGroup[], seen: Iterable<Seen>): LayerCount {
	const known = new Set<string>();
	const groups: (number[] | null)[] = legend.map((group) => group.entries.map(() => 0));
	let total = 0;
	let cells = false;
	for (const feature of seen) {
		if (known.has(feature.key)) continue;
		known.add(feature.key);
		const { properties } = feature;
		const cell = "cell" in properties;
		const n = cell ? Number(properties.n ?? 0) : 1;
		total += n;
		cells ||= cell;
		legend.forEach((group, g) => {
			const counts = groups[g];
			if (!counts) return;
			if (cell) {
				const carried = group.entries.some((entry) => `n_${entry.value}` in properties);
				if (!carried && group.field !== null) {
					groups[g] = null;
					return;
				}
				group.entries.forEach((entry, i) => {
					counts[i] =
						(counts[i] ?? 0) + (group.field === null ? n : Number(properties[`n_${entry.value}`] ?? 0));
				});
				return;
			}
			const i = group.field === null ? 0 : entryOf(group, properties[group.field]);
			if (i >= 0) counts[i] = (counts[i] ?? 0) + 1;
		});
	}
	return { total, cells, groups };
}
