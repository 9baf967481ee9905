import { QueryClient, QueryObserver } from "@tanstack/vue-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { refresher } from "@/map/instance";
import { changed, connected, listen, merge, type News, paced, places, staleKeys } from "@/map/live";
import type { Refresher } from "@/map/refresh";
import { boxOf, Ledger, worldOf } from "@/map/stale";

describe("the ledger of tiles", () => {
	const here = { z: 9, x: 425, y: 207 };
	const above = { z: 8, x: 212, y: 103 };
	const away = { z: 9, x: 400, y: 207 };
	const place = boxOf({ z: 14, x: 425 * 32 + 3, y: 207 * 32 + 5 });

	it("finds tiles of every zoom that hold a changed place, and no others", () => {
		const ledger = new Ledger();
		ledger.asked([here, above, away]);
		expect(ledger.due()).toEqual([]);
		ledger.changed([place]);
		expect(ledger.due()).toEqual([here, above]);
	});
	it("keeps a tile due until it has been asked for again, as one that is kept aside must", () => {
		const ledger = new Ledger();
		ledger.asked([here, above]);
		ledger.changed([place]);
		ledger.asked([here]);
		expect(ledger.due()).toEqual([above]);
		ledger.changed([place]);
		expect(ledger.due()).toEqual([here, above]);
		expect(ledger.size).toBe(1);
		ledger.forget();
		expect(ledger.due()).toEqual([]);
	});
	it("knows where a position lies in the world", () => {
		expect(worldOf(0, 0)).toEqual([0.5, 0.5]);
		expect(worldOf(-180, 90)[1]).toBeCloseTo(0, 9);
	});
});

describe("news", () => {
	it("name the layers whose version moved, and what they make stale", () => {
		expect(changed({ intakes: 1, permits: 4 }, { intakes: 2, permits: 4, regions: 1 })).toEqual([
			"intakes",
			"regions",
		]);
		expect(staleKeys("candidates")).toContain("runs");
		expect(staleKeys("scenes")).toEqual(["scenes"]);
	});
	it("name places by tiles or boxes, and anywhere if they cannot be read", () => {
		expect(places(["1/1/0"])).toEqual([[0.5, 0, 1, 0.5]]);
		expect(places([[0, 0, 90, 0]])).toEqual([[0.5, 0.5, 0.75, 0.5]]);
		expect(places(undefined)).toBeNull();
		expect(places(["1/1"])).toBeNull();
	});
	it("add up, and anywhere swallows places", () => {
		const news: News = new Map();
		merge(news, "a", [[0, 0, 1, 1]]);
		merge(news, "a", [[1, 1, 2, 2]]);
		expect(news.get("a")).toHaveLength(2);
		merge(news, "a", null);
		merge(news, "a", [[0, 0, 1, 1]]);
		expect(news.get("a")).toBeNull();
	});
});

class Stream extends EventTarget {
	static all: Stream[] = [];
	static readonly CLOSED = 2;
	readyState = 1;
	constructor(readonly url: string) {
		super();
		Stream.all.push(this);
	}
	close(): void {
		this.readyState = Stream.CLOSED;
	}
	say(name: string, layers: Record<string, number>): void {
		this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify({ layers }) }));
	}
}

describe("the stream", () => {
	const drawn = vi.fn();
	let stop: () => void;
	const last = () => Stream.all.at(-1) as Stream;
	beforeEach(() => {
		vi.useFakeTimers();
		vi.stubGlobal("EventSource", Stream);
		Stream.all = [];
		drawn.mockClear();
		refresher.value = { changed: drawn } as unknown as Refresher;
		stop = listen(new QueryClient());
	});
	afterEach(() => {
		stop();
		vi.unstubAllGlobals();
		vi.useRealTimers();
	});

	it("draws nothing for a greeting, and once a second for a hundred changes a second", () => {
		last().say("hello", { intakes: 1 });
		vi.advanceTimersByTime(2000);
		expect(drawn).not.toHaveBeenCalled();
		for (let n = 2; n < 302; n += 1) {
			last().say("change", { intakes: n });
			vi.advanceTimersByTime(10);
		}
		vi.advanceTimersByTime(1000);
		expect(drawn.mock.calls.length).toBeGreaterThanOrEqual(3);
		expect(drawn.mock.calls.length).toBeLessThanOrEqual(5);
	});
	it("asks again for what was on its way when the news came, for its answer may be from before", async () => {
		const queries = new QueryClient();
		stop();
		stop = listen(queries);
		const answers: ((value: string) => void)[] = [];
		const queryFn = vi.fn(() => new Promise<string>((resolve) => answers.push(resolve)));
		const leave = new QueryObserver(queries, { queryKey: ["candidates", 3], queryFn }).subscribe(() => {});
		last().say("hello", { candidates: 1 });
		last().say("change", { candidates: 2 });
		await vi.advanceTimersByTimeAsync(3000);
		expect(queryFn).toHaveBeenCalledTimes(1);
		answers[0]?.("before");
		await vi.advanceTimersByTimeAsync(1100);
		expect(queryFn).toHaveBeenCalledTimes(2);
		answers[1]?.("after");
		await vi.advanceTimersByTimeAsync(5000);
		expect(queryFn).toHaveBeenCalledTimes(2);
		leave();
	});
	it("learns from the greeting after a lost connection what it missed", () => {
		last().say("hello", { intakes: 1 });
		last().dispatchEvent(new Event("error"));
		expect(connected.value).toBe(false);
		last().say("hello", { intakes: 5 });
		vi.advanceTimersByTime(10);
		expect(connected.value).toBe(true);
		expect(drawn).toHaveBeenCalledWith("intakes", null);
	});
	it("opens anew after a refusal, which ends a stream for good", () => {
		last().readyState = Stream.CLOSED;
		last().dispatchEvent(new Event("error"));
		expect(Stream.all).toHaveLength(1);
		vi.advanceTimersByTime(1000);
		expect(Stream.all).toHaveLength(2);
	});
	it("gives its connection back while nobody looks, and takes it again", () => {
		const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
		document.dispatchEvent(new Event("visibilitychange"));
		vi.advanceTimersByTime(11_000);
		expect(last().readyState).toBe(Stream.CLOSED);
		hidden.mockReturnValue(false);
		document.dispatchEvent(new Event("visibilitychange"));
		expect(Stream.all).toHaveLength(2);
		hidden.mockRestore();
	});
});

it("runs what is asked for often at its pace, and never forgets the last", () => {
	vi.useFakeTimers();
	const run = vi.fn();
	const ask = paced(run, 100);
	ask();
	vi.advanceTimersByTime(1);
	ask();
	ask();
	expect(run).toHaveBeenCalledTimes(1);
	vi.advanceTimersByTime(100);
	expect(run).toHaveBeenCalledTimes(2);
	vi.useRealTimers();
});
