/** What the desk lists, as the address says it. */

import { computed } from "vue";
import type { components } from "@/api/schema";
import { useInAddress } from "@/state/asked";
import { view } from "@/state/view";

export type Query = components["schemas"]["MatchFilter"];
export const OUTCOMES = [
	"pending",
	"one_to_one",
	"n_to_one",
	"one_to_n",
	"intake_without_permit",
	"permit_without_intake",
	"exempt",
] as const;
export const STATES = ["open", "rule", "person"] as const;
export const SOURCES = ["surface_water", "groundwater", "unconventional_water", "unknown"] as const;
export const BANDS = { high: [0.9, 1], good: [0.7, 0.9], fair: [0.5, 0.7], low: [0, 0.5] } as const;
export const CONFLICTS = [
	"distance",
	"name",
	"number",
	"holder",
	"uscc",
	"code",
	"source_type",
	"water_body",
	"place",
	"county",
	"purpose",
	"volume",
	"taken",
	"rivals",
	"weakened",
] as const;

export function useMatchFilters() {
	const { filter, set } = useInAddress();
	const outcome = filter("outcome", "pending");
	const state = filter("by", "all");
	const band = filter("band", "all");
	const source = filter("source", "all");
	const conflict = filter("conflict", "all");
	const words = filter("q", "");

	const asked = computed<Query>(() => {
		const found: Query = {};
		const outcomes: readonly string[] = OUTCOMES;
		if (outcomes.includes(outcome.value)) found.outcome = outcome.value as NonNullable<Query["outcome"]>;
		// A permit's intake is pending while an entry may be it: there it is looked at from the entry's side.
		if (outcome.value === "pending") found.subject = "intake";
		if (state.value !== "all") found.state = state.value as NonNullable<Query["state"]>;
		if (source.value !== "all") found.source = source.value as NonNullable<Query["source"]>;
		if (conflict.value !== "all") found.conflict = conflict.value;
		const range = BANDS[band.value as keyof typeof BANDS];
		if (range) [found.min_probability, found.max_probability] = range;
		if (words.value.trim()) found.q = words.value.trim();
		if (view.region) found.region = Number(view.region);
		return found;
	});
	return { outcome, state, band, source, conflict, words, set, asked };
}
