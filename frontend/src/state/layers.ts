import { computed, watch } from "vue";
import { useCatalog } from "@/api/queries";
import { note, view } from "./view";

/** Which layers are on, and the switch. */
export function useSwitches() {
	const catalog = useCatalog();
	const switchable = computed(() => (catalog.data.value?.layers ?? []).filter((layer) => !layer.basemap));
	const on = computed(() => {
		const ids = switchable.value.map((layer) => layer.id);
		const chosen = view.layers ?? switchable.value.filter((layer) => layer.visible).map((layer) => layer.id);
		return new Set(chosen.filter((id) => ids.includes(id)));
	});
	function turn(id: string, wanted: boolean): void {
		const next = new Set(on.value);
		if (wanted) next.add(id);
		else next.delete(id);
		note({ layers: switchable.value.map((layer) => layer.id).filter((other) => next.has(other)) });
	}
	return { catalog, switchable, on, turn };
}

/** Keep a layer on while a desk opens: without its layer on the map it would be blind. */
export function useLayerOn(id: string): void {
	const { catalog, on, turn } = useSwitches();
	watch(
		() => catalog.data.value,
		(given) => {
			if (given?.layers.some((layer) => layer.id === id) && !on.value.has(id)) turn(id, true);
		},
		{ immediate: true },
	);
}
