import { createRouter, createWebHistory } from "vue-router";
import LayerPanel from "./panels/LayerPanel.vue";
import { bind } from "./state/view";

declare module "vue-router" {
	interface RouteMeta {
		/** Message key of the panel's heading; none: the place is a sheet of its own. */
		heading?: string;
		/** A page of its own, without the map. */
		page?: boolean;
	}
}

export const router = createRouter({
	history: createWebHistory(),
	routes: [
		{ path: "/", name: "map", component: LayerPanel, meta: { heading: "panel.layers" } },
		{
			path: "/matching",
			name: "matching",
			component: () => import("./desks/matching/MatchingDesk.vue"),
			meta: { heading: "matching.title" },
		},
		{
			path: "/review",
			name: "review",
			component: () => import("./desks/review/ReviewDesk.vue"),
			meta: { heading: "review.title" },
		},
		{
			path: "/candidates",
			name: "candidates",
			component: () => import("./desks/candidates/CandidatesDesk.vue"),
			meta: { heading: "candidates.title" },
		},
		{
			path: "/statistics",
			name: "statistics",
			component: () => import("./desks/statistics/StatisticsPage.vue"),
		},
		{ path: "/import", name: "import", component: () => import("./desks/imports/ImportDesk.vue") },
		{
			path: "/dossier/:layer(intakes|permits)/:id(\\d+)",
			name: "dossier",
			component: () => import("./dossier/DossierPage.vue"),
			props: (route) => ({ layer: route.params.layer, id: Number(route.params.id) }),
			meta: { page: true },
		},
		{
			path: "/:rest(.*)*",
			name: "missing",
			component: () => import("./panels/MissingPage.vue"),
			meta: { page: true },
		},
	],
});
bind(router);
