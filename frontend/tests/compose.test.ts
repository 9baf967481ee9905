import type { StyleSpecification } from "maplibre-gl";
import { expect, it } from "vitest";
import { compose, drawn, type Switches } from "@/map/compose";

const common = { source: "intakes", "source-layer": "intakes" };
const SERVER: StyleSpecification = {
	version: 8,
	sources: { intakes: { type: "vector", tiles: ["/old"] }, regions: { type: "vector", tiles: ["/r"] } },
	layers: [
		{ id: "land", type: "background" },
		{ id: "intakes", type: "circle", ...common, metadata: { "shuitu:layer": "intakes" } },
		{ id: "n", type: "symbol", ...common, metadata: { "shuitu:layer": "intakes", "shuitu:part": "cells" } },
		{
			id: "name",
			type: "symbol",
			...common,
			metadata: { "shuitu:layer": "intakes", "shuitu:part": "label" },
		},
	],
};
const PLAIN: Switches = {
	on: new Set(["intakes"]),
	switchable: new Set(["intakes"]),
	selection: null,
	region: null,
	pin: null,
	accent: "#00838f",
	overlay: null,
	filters: new Map(),
	past: null,
};
const kinds = new Map([["intakes", "point"]]);
const ids = (style: StyleSpecification) => style.layers.map((layer) => layer.id);

it("hides what is off and leaves the base map alone", () => {
	const made = compose(SERVER, kinds, { ...PLAIN, on: new Set() });
	expect(made.layers.map((layer) => layer.layout?.visibility)).toEqual([undefined, "none", "none", "none"]);
});
it("leaves the server's style as it was", () => {
	const before = JSON.stringify(SERVER);
	compose(SERVER, kinds, { ...PLAIN, selection: { layer: "intakes", id: 1 }, pin: [1, 2] });
	expect(JSON.stringify(SERVER)).toBe(before);
});
it("rings the selected, unless its layer is off", () => {
	const selection = { layer: "intakes", id: 7 };
	expect(ids(compose(SERVER, kinds, { ...PLAIN, selection }))).toContain("selection");
	expect(ids(compose(SERVER, kinds, { ...PLAIN, selection, on: new Set() }))).not.toContain("selection");
});
it("lays imagery above the ground and below the register", () => {
	const overlay = { scene: 3, bounds: [1, 2, 3, 4], rendering: "true" };
	expect(ids(compose(SERVER, kinds, { ...PLAIN, overlay })).slice(0, 3)).toEqual([
		"land",
		"imagery",
		"intakes",
	]);
	const source = compose(SERVER, kinds, { ...PLAIN, overlay: { ...overlay, like: 2 } }).sources.imagery;
	expect(source).toMatchObject({
		tiles: [`${location.origin}/imagery/3/{z}/{x}/{y}.webp?render_as=true&like=2`],
	});
});
it("asks for tiles under the filter, of the filtered layer only", () => {
	const made = compose(SERVER, kinds, { ...PLAIN, filters: new Map([["intakes", "status IN ('in_use')"]]) });
	expect(made.sources.intakes).toMatchObject({ tiles: ["/old?filter=status%20IN%20('in_use')"] });
	expect(made.sources.regions).toMatchObject({ tiles: ["/r"] });
});
it("asks for tiles of a past day, of the layers that have a past, beside the filter", () => {
	const filters = new Map([["intakes", "a = 1"]]);
	const past = { day: "2024-06-30", layers: new Set(["intakes", "permits"]) };
	const made = compose(SERVER, kinds, { ...PLAIN, filters, past });
	expect(made.sources.intakes).toMatchObject({ tiles: ["/old?filter=a%20%3D%201&datetime=2024-06-30"] });
	expect(made.sources.regions).toMatchObject({ tiles: ["/r"] });
});
it("knows which style layers draw features", () => expect(drawn(SERVER, "intakes")).toEqual(["intakes"]));
