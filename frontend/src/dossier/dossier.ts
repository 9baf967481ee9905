/** Dossiers and documents as the server words them. */

import { useQuery } from "@tanstack/vue-query";
import { computed } from "vue";
import { api, body } from "@/api/client";
import { useAccount } from "@/api/queries";
import type { components } from "@/api/schema";
import { lang } from "@/i18n";

export type Dossier = components["schemas"]["Dossier"];
export type Section = components["schemas"]["Section"];
export type Cell = components["schemas"]["Cell"];
export type Document = components["schemas"]["DocumentOut"];
export type Registered = Exclude<Dossier["layer"], "candidates">;

/** Files that the server takes; it looks at what they hold, this only saves a wrong pick. */
export const ACCEPTED = "image/jpeg,image/png,image/webp,image/tiff,application/pdf";
/** So near, a photo counts as taken at the place: a phone is some metres off, and one stands beside a thing. */
export const AT_PLACE_M = 100;

export function useDossier(of: () => { layer: Registered; id: number }) {
	const account = useAccount();
	return useQuery({
		// The first part is the layer's: what hangs on it is read again when the layer changes.
		queryKey: computed(() => [of().layer, account.value, of().id, "dossier", lang.value]),
		queryFn: () => {
			const { layer, id } = of();
			return body(
				api.GET("/api/dossiers/{layer}/{entity_id}", {
					params: { path: { layer, entity_id: id }, query: { lang: lang.value } },
				}),
			);
		},
		enabled: computed(() => account.value !== undefined),
	});
}

export const pageOf = (layer: Registered, id: number): string => `/dossier/${layer}/${id}`;
export const pdfOf = (layer: Registered, id: number): string =>
	`/api/dossiers/${layer}/${id}.pdf?lang=${lang.value}`;
export const mapOf = (layer: Registered, id: number): string =>
	`/api/dossiers/${layer}/${id}/map.png?lang=${lang.value}`;

/** How many things a section tells of. */
export const sizeOf = (section: Section): number =>
	section.facts.length + (section.table?.rows.length ?? 0) + section.entries.length;
