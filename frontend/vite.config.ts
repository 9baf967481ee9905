import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import vue from "@vitejs/plugin-vue";
import elementPlus from "unplugin-element-plus/vite";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const backend = process.env.SHUITU_DEV_BACKEND ?? "http://127.0.0.1:8000";
const served = ["/api", "/styles", "/tiles", "/archives", "/imagery", "/ogc"];

/** Writes each script and sheet compressed beside itself, so that the server need not do it for every reader. */
function compress(): Plugin {
	let assets = "";
	return {
		name: "shuitu:compress",
		apply: "build",
		configResolved(config) {
			assets = resolve(config.root, config.build.outDir, config.build.assetsDir);
		},
		closeBundle() {
			for (const name of readdirSync(assets).filter((one) => /\.(js|css)$/.test(one))) {
				const plain = readFileSync(join(assets, name));
				if (plain.length < 1024) continue;
				writeFileSync(join(assets, `${name}.gz`), gzipSync(plain, { level: 9 }));
				writeFileSync(
					join(assets, `${name}.br`),
					brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
				);
			}
		},
	};
}

export default defineConfig({
	resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
	plugins: [vue(), elementPlus({}), compress()],
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
