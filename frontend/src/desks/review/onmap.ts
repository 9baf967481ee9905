/** Which intakes are under review, ringed on the map; the one looked at more strongly. */

import { onBeforeUnmount, watch } from "vue";
import { sketch } from "@/map/sketch";
import { type Item, looked, nameOf } from "./steps";

export function useRings(items: () => readonly Item[]): void {
	const draw = () => {
		const ends = items().flatMap((item) => {
			if (item.lon === null || item.lat === null) return [];
			const chosen = item.id === looked.value;
			return [
				{
					at: [item.lon, item.lat] as [number, number],
					label: chosen ? nameOf(item) : "",
					chosen,
					ring: true,
				},
			];
		});
		sketch.value = ends.length ? { from: null, ends } : null;
	};
	watch([items, looked], draw, { immediate: true });
	onBeforeUnmount(() => {
		sketch.value = null;
		looked.value = null;
	});
}
