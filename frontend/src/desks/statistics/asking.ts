/** What the page of statistics is about, as the address says it; and the way from a figure to the map behind it. */

import { computed } from "vue";
import { useRoute, useRouter } from "vue-router";
import { api, body, json } from "@/api/client";
import type { Bounds } from "@/api/pending";
import type { components } from "@/api/schema";
import { fitTo } from "@/map/instance";
import { useInAddress } from "@/state/asked";
import { useFilters } from "@/state/filters";
import { type Filters, format, view } from "@/state/view";

export type Table = components["schemas"]["TableOut"];
export type Line = components["schemas"]["LineOut"];
export type Dimension = components["schemas"]["DimensionOut"];
export const TABS = ["place", "issuers", "progress"] as const;
export type Tab = (typeof TABS)[number];

export type Issuers = components["schemas"]["IssuersOut"];
export type Briefing = components["schemas"]["BriefingOut"];
type Query = Record<string, string | number>;

const search = (query: Query): string =>
	String(new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])));

/** A table for the screen. */
export const read = <T>(path: "intakes" | "issuers" | "progress", query: Query): Promise<T> =>
	json<T>(`/api/statistics/${path}?${search(query)}`);

/** Address of a download of the same question. */
export const file = (path: string, query: Query, f: "xlsx" | "csv", lang: string): string =>
	`/api/statistics/${path}?${search({ ...query, f, lang })}`;

export function useAsking() {
	const route = useRoute();
	const router = useRouter();
	const { texts } = useFilters();

	const { filter: setting } = useInAddress("push");
	const tab = computed<Tab>(() => TABS.find((one) => one === route.query.tab) ?? "place");
	const by = setting("by", "region");
	const across = setting("across", "permit_state");
	const basin = setting("basin", "");
	const day = setting("day", "");
	const filter = computed(() => texts.value.get("intakes") ?? "");

	/** Place and day, as the API wants them. */
	const common = computed<Query>(() => ({
		...(view.region ? { region: Number(view.region) } : {}),
		...(basin.value ? { basin: Number(basin.value) } : {}),
	}));
	const asked = computed<Query>(() => ({
		...common.value,
		by: by.value,
		...(across.value !== "none" && across.value !== by.value ? { across: across.value } : {}),
		...(filter.value ? { filter: filter.value } : {}),
		...(day.value ? { datetime: day.value } : {}),
	}));

	/** The map with the filter of the page and one more choice, where the map knows it. */
	function onMap(choices: { name: string; key: string | number | boolean | null }[]) {
		let region = view.region;
		const chosen: Record<string, readonly string[]> = { ...view.filters.intakes };
		for (const { name, key } of choices) {
			if (key === null) continue;
			if (name === "region") region = String(key);
			else if (name === "started_year") chosen[name] = [`${key}-${key}`];
			else chosen[name] = [String(key)];
		}
		const filters: Filters = { ...view.filters, ...(Object.keys(chosen).length ? { intakes: chosen } : {}) };
		const query = format({
			...view,
			camera: null,
			layers: null,
			filters,
			region,
			selection: null,
			open: region ? "region" : null,
		});
		return { path: "/", query, region };
	}

	/** Go there, and bring the place into view. */
	async function see(choices: { name: string; key: string | number | boolean | null }[]): Promise<void> {
		const to = onMap(choices);
		await router.push({ path: to.path, query: to.query });
		if (!to.region) return;
		const found = await body(
			api.GET("/api/regions/{code}", { params: { path: { code: Number(to.region) } } }),
		);
		fitTo(found.bbox as Bounds);
	}

	return { route, router, tab, by, across, basin, day, filter, common, asked, onMap, see };
}
