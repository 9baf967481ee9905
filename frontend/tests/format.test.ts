import { describe, expect, it } from "vitest";
import {
	area,
	count,
	date,
	distance,
	fieldValue,
	moment,
	position,
	share,
	shortCount,
	volume,
} from "@/lib/format";

describe("volumes", () => {
	it("are 万m³ with at most four decimals, trailing zeros cut", () => {
		expect(volume(12_345_678, "zh")).toBe("1,234.5678万m³");
		expect(volume(9_100, "zh")).toBe("0.91万m³");
		expect(volume(10_000, "zh")).toBe("1万m³");
		expect(volume(10_000.4, "zh")).toBe("1万m³");
		expect(volume(0, "zh")).toBe("0万m³");
	});
	it("never round something to nothing", () => expect(volume(0.3, "zh")).toBe("<0.0001万m³"));
	it("say nothing of what is unknown", () => {
		expect(volume(null, "zh")).toBe("—");
		expect(volume(Number.NaN, "en")).toBe("—");
	});
	it("read as powers of ten in English", () => expect(volume(12_345, "en")).toBe("1.2345 ×10⁴ m³"));
});

it("calls a share all only if it is, and nothing only if it is", () => {
	expect([0, 0.002, 0.5, 0.9967, 1].map((one) => share(one, "zh"))).toEqual([
		"0%",
		"<1%",
		"50%",
		">99%",
		"100%",
	]);
});

it("groups short counts by ten thousand in Chinese, by thousand in English", () => {
	expect(shortCount(9_999, "zh")).toBe("9,999");
	expect(shortCount(12_345, "zh")).toBe("1.2万");
	expect(shortCount(12_345, "en")).toBe("12.3k");
	expect(shortCount(1_234_567, "zh")).toBe("123.5万");
	expect(count(1_234_567, "zh")).toBe("1,234,567");
});

it("keeps the day of a bare date in every time zone", () => {
	expect(date("2026-03-01", "zh")).toBe("2026-03-01");
	expect(date("2026-03-01", "en")).toBe("1 Mar 2026");
	expect(date(null, "zh")).toBe("—");
	expect(date("2026-02-28T17:30:00Z", "zh")).toBe("2026-03-01");
});

it("gives areas, distances and positions their unit", () => {
	expect(area(812.4, "zh")).toBe("812 m²");
	expect(area(123_456, "zh")).toBe("12.35 公顷");
	expect(area(123_456, "en")).toBe("12.35 ha");
	expect(distance(999.4, "zh")).toBe("999 m");
	expect(distance(1_234, "zh")).toBe("1.23 km");
	expect(position(119.4, -32.7, "zh")).toBe("东经119.40000° 南纬32.70000°");
	expect(position(-119.4, 32.7, "en")).toBe("119.40000° W, 32.70000° N");
});

describe("values of declared fields", () => {
	const plain = { name: "x", title: { zh: "", en: "" }, tile: true, filter: false };
	it("take the title of their code", () => {
		const field = {
			...plain,
			type: "string" as const,
			values: [{ value: "in_use", title: { zh: "在用", en: "In use" } }],
		};
		expect(fieldValue(field, "in_use", "zh")).toBe("在用");
		expect(fieldValue(field, "in_use", "en")).toBe("In use");
		expect(fieldValue(field, "other", "en")).toBe("other");
	});
	it("take their unit", () => {
		expect(fieldValue({ ...plain, type: "number", unit: "m3" }, 9_100, "zh")).toBe("0.91万m³");
		expect(fieldValue({ ...plain, type: "number", unit: "%" }, 87.654, "zh")).toBe("87.7%");
	});
	it("do not group codes and years", () =>
		expect(fieldValue({ ...plain, type: "integer" }, 321012, "zh")).toBe("321012"));
	it("show a dash for nothing and words for yes and no", () => {
		expect(fieldValue({ ...plain, type: "string" }, null, "zh")).toBe("—");
		expect(fieldValue({ ...plain, type: "boolean" }, false, "zh")).toBe("否");
	});
});

it("tells instants by China's clock, wherever the reader's machine stands", () => {
	expect(moment("2026-11-30T20:38:00Z", "zh")).toBe("2026-12-01 04:38");
	expect(moment("2026-12-01T01:05:00+09:00", "en")).toBe("1 Dec 2026 00:05");
	expect(moment(null, "zh")).toBe("—");
});
