import { QueryClient, VueQueryPlugin } from "@tanstack/vue-query";
import { createApp } from "vue";
import AppRoot from "./AppRoot.vue";
import { Problem } from "./api/problem";
import { i18n } from "./i18n";
import { router } from "./router";
import "./styles/base.css";
import "./styles/desk.css";

const queries = new QueryClient({
	defaultOptions: {
		queries: {
			refetchOnWindowFocus: false,
			// A machine without the internet may well reach the service: it is on a network of its own, or on the machine itself.
			networkMode: "always",
			// What the server refused stays refused; a lost connection may come back.
			retry: (failures, error) => !(error instanceof Problem && error.status < 500) && failures < 2,
		},
		mutations: { networkMode: "always" },
	},
});

createApp(AppRoot).use(router).use(i18n).use(VueQueryPlugin, { queryClient: queries }).mount("#app");
