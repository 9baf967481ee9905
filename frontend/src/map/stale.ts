/** Which tiles of a source may show what has changed since they were asked for.
 *
 * MapLibre refreshes tiles in view only; what it keeps aside for panning back must be remembered here, or a
 * change would come back hidden.
 */

export interface TileId {
	z: number;
	x: number;
	y: number;
}

/** West, north, east, south in the square of Web Mercator: 0..1, y downwards. */
export type Box = readonly [number, number, number, number];

export const nameOf = ({ z, x, y }: TileId): string => `${z}/${x}/${y}`;

export function boxOf({ z, x, y }: TileId): Box {
	const n = 2 ** z;
	return [x / n, y / n, (x + 1) / n, (y + 1) / n];
}

export function worldOf(lon: number, lat: number): [number, number] {
	const held = Math.max(-85.0511287798066, Math.min(85.0511287798066, lat));
	return [lon / 360 + 0.5, 0.5 - Math.asinh(Math.tan((held * Math.PI) / 180)) / (2 * Math.PI)];
}

const meet = (a: Box, b: Box): boolean => a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];

export class Ledger {
	#now = 0;
	/** When each tile was last asked for. */
	readonly #asked = new Map<string, { tile: TileId; at: number }>();
	/** When each place last changed; a place that changes often is one entry. */
	readonly #changes = new Map<string, { box: Box; at: number }>();

	asked(tiles: Iterable<TileId>): void {
		for (const tile of tiles) this.#asked.set(nameOf(tile), { tile, at: this.#now });
	}

	/** Every tile was asked for anew, and those kept aside were thrown away. */
	forget(): void {
		this.#asked.clear();
		this.#changes.clear();
	}

	changed(boxes: Iterable<Box>): void {
		this.#now += 1;
		for (const box of boxes) this.#changes.set(box.join(), { box, at: this.#now });
	}

	/** Tiles that were last asked for before something in them changed. */
	due(): TileId[] {
		const changes = [...this.#changes.values()];
		return [...this.#asked.values()]
			.filter(({ tile, at }) => {
				const box = boxOf(tile);
				return changes.some((change) => change.at > at && meet(change.box, box));
			})
			.map(({ tile }) => tile);
	}

	get size(): number {
		return this.#changes.size;
	}
}
