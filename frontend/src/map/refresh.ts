/** Draw again what changed: only the tiles that could show it, kept on screen until the new ones are there. */

import type { Map as MapLibre, MapSourceDataEvent } from "maplibre-gl";
import { type Box, Ledger, nameOf, type TileId, worldOf } from "./stale";

/** More changed places than this, and the whole layer is asked for anew: each tile that is as it was costs a 304. */
const MOST_PLACES = 2000;

export class Refresher {
	readonly #map: MapLibre;
	readonly #ledgers = new Map<string, Ledger>();
	/** Tiles on their way for the first time: they may still bring what was true before a change. */
	readonly #coming = new Map<string, Set<string>>();

	constructor(map: MapLibre) {
		this.#map = map;
		map.on("sourcedataloading", (event) => this.#begun(event));
		map.on("sourcedata", (event) => this.#ended(event));
		map.on("sourcedataabort", (event) => this.#ended(event));
		map.on("moveend", () => {
			for (const source of this.#ledgers.keys()) this.#ask(source);
		});
	}

	/** Something changed in these places of a layer; null: anywhere. */
	changed(source: string, places: readonly Box[] | null): void {
		if (!this.#map.getSource(source)) return;
		const ledger = this.#ledger(source);
		if (places && ledger.size + places.length <= MOST_PLACES) {
			ledger.changed(places);
			this.#ask(source);
			return;
		}
		ledger.forget();
		this.#map.refreshTiles(source);
		ledger.asked(this.#inView(source));
	}

	/** All tiles of a source come anew by themselves (its address changed). */
	renewed(source: string): void {
		this.#ledgers.get(source)?.forget();
	}

	#ledger(source: string): Ledger {
		const found = this.#ledgers.get(source) ?? new Ledger();
		this.#ledgers.set(source, found);
		return found;
	}

	#ask(source: string): void {
		const ledger = this.#ledger(source);
		const due = ledger.due();
		if (!due.length || !this.#map.getSource(source)) return;
		this.#map.refreshTiles(source, due);
		const seen = new Set(this.#inView(source).map(nameOf));
		const coming = this.#coming.get(source);
		ledger.asked(due.filter((tile) => seen.has(nameOf(tile)) && !coming?.has(nameOf(tile))));
	}

	#begun(event: MapSourceDataEvent): void {
		const tile = event.coord?.canonical;
		if (!tile) return;
		this.#ledger(event.sourceId).asked([tile]);
		const coming = this.#coming.get(event.sourceId) ?? new Set();
		this.#coming.set(event.sourceId, coming.add(nameOf(tile)));
	}

	#ended(event: MapSourceDataEvent): void {
		const tile = event.coord?.canonical;
		if (tile && this.#coming.get(event.sourceId)?.delete(nameOf(tile))) this.#ask(event.sourceId);
	}

	/** The tiles that cover the screen, at the zoom at which they are asked for. */
	#inView(source: string): TileId[] {
		const { minzoom = 0, maxzoom = 22 } = this.#map.getSource(source) ?? {};
		const z = Math.min(maxzoom, Math.floor(this.#map.getZoom()));
		if (z < minzoom) return [];
		const bounds = this.#map.getBounds();
		const [west, north] = worldOf(bounds.getWest(), bounds.getNorth());
		const [east, south] = worldOf(bounds.getEast(), bounds.getSouth());
		const n = 2 ** z;
		const found: TileId[] = [];
		for (let y = Math.floor(north * n); y <= Math.min(n - 1, Math.floor(south * n)); y += 1) {
			for (let x = Math.floor(west * n); x <= Math.floor(east * n); x += 1)
				found.push({ z, x: ((x % n) + n) % n, y });
		}
		return found;
	}
}
