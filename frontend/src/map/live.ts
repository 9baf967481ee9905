/** The stream of changes: what changed is drawn anew and asked for anew, by itself, at most about once a second. */

import type { QueryClient } from "@tanstack/vue-query";
import { ref } from "vue";
import { refresher } from "./instance";
import { type Box, boxOf, worldOf } from "./stale";

type Versions = Record<string, number>;
/** A place as the stream tells it: a tile `z/x/y`, or west, south, east, north in degrees. */
type Place = string | readonly number[];
/** What the stream says: versions by layer, and where something changed, if it tells. */
interface Said {
	layers: Versions;
	where?: Record<string, Place[] | null>;
}
/** Places that changed, by layer; null: anywhere. */
export type News = Map<string, Box[] | null>;

const PACE_MS = 1000;
const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000];
/** A window that nobody looks at gives its connection back: browsers have six a server for all windows. */
const HIDDEN_MS = 10_000;

/** False while the stream is lost: then the map may show what has passed. */
export const connected = ref(true);

/** Draw a layer anew, as after a decision made here. */
export function refresh(layer: string): void {
	refresher.value?.changed(layer, null);
}

/** Queries that a change of a layer makes stale, by the first member of their key. */
export function staleKeys(layer: string): string[] {
	const counted = ["regions", "statistics"];
	const known: Record<string, string[]> = {
		intakes: ["intakes", "matching", "review", ...counted],
		permits: ["permits", "intakes", "matching", ...counted],
		candidates: ["candidates", "regions", "runs"],
	};
	return known[layer] ?? [layer];
}

/** Layers whose version differs from what was known. */
export function changed(known: Versions, now: Versions): string[] {
	return Object.keys(now).filter((layer) => now[layer] !== known[layer]);
}

function placeOf(said: Place): Box | null {
	const parts = typeof said === "string" ? said.split("/").map(Number) : said;
	const [first = 0, second = 0, third = 0, fourth] = parts;
	if (!parts.every(Number.isFinite)) return null;
	if (parts.length === 3) return boxOf({ z: first, x: second, y: third });
	if (parts.length !== 4 || fourth === undefined) return null;
	return [...worldOf(first, fourth), ...worldOf(third, second)];
}

/** Places as boxes; null: anywhere, as where one cannot be read. */
export function places(said: Place[] | null | undefined): Box[] | null {
	const boxes = said?.map(placeOf) ?? [null];
	return boxes.every((box) => box !== null) ? boxes : null;
}

/** Add news to news: "anywhere" swallows places. */
export function merge(into: News, layer: string, places: Box[] | null): void {
	const before = into.has(layer) ? into.get(layer) : [];
	into.set(layer, before && places ? [...before, ...places] : null);
}

/** Gathers calls: the first runs at once, what follows within the pace runs together at its end. */
export function paced(run: () => void, pace = PACE_MS): () => void {
	let last = Number.NEGATIVE_INFINITY;
	let timer: ReturnType<typeof setTimeout> | undefined;
	return () => {
		if (timer !== undefined) return;
		const wait = Math.max(0, last + pace - performance.now());
		timer = setTimeout(() => {
			timer = undefined;
			last = performance.now();
			run();
		}, wait);
	};
}

/** Listen until the returned function is called, through lost connections and hidden windows. */
export function listen(queries: QueryClient): () => void {
	let known: Versions | null = null;
	let source: EventSource | undefined;
	let failures = 0;
	let timer: ReturnType<typeof setTimeout> | undefined;
	const news: News = new Map();

	/** Keys whose question was on its way when the news came: its answer may be from before. */
	const late = new Set<string>();
	const asking = (key: string) => queries.isFetching({ queryKey: [key] }) > 0;
	const stale = (key: string) =>
		void queries.invalidateQueries({ queryKey: [key] }, { cancelRefetch: false });
	const flush = paced(() => {
		for (const key of [...late].filter((one) => !asking(one))) {
			late.delete(key);
			stale(key);
		}
		for (const [layer, places] of news) {
			refresher.value?.changed(layer, places);
			for (const key of staleKeys(layer)) {
				// Let through, and asked again once it has come: stopped under steady changes it would never be answered.
				if (asking(key)) late.add(key);
				stale(key);
			}
		}
		news.clear();
		if (late.size) flush();
	});

	const take = (event: MessageEvent<string>): void => {
		failures = 0;
		connected.value = true;
		const { layers: now, where } = JSON.parse(event.data) as Said;
		// A change names its layers; a greeting names all, and those that moved meanwhile were missed.
		const missed = known ? changed(known, now) : [];
		const layers = event.type === "change" ? Object.keys(now) : missed;
		known = { ...known, ...now };
		if (!layers.length) return;
		for (const layer of layers) merge(news, layer, places(where?.[layer]));
		flush();
	};

	const close = (): void => {
		clearTimeout(timer);
		source?.close();
		source = undefined;
	};

	const open = (): void => {
		close();
		source = new EventSource("/api/changes/stream");
		// The first greeting sets what is known; one after a lost connection tells what was missed.
		source.addEventListener("hello", take);
		source.addEventListener("change", take);
		source.addEventListener("error", () => {
			connected.value = false;
			// The browser tries again by itself, but not after a refusal, as a balancer gives while we restart.
			if (source?.readyState !== EventSource.CLOSED) return;
			timer = setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
			failures += 1;
		});
	};

	const look = (): void => {
		clearTimeout(timer);
		if (document.hidden) timer = setTimeout(close, HIDDEN_MS);
		else if (!source || source.readyState === EventSource.CLOSED) open();
	};

	open();
	document.addEventListener("visibilitychange", look);
	return () => {
		document.removeEventListener("visibilitychange", look);
		close();
	};
}
