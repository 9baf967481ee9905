/** Filters of a desk, as the address says them. */

import { computed, type WritableComputedRef } from "vue";
import { useRoute, useRouter } from "vue-router";

/** Makes the filters of an address: what one is unless said otherwise is left out there. `mode`: whether a change is a
 * step that "back" takes back. */
export function useInAddress(mode: "push" | "replace" = "replace") {
	const route = useRoute();
	const router = useRouter();
	const names: string[] = [];
	function filter(name: string, fallback: string | (() => string)): WritableComputedRef<string> {
		const usual = () => (typeof fallback === "string" ? fallback : fallback());
		names.push(name);
		return computed<string>({
			get: () => (typeof route.query[name] === "string" ? route.query[name] : usual()),
			set: (value) => {
				void router[mode]({ query: { ...route.query, [name]: value === usual() ? undefined : value } });
			},
		});
	}
	/** How many are set otherwise. */
	const set = computed(() => names.filter((name) => typeof route.query[name] === "string").length);
	return { filter, set };
}
