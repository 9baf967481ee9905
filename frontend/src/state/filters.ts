/** What the map is filtered by. The address holds it; the catalogue says what can be chosen. */

import { computed } from "vue";
import { cql, type Facet, facetsOf, known } from "@/map/facets";
import { useSwitches } from "./layers";
import { note, view } from "./view";

export function useFilters() {
	const { switchable } = useSwitches();
	const facets = computed(() => new Map(switchable.value.map((layer) => [layer.id, facetsOf(layer)])));
	/** CQL2 text by layer, of those that are filtered. */
	const texts = computed(() => {
		const all = switchable.value.map((layer) => [layer.id, cql(layer, view.filters[layer.id])] as const);
		return new Map(all.filter(([, text]) => text));
	});

	const chosen = (layer: string, facet: Facet): string[] =>
		known(facet, view.filters[layer]?.[facet.field.name]);

	function choose(layer: string, field: string, tokens: readonly string[]): void {
		const { [field]: _, ...others } = view.filters[layer] ?? {};
		const next = tokens.length ? { ...others, [field]: tokens } : others;
		const { [layer]: __, ...rest } = view.filters;
		note({ filters: Object.keys(next).length ? { ...rest, [layer]: next } : rest });
	}

	function toggle(layer: string, facet: Facet, token: string): void {
		const now = chosen(layer, facet);
		const next = now.includes(token) ? now.filter((one) => one !== token) : [...now, token];
		choose(layer, facet.field.name, next);
	}

	/** Take all filters away, of one layer or of every layer. */
	function clear(layer?: string): void {
		const { [layer ?? ""]: _, ...rest } = view.filters;
		note({ filters: layer ? rest : {} });
	}

	return { switchable, facets, texts, chosen, choose, toggle, clear };
}
