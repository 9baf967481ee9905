/** Which candidates the desk shows: kept in the address, the same for the list, decisions by filter, and files. */

import { computed } from "vue";
import type { components } from "@/api/schema";
import { useInAddress } from "@/state/asked";
import { view } from "@/state/view";

export type Asked = components["schemas"]["Filters"];
export const SCORES = ["0", "0.25", "0.5", "0.75", "0.9"] as const;

export function useFilters() {
	const { filter, set } = useInAddress();
	const state = filter("state", "suspected");
	const kind = filter("kind", "all");
	const category = filter("category", "all");
	const least = filter("score", "0");
	const most = filter("most", "1");
	const run = filter("run", "all");
	const asked = computed<Asked>(() => ({
		...(state.value === "all" ? {} : { state: state.value as NonNullable<Asked["state"]> }),
		...(kind.value === "all" ? {} : { kind: kind.value as NonNullable<Asked["kind"]> }),
		...(category.value === "all" ? {} : { category: category.value as NonNullable<Asked["category"]> }),
		...(Number(least.value) > 0 ? { min_score: Number(least.value) } : {}),
		...(Number(most.value) < 1 ? { max_score: Number(most.value) } : {}),
		...(/^\d+$/.test(run.value) ? { run: Number(run.value) } : {}),
		...(view.region ? { region: Number(view.region) } : {}),
	}));
	/** As an address has them. */
	const query = computed(() =>
		new URLSearchParams(Object.entries(asked.value).map(([name, value]) => [name, String(value)])).toString(),
	);
	return { state, kind, category, least, most, run, set, asked, query };
}
