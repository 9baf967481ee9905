import vue from "@vitejs/plugin-vue";
import elementPlus from "unplugin-element-plus/vite";
import { defineConfig } from "vitest/config";

const backend = process.env.SHUITU_DEV_BACKEND ?? "http://127.0.0.1:8000";
const served = ["/api", "/styles", "/tiles", "/archives", "/imagery", "/ogc"];

export default defineConfig({
	resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
	plugins: [vue(), elementPlus({})],
	build: {
		target: "es2022",
		// The page's policy allows no inline data for scripts and workers; small files stay files.
		assetsInlineLimit: 0,
		chunkSizeWarningLimit: 1200,
		// No polyfill: it would be an inline script to some policies, and no browser we support needs it.
		modulePreload: { polyfill: false },
	},
	worker: { format: "es" },
	server: {
		proxy: Object.fromEntries(served.map((path) => [path, { target: backend }])),
	},
	test: {
		environment: "happy-dom",
		include: ["tests/**/*.test.ts"],
		server: { deps: { inline: ["element-plus"] } },
	},
});
