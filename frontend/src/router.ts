import { createRouter, createWebHistory } from "vue-router";
import LayerPanel from "./panels/LayerPanel.vue";
import { bind } from "./state/view";

export const router = createRouter({
	history: createWebHistory(),
	routes: [
		{ path: "/", name: "map", component: LayerPanel },
		{ path: "/:rest(.*)*", redirect: "/" },
	],
});
bind(router);
