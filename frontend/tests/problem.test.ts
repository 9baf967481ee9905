import { describe, expect, it } from "vitest";
import { half, Problem, sentence } from "@/api/problem";
import { remaining } from "@/desks/imports/upload";

describe("a server's sentence", () => {
	it("is read in the language of the screen", () => {
		expect(half("没有影像 3 (no such scene)", "zh")).toBe("没有影像 3");
		expect(half("没有影像 3 (no such scene)", "en")).toBe("No such scene");
	});
	it("keeps inner brackets", () => expect(half("不对 (wrong (twice))", "en")).toBe("Wrong (twice)"));
	it("stays whole without two halves", () => expect(half("plain (text)", "zh")).toBe("plain (text)"));
});
it("names the request where the operator must look", () => {
	const problem = new Problem(500, { detail: "出错 (it broke)", request_id: "ab12" });
	expect(sentence(problem, "zh")).toContain("ab12");
	expect(sentence(new Problem(404, { detail: "没有 (none)", request_id: "ab12" }), "zh")).toBe("没有");
});
it("says that the server was not reached", () =>
	expect(sentence(new TypeError("x"), "en")).toContain("cannot be reached"));

it("tells the remaining time by the pace so far, and nothing before there is one", () => {
	const record = { rows_total: 400, rows_read: 100, started_at: "2026-01-01T00:00:00Z" } as Parameters<
		typeof remaining
	>[0];
	expect(remaining(record, Date.parse("2026-01-01T00:00:10Z"))).toBe(30);
	expect(remaining({ ...record, rows_read: 0 }, Date.now())).toBeNull();
});
