import type zh from "./zh";

type Same<T> = { [K in keyof T]: T[K] extends string ? string : Same<T[K]> };

const en: Same<typeof zh> = {
	app: { name: "Shuitu", full: "The one map of water intakes" },
	place: { map: "Map", candidates: "Imagery", imports: "Import" },
	panel: {
		layers: "Layers",
		close: "Fold layers",
		open: "Layers",
		inView: "in view",
		hidden: "zoom in to see",
	},
	theme: { light: "Light", dark: "Dark", toDark: "Switch to dark", toLight: "Switch to light" },
	map: { label: "Map: arrow keys move, plus and minus zoom, Enter selects what is in the middle" },
	common: { retry: "Try again" },
	lang: { switch: "中文" },
};
export default en;
