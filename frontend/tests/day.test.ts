import { describe, expect, it } from "vitest";
import { dayOf, earliest, monthOf, months, startOf } from "@/state/day";

describe("days of the map's past", () => {
	it("takes days that exist, from the first on", () => {
		expect(dayOf("2024-02-29")).toBe("2024-02-29");
		for (const bad of ["2023-02-29", "2024-13-01", "2009-12-31", "2024-1-1", "today", "", null, 20240101])
			expect(dayOf(bad)).toBeNull();
	});

	it("counts months there and back", () => {
		expect(monthOf(earliest)).toBe(0);
		for (const step of [0, 11, 12, 202]) expect(monthOf(startOf(step))).toBe(step);
		expect(startOf(169)).toBe("2024-02-01");
		expect(months(earliest, "2010-03-15")).toBe(3);
	});
});
