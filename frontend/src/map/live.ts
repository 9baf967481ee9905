/** Tile addresses with their newest version, kept up by the stream of changes. */

import { shallowRef } from "vue";
import { json } from "@/api/client";
import { map } from "./instance";

export const tiles = shallowRef<ReadonlyMap<string, string[]>>(new Map());

/** Draw a layer anew: `setTiles` keeps what is on screen until the new tiles are there. */
export async function refresh(layer: string): Promise<void> {
	const source = map.value?.getSource(layer);
	if (!source || !("setTiles" in source)) return;
	const found = await json<{ tiles: string[] }>(`/tiles/${layer}.json`);
	(source as { setTiles: (urls: string[]) => void }).setTiles(found.tiles);
	tiles.value = new Map([...tiles.value, [layer, found.tiles]]);
}
