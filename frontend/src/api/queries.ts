/** What the page asks of the server, each answer kept under one key. */

import { useQuery } from "@tanstack/vue-query";
import type { StyleSpecification } from "maplibre-gl";
import { computed } from "vue";
import { lang } from "@/i18n";
import { theme } from "@/state/theme";
import { api, body, json } from "./client";
import type { Catalog } from "./pending";

export const useSession = () =>
	useQuery({ queryKey: ["session"], queryFn: () => body(api.GET("/api/session")), staleTime: 60_000 });

/** The account that asks, as part of every key whose answer depends on it. */
export function useAccount() {
	const session = useSession();
	return computed(() => session.data.value?.username);
}

export function useCatalog() {
	const account = useAccount();
	return useQuery({
		queryKey: computed(() => ["catalog", account.value]),
		queryFn: () => json<Catalog>("/api/catalog"),
		enabled: computed(() => account.value !== undefined),
		staleTime: 300_000,
	});
}

export function useStyle() {
	const account = useAccount();
	return useQuery({
		queryKey: computed(() => ["style", account.value, theme.value, lang.value]),
		queryFn: () => json<StyleSpecification>(`/styles/${theme.value}.json?lang=${lang.value}`),
		enabled: computed(() => account.value !== undefined),
		staleTime: 300_000,
		placeholderData: (previous: StyleSpecification | undefined) => previous,
	});
}

/** May the present account do this? */
export function useMay(permission: string) {
	const session = useSession();
	return computed(() => session.data.value?.permissions.includes(permission) ?? false);
}

export function useOfficer() {
	const session = useSession();
	return computed(() => session.data.value?.audience === "officer");
}

/** GB/T 2260 code of the region that the account is of; null for the nation and a basin agency. */
export function useOwnRegion() {
	const session = useSession();
	return computed(() => {
		const own = session.data.value?.jurisdiction;
		return own && [1, 100, 10_000].includes(own.hi - own.lo) ? own.lo : null;
	});
}

/** Number of the basin agency that the account is of; null for every other. */
export function useOwnBasin() {
	const session = useSession();
	return computed(() => session.data.value?.jurisdiction.basin ?? null);
}

export function useRegion(code: () => string | null) {
	const account = useAccount();
	return useQuery({
		queryKey: computed(() => ["regions", account.value, code()]),
		queryFn: () => body(api.GET("/api/regions/{code}", { params: { path: { code: Number(code()) } } })),
		enabled: computed(() => account.value !== undefined && code() !== null),
		staleTime: 60_000,
	});
}

export function useRegionsBelow(parent: () => number | null, wanted: () => boolean = () => true) {
	const account = useAccount();
	return useQuery({
		queryKey: computed(() => ["regions", account.value, "below", parent()]),
		queryFn: () => {
			const above = parent();
			return body(api.GET("/api/regions", { params: { query: above === null ? {} : { parent: above } } }));
		},
		enabled: computed(() => account.value !== undefined && wanted()),
		staleTime: 300_000,
	});
}

export function useScenes() {
	const officer = useOfficer();
	const account = useAccount();
	return useQuery({
		queryKey: computed(() => ["scenes", account.value]),
		queryFn: () => body(api.GET("/api/scenes")),
		enabled: officer,
		staleTime: 60_000,
	});
}
