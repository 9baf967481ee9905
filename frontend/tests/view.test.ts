import { describe, expect, it } from "vitest";
import { format, parse, type View } from "@/state/view";

const FULL: View = {
	camera: { zoom: 11.25, lat: 32.75, lon: 119.45 },
	layers: ["intakes", "regions"],
	filters: {
		intakes: { source_type: ["groundwater", "surface_water"], started_year: ["2019-"] },
		permits: { status: ["valid"] },
	},
	selection: { layer: "intakes", id: 20 },
	region: "321084",
	open: "region",
	pin: [119.5, 32.8],
	scene: 3,
	before: 2,
	day: "2024-06-30",
	bands: "false_colour",
	theme: "dark",
	lang: "en",
};

describe("the view in the address", () => {
	it("comes back as it went out", () => expect(parse(format(FULL))).toEqual(FULL));
	it("is empty for a page that nobody touched", () => expect(format(parse({}))).toEqual({}));
	it("tells no layers at all from the catalogue's own choice", () => {
		expect(parse({}).layers).toBeNull();
		expect(parse(format({ ...parse({}), layers: [] })).layers).toEqual([]);
	});
	it.each([
		["at", "abc"],
		["at", "99/32/119"],
		["at", "8/32"],
		["f", "intakes"],
		["f", "intakes.status."],
		["f", "intakes.status.a'b"],
		["sel", "intakes:x"],
		["region", "32'--"],
		["pin", "500,1"],
		["scene", "x"],
		["day", "2024-02-30"],
		["day", "1999-01-01"],
		["theme", "pink"],
		["lang", "fr"],
	])("takes a malformed %s=%s for absent", (name, value) =>
		expect(parse({ [name]: value })).toEqual(parse({})),
	);
});
