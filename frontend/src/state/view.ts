/** What is on screen, as the address says it: reload and back return the same view. */

import { reactive } from "vue";
import type { LocationQuery, Router } from "vue-router";
import type { Lang } from "@/lib/format";
import { dayOf } from "./day";

export type Theme = "light" | "dark";

export interface Camera {
	zoom: number;
	lat: number;
	lon: number;
}

export interface Selection {
	layer: string;
	id: number;
}

export type Sheet = "account" | "region" | "issue";
export const BANDS = ["true", "false_colour", "swir", "ndvi", "ndwi", "mndwi"] as const;
export type Bands = (typeof BANDS)[number];

export type Filters = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export interface View {
	camera: Camera | null;
	/** Switched-on layers; null: as the catalogue opens. */
	layers: string[] | null;
	/** Chosen classes by layer and field (`map/facets` knows what they mean). */
	filters: Filters;
	selection: Selection | null;
	region: string | null;
	/** The sheet at the right that belongs to no feature. */
	open: Sheet | null;
	/** A position that was searched for. */
	pin: [number, number] | null;
	/** Scene whose picture lies under the data, and how it is rendered. */
	scene: number | null;
	/** An earlier scene that is drawn left of the swipe's edge. */
	before: number | null;
	/** The past day that the map shows; null: today. */
	day: string | null;
	bands: Bands;
	theme: Theme | null;
	lang: Lang | null;
}

const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);

function camera(value: unknown): Camera | null {
	const parts = (text(value) ?? "").split("/").map(Number);
	const [zoom, lat, lon] = parts;
	if (parts.length !== 3 || zoom === undefined || lat === undefined || lon === undefined) return null;
	const good = zoom >= 0 && zoom <= 24 && Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
	return good ? { zoom, lat, lon } : null;
}

function selection(value: unknown): Selection | null {
	const match = /^([a-z_]+):(\d+)$/.exec(text(value) ?? "");
	return match?.[1] ? { layer: match[1], id: Number(match[2]) } : null;
}

const FILTER = /^([a-z_]+)\.([a-z_0-9]+)((?:\.[\w-]+)+)$/;

/** `intakes.status.in_use.sealed~intakes.source_type.groundwater`: only letters that an address leaves alone. */
function filters(value: unknown): Filters {
	const found: Record<string, Record<string, string[]>> = {};
	for (const part of (text(value) ?? "").split("~")) {
		const [, layer, field, tokens] = FILTER.exec(part) ?? [];
		if (layer && field && tokens) found[layer] = { ...found[layer], [field]: tokens.slice(1).split(".") };
	}
	return found;
}

function filterText(given: Filters): string {
	return Object.entries(given)
		.flatMap(([layer, fields]) =>
			Object.entries(fields).map(([field, tokens]) => [layer, field, ...tokens].join(".")),
		)
		.join("~");
}

function pin(value: unknown): [number, number] | null {
	const [lon, lat, ...rest] = (text(value) ?? "").split(",").map(Number);
	if (lon === undefined || lat === undefined || rest.length) return null;
	return Math.abs(lon) <= 180 && Math.abs(lat) <= 90 ? [lon, lat] : null;
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | null {
	return allowed.find((item) => item === value) ?? null;
}

/** The view of a query. What is malformed counts as absent. */
export function parse(query: LocationQuery): View {
	const layers = query.layers;
	const number = (value: unknown): number | null => {
		const found = Number(text(value) ?? Number.NaN);
		return Number.isInteger(found) ? found : null;
	};
	return {
		camera: camera(query.at),
		layers: typeof layers === "string" ? layers.split(",").filter((id) => /^[a-z_]+$/.test(id)) : null,
		filters: filters(query.f),
		selection: selection(query.sel),
		region: /^\d{2,12}$/.test(text(query.region) ?? "") ? text(query.region) : null,
		open: oneOf(query.open, ["account", "region", "issue"] as const),
		pin: pin(query.pin),
		scene: number(query.scene),
		before: number(query.before),
		day: dayOf(query.day),
		bands: oneOf(query.bands, BANDS) ?? "true",
		theme: oneOf(query.theme, ["light", "dark"] as const),
		lang: oneOf(query.lang, ["zh", "en"] as const),
	};
}

/** The query of a view; the inverse of `parse`. */
export function format(view: View): Record<string, string> {
	const query: Record<string, string> = {};
	const { camera: at } = view;
	if (at) query.at = `${at.zoom.toFixed(2)}/${at.lat.toFixed(5)}/${at.lon.toFixed(5)}`;
	if (view.layers) query.layers = view.layers.join(",");
	const filtered = filterText(view.filters);
	if (filtered) query.f = filtered;
	if (view.selection) query.sel = `${view.selection.layer}:${view.selection.id}`;
	if (view.region) query.region = view.region;
	if (view.open) query.open = view.open;
	if (view.pin) query.pin = view.pin.join(",");
	if (view.scene !== null) query.scene = String(view.scene);
	if (view.before !== null) query.before = String(view.before);
	if (view.day) query.day = view.day;
	if (view.bands !== "true") query.bands = view.bands;
	if (view.theme) query.theme = view.theme;
	if (view.lang) query.lang = view.lang;
	return query;
}

const KEYS = [
	"at",
	"layers",
	"f",
	"sel",
	"region",
	"open",
	"pin",
	"scene",
	"before",
	"day",
	"bands",
	"theme",
	"lang",
];

/** The one view of this page. Read it anywhere; change it by `go` or `note` only. */
export const view = reactive<View>(parse({}));

let router: Router | undefined;
let pending: "push" | "replace" | null = null;

function flush(): void {
	if (!router || !pending) return;
	const mode = pending;
	pending = null;
	const kept = Object.fromEntries(
		Object.entries(router.currentRoute.value.query).filter(([key]) => !KEYS.includes(key)),
	);
	const target = { path: router.currentRoute.value.path, query: { ...kept, ...format(view) } };
	void (mode === "push" ? router.push(target) : router.replace(target));
}

function change(patch: Partial<View>, mode: "push" | "replace"): void {
	Object.assign(view, patch);
	if (!pending) queueMicrotask(flush);
	pending = pending === "push" ? "push" : mode;
}

/** A step that "back" takes back: a selection, a region, a place. */
export const go = (patch: Partial<View>): void => change(patch, "push");

/** A change that makes no step of history: the camera, a switch. */
export const note = (patch: Partial<View>): void => change(patch, "replace");

/** What did not change stays the same object, so that a moved camera does not redraw what hangs on a selection. */
function take(next: View): void {
	for (const key of Object.keys(next) as (keyof View)[]) {
		if (JSON.stringify(next[key]) !== JSON.stringify(view[key])) Object.assign(view, { [key]: next[key] });
	}
}

/** Bind the view to the router: the address is read on every navigation, and kept on changes of place. */
export function bind(to: Router): void {
	router = to;
	to.afterEach((route) => {
		if (!pending) take(parse(route.query));
	});
}

/** The query of a link to another place of the application: the same view, nothing selected. */
export const placeQuery = (): Record<string, string> => format({ ...view, selection: null, open: null });
