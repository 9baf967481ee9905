import { expect, it } from "vitest";
import type { LegendGroup } from "@/api/pending";
import { countSeen, entryOf, type Seen } from "@/map/counts";

const text = { zh: "", en: "" };
const STATE: LegendGroup = {
	field: "permit_state",
	kind: "colour",
	entries: [
		{ value: "linked", title: text },
		{ value: "unpermitted", title: text },
	],
};
const SIZE: LegendGroup = {
	field: "volume",
	kind: "size",
	entries: [{ below: 10, title: text, radius: 4 }, { below: 100, title: text }, { title: text }],
};
const SHARE: LegendGroup = {
	field: "share_pct",
	kind: "colour",
	entries: [{ upto: 80, title: text }, { upto: 100, title: text }, { title: text }],
};
const point = (key: string, properties: Record<string, unknown>): Seen => ({ id: 1, key, properties });

it("puts numbers into the class that paints them: below is open, upto is closed", () => {
	expect([9, 10, 99, 100].map((v) => entryOf(SIZE, v))).toEqual([0, 1, 1, 2]);
	expect([80, 80.1, 100, 100.1].map((v) => entryOf(SHARE, v))).toEqual([0, 1, 1, 2]);
});
it("draws what has no volume smallest, and what has no share in no class", () => {
	expect(entryOf(SIZE, undefined)).toBe(0);
	expect(entryOf(SHARE, undefined)).toBe(-1);
});
it("counts a feature once though two tiles hold it", () => {
	const seen = [point("1", { permit_state: "linked" }), point("1", { permit_state: "linked" })];
	expect(countSeen([STATE], seen)).toEqual({ total: 1, cells: false, groups: [[1, 0]] });
});
it("adds cells up by what they carry, and says nothing where they do not tell", () => {
	const cell = point("a", { cell: true, n: 120, n_linked: 100, n_unpermitted: 20 });
	const single = point("b", { permit_state: "unpermitted", volume: 50 });
	expect(countSeen([STATE, SIZE], [cell, single])).toEqual({
		total: 121,
		cells: true,
		groups: [[100, 21], null],
	});
});
