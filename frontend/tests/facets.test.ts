import { describe, expect, it } from "vitest";
import type { Layer } from "@/api/pending";
import { cql, facetsOf, known, withFilter } from "@/map/facets";

const text = (zh: string) => ({ zh, en: zh });
const plain = { tile: true, filter: true };
const LAYER: Layer = {
	id: "intakes",
	title: text("取水口"),
	description: text(""),
	kind: "point",
	basemap: false,
	order: 1,
	visible: true,
	minzoom: 0,
	maxzoom: 14,
	cells: true,
	past: true,
	ring: null,
	tilejson: "",
	features: "",
	facets: ["source", "level", "year", "hidden"],
	fields: [
		{ name: "name", type: "string", title: text("名称"), ...plain },
		{
			name: "source",
			type: "string",
			title: text("水源"),
			...plain,
			values: [
				{ value: "ground", title: text("地下水") },
				{ value: "o'hare", title: text("别的") },
				{ value: "river", title: text("地表水") },
			],
		},
		{
			name: "level",
			type: "integer",
			title: text("级别"),
			...plain,
			values: [
				{ value: 1, title: text("省") },
				{ value: 2, title: text("市") },
			],
		},
		{ name: "year", type: "integer", title: text("年份"), ...plain },
	],
	legend: [
		{
			field: "source",
			kind: "colour",
			entries: [{ value: "ground", title: text("地下水"), colour: "#123456" }],
		},
	],
};

describe("what can be chosen", () => {
	it("is what the catalogue serves, in its order; a facet that this account does not see is none", () =>
		expect(facetsOf(LAYER).map((facet) => facet.field.name)).toEqual(["source", "level", "year"]));
	it("takes titles from the field and colours from the legend", () => {
		const [first, second] = facetsOf(LAYER)[0]?.choices ?? [];
		expect(first).toMatchObject({ title: text("地下水"), entry: { colour: "#123456" } });
		expect(second?.entry).toBeUndefined();
	});
	it("forgets what an old address says and nobody declares any more", () => {
		const [source, , year] = facetsOf(LAYER);
		expect(source && known(source, ["river", "gone"])).toEqual(["river"]);
		expect(year && known(year, ["20x9-", "-"])).toEqual([]);
	});
});

describe("the filter as CQL2 text", () => {
	it("joins facets by AND and values by IN, in declared order", () =>
		expect(cql(LAYER, { level: ["2"], source: ["river", "ground"] })).toBe(
			"source IN ('ground','river') AND level IN (2)",
		));
	it("quotes as CQL2 wants", () => expect(cql(LAYER, { source: ["o'hare"] })).toBe("source IN ('o''hare')"));
	it.each([
		["2019-2023", "year >= 2019 AND year <= 2023"],
		["2019-", "year >= 2019"],
		["-2023", "year <= 2023"],
	])("takes the years %s at their word", (token, expected) =>
		expect(cql(LAYER, { year: [token] })).toBe(expected),
	);
	it("says nothing where everything or nothing is chosen", () => {
		expect(cql(LAYER, { level: ["1", "2"] })).toBe("");
		expect(cql(LAYER, { source: ["gone"] })).toBe("");
		expect(cql(LAYER, undefined)).toBe("");
	});
});

it("goes into an address with or without a query", () => {
	expect(withFilter("/t/{z}", "a >= 1")).toBe("/t/{z}?filter=a%20%3E%3D%201");
	expect(withFilter("/t/{z}?v=2", "a")).toBe("/t/{z}?v=2&filter=a");
	expect(withFilter("/t/{z}", "")).toBe("/t/{z}");
});
