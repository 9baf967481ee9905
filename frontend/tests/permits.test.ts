import { describe, expect, it } from "vitest";
import {
	badAmount,
	draftOf,
	emptyLimit,
	emptyPoint,
	eventBody,
	factsOf,
	inTenThousand,
	issueBody,
	type Permit,
} from "@/permits/entry";

const permit = {
	id: 1,
	permit_no: "D321084S2024-0001",
	holder_name: "甲公司",
	version: 3,
	status: "valid",
	source_type: "surface_water",
	purpose: "industry",
	place: "临泽镇",
	issuing_authority: "高邮市水利局",
	supervising_authority: "",
	valid_from: "2024-01-01",
	valid_to: "2028-12-31",
	e_licence: null,
	limits: [
		{
			seq: 1,
			period: "",
			source_type: "all",
			well_field: "",
			purpose: "all",
			annual_m3: 12_345_678,
			daily_m3: null,
			flow_m3s: 0.5,
			condition: "",
		},
	],
	points: [
		{
			seq: 4,
			code: "P-4",
			name: "一号泵站",
			place: "",
			lon: 119.5,
			lat: 32.5,
			position_error_m: 30,
			source_type: "surface_water",
			water_body: "里运河",
			purpose: "industry",
			annual_m3: 20_000,
		},
	],
	intakes: [
		{ id: 7, code: "W7", name: "七号井", permit_state: "linked", county_code: 321084, lon: 119, lat: 32 },
	],
} as unknown as Permit;

describe("what is entered about a permit", () => {
	it("says only what differs from the permit as it stood", () => {
		const first = draftOf("vary", permit);
		const draft = { ...draftOf("vary", permit), purpose: "irrigation" };
		expect(factsOf(draft, first)).toEqual({ purpose: "irrigation" });
		expect(eventBody(draft, first, 3)).toMatchObject({
			event: "vary",
			version: 3,
			facts: { purpose: "irrigation" },
		});
	});

	it("takes volumes in 万m³ and sends m³", () => {
		const draft = draftOf("vary", permit);
		expect(draft.limits[0]?.annual).toBe("1234.5678");
		if (draft.limits[0]) draft.limits[0].annual = "1000.1";
		expect(factsOf(draft, draftOf("vary", permit)).limits?.[0]).toMatchObject({
			annual_m3: 10_001_000,
			flow_m3s: 0.5,
			daily_m3: null,
		});
		expect(inTenThousand(null)).toBe("");
	});

	it("notices what is no amount", () => {
		const draft = { ...draftOf("vary", permit), limits: [{ ...emptyLimit(), daily: "many" }] };
		expect(badAmount(draft)).toBe("many");
		expect(badAmount({ ...draft, limits: [{ ...emptyLimit(), annual: "-1" }] })).toBe("-1");
		expect(badAmount({ ...draft, limits: [{ ...emptyLimit(), annual: " 2.5 " }] })).toBeNull();
	});

	it("lists intakes as a whole, those known by their number", () => {
		const first = draftOf("vary", permit);
		const draft = draftOf("vary", permit);
		expect(factsOf(draft, first)).not.toHaveProperty("points");
		draft.points.push({ ...emptyPoint(), name: "二号泵站 ", lon: "119.6", lat: "32.6", annual: "1.5" });
		expect(factsOf(draft, first).points).toMatchObject([
			{ seq: 4, code: "P-4", position_error_m: 30, lon: 119.5, annual_m3: 20_000 },
			{ name: "二号泵站", lon: 119.6, lat: 32.6, annual_m3: 15_000 },
		]);
		expect(factsOf(draft, first).points?.[1]).not.toHaveProperty("seq");
		draft.points[1] = { ...emptyPoint(), lon: "119°30'" };
		expect(badAmount(draft)).toBe("119°30'");
		draft.points[1] = { ...emptyPoint(), lon: "-70.5", lat: "-33" };
		expect(badAmount(draft)).toBeNull();
	});

	it("asks each event for its own facts alone", () => {
		const renewal = {
			...draftOf("renew", permit),
			valid_to: "2033-12-31",
			purpose: "irrigation",
			applied_on: "2028-10-01",
		};
		const body = eventBody(renewal, draftOf("renew", permit), 3);
		expect(body.facts).toEqual({ valid_to: "2033-12-31" });
		expect(body.applied_on).toBe("2028-10-01");
		const end = { ...draftOf("cancel", permit), ground: "idle" };
		expect(eventBody(end, draftOf("cancel", permit), 3)).toMatchObject({ ground: "idle", facts: {} });
		const correction = { ...draftOf("correct", permit), reinstate: true };
		expect(eventBody(correction, draftOf("correct", permit), 3)).not.toHaveProperty("effective_on");
	});

	it("changes the intakes under it as a whole list", () => {
		const draft = draftOf("vary", permit);
		draft.intakes.push("W8");
		expect(factsOf(draft, draftOf("vary", permit)).intakes).toEqual([7, "W8"]);
	});

	it("issues with what a new permit must say", () => {
		const draft = {
			...draftOf("issue", null),
			permit_no: " D321084S2026-0009 ",
			holder_name: "乙",
			county_code: "321084",
			valid_to: "2030-01-01",
		};
		expect(issueBody(draft)).toMatchObject({
			permit_no: "D321084S2026-0009",
			county_code: 321084,
			valid_to: "2030-01-01",
		});
	});
});
