/** Filters of a desk, as the address says them. */

import { computed, type WritableComputedRef } from "vue";
import { useRoute, useRouter } from "vue-router";

/** Makes one filter of the address: what it is unless said otherwise is left out there. */
export function useInAddress(): (name: string, fallback: string) => WritableComputedRef<string> {
	const route = useRoute();
	const router = useRouter();
	return (name, fallback) =>
		computed<string>({
			get: () => (typeof route.query[name] === "string" ? (route.query[name] as string) : fallback),
			set: (value) => {
				void router.replace({ query: { ...route.query, [name]: value === fallback ? undefined : value } });
			},
		});
}
