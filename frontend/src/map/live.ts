/** The stream of changes: layers whose facts changed are drawn anew and asked for anew. */

import type { QueryClient } from "@tanstack/vue-query";
import { shallowRef } from "vue";
import { json } from "@/api/client";
import { map } from "./instance";

type Versions = Record<string, number>;

/** Tile addresses with their newest version, by layer. */
export const tiles = shallowRef<ReadonlyMap<string, string[]>>(new Map());

/** Draw a layer anew: `setTiles` keeps what is on screen until the new tiles are there. */
export async function refresh(layer: string): Promise<void> {
	const source = map.value?.getSource(layer);
	if (!source || !("setTiles" in source)) return;
	const found = await json<{ tiles: string[] }>(`/tiles/${layer}.json`);
	(source as { setTiles: (urls: string[]) => void }).setTiles(found.tiles);
	tiles.value = new Map([...tiles.value, [layer, found.tiles]]);
}

/** Queries that a change of a layer makes stale, by the first member of their key. */
export function staleKeys(layer: string): string[] {
	const own = { intakes: ["intakes", "regions"], permits: ["permits", "intakes", "regions"] }[layer] ?? [
		layer,
	];
	return layer === "candidates" ? ["candidates", "regions", "runs"] : own;
}

/** Layers whose version differs from what was known. */
export function changed(known: Versions, now: Versions): string[] {
	return Object.keys(now).filter((layer) => now[layer] !== known[layer]);
}

/** Listen until the returned function is called. The browser reconnects by itself. */
export function listen(queries: QueryClient, told: (layers: string[]) => void): () => void {
	let known: Versions | null = null;
	const source = new EventSource("/api/changes/stream");
	const take = (event: MessageEvent<string>): void => {
		const now = (JSON.parse(event.data) as { layers: Versions }).layers;
		const layers = known ? changed(known, now) : [];
		known = { ...known, ...now };
		if (!layers.length) return;
		for (const layer of layers) {
			void refresh(layer);
			for (const key of staleKeys(layer)) void queries.invalidateQueries({ queryKey: [key] });
		}
		told(layers);
	};
	// The first greeting sets what is known; one after a lost connection tells what was missed.
	source.addEventListener("hello", take);
	source.addEventListener("change", take);
	return () => source.close();
}
