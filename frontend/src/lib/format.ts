/** The one formatter: every number, date and code that a person reads goes through here. */

import type { Field, Text } from "@/api/pending";

export type Lang = "zh" | "en";
type Parts = { value: string; unit: string };

const LOCALE = { zh: "zh-CN", en: "en-GB" } as const;
const NONE = "—";
const CHINA = "Asia/Shanghai";

function decimals(value: number, most: number, lang: Lang): string {
	return new Intl.NumberFormat(LOCALE[lang], { maximumFractionDigits: most }).format(value);
}

/** A title of the catalogue in the language of the screen. */
export function title(text: Text, lang: Lang): string {
	return text[lang];
}

/** Volume in m³ as 万m³ with at most 4 decimals; what would round to nothing is said to be less. */
export function volumeParts(m3: number | null | undefined, lang: Lang): Parts {
	const unit = lang === "zh" ? "万m³" : "×10⁴ m³";
	if (m3 == null || !Number.isFinite(m3)) return { value: NONE, unit: "" };
	const value = m3 / 10_000;
	if (value !== 0 && Math.abs(value) < 0.00005) return { value: "<0.0001", unit };
	return { value: decimals(value, 4, lang), unit };
}

export function volume(m3: number | null | undefined, lang: Lang): string {
	const { value, unit } = volumeParts(m3, lang);
	if (!unit) return value;
	return lang === "zh" ? value + unit : `${value} ${unit}`;
}

/** Area in m²: below one hectare in m², otherwise in hectares. */
export function area(m2: number | null | undefined, lang: Lang): string {
	if (m2 == null || !Number.isFinite(m2)) return NONE;
	if (m2 < 10_000) return `${decimals(m2, 0, lang)} m²`;
	return `${decimals(m2 / 10_000, 2, lang)} ${lang === "zh" ? "公顷" : "ha"}`;
}

export function distance(m: number | null | undefined, lang: Lang): string {
	if (m == null || !Number.isFinite(m)) return NONE;
	return m < 1000 ? `${decimals(m, 0, lang)} m` : `${decimals(m / 1000, 2, lang)} km`;
}

/** A whole count in full, grouped. */
export function count(n: number | null | undefined, lang: Lang): string {
	return n == null ? NONE : decimals(n, 0, lang);
}

/** A count for little room: 1.2万 in Chinese, 12k in English. */
export function shortCount(n: number, lang: Lang): string {
	if (lang === "zh") return n < 10_000 ? decimals(n, 0, lang) : `${decimals(n / 10_000, 1, lang)}万`;
	return n < 10_000 ? decimals(n, 0, lang) : `${decimals(n / 1000, n < 100_000 ? 1 : 0, lang)}k`;
}

export function percent(value: number | null | undefined, lang: Lang): string {
	return value == null || !Number.isFinite(value) ? NONE : `${decimals(value, 1, lang)}%`;
}

/** A share 0..1 as a percentage without decimals; what is not all is never called 100 %, and what is some never 0 %. */
export function share(value: number, lang: Lang): string {
	if (value > 0 && value < 0.005) return "<1%";
	if (value > 0.995 && value < 1) return ">99%";
	return `${decimals(value * 100, 0, lang)}%`;
}

/** A day: 2026-03-01 in Chinese, 1 Mar 2026 in English. A bare date is no instant and has no time zone; an instant's day
 * is that of China. */
export function date(iso: string | null | undefined, lang: Lang): string {
	if (!iso) return NONE;
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return iso;
	const timeZone = iso.length === "2026-03-01".length ? "UTC" : CHINA;
	// Swedes write days as ISO does.
	if (lang === "zh") return new Intl.DateTimeFormat("sv-SE", { timeZone }).format(at);
	return new Intl.DateTimeFormat("en-GB", {
		day: "numeric",
		month: "short",
		year: "numeric",
		timeZone,
	}).format(at);
}

/** An instant, to the minute, by China's clock: the one that terms and deadlines run by, and that papers print. */
export function moment(iso: string | null | undefined, lang: Lang): string {
	if (!iso) return NONE;
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return iso;
	const clock = new Intl.DateTimeFormat("en-GB", {
		hour: "2-digit",
		minute: "2-digit",
		timeZone: CHINA,
	}).format(at);
	return `${date(iso, lang)} ${clock}`;
}

/** A duration in words, for remaining times. */
export function duration(seconds: number, lang: Lang): string {
	const s = Math.max(1, Math.round(seconds));
	if (s < 60) return lang === "zh" ? `${s}秒` : `${s} s`;
	const minutes = Math.round(s / 60);
	if (minutes < 60) return lang === "zh" ? `${minutes}分钟` : `${minutes} min`;
	return lang === "zh" ? `${decimals(s / 3600, 1, lang)}小时` : `${decimals(s / 3600, 1, lang)} h`;
}

export function position(lon: number, lat: number, lang: Lang): string {
	const east = Math.abs(lon).toFixed(5);
	const north = Math.abs(lat).toFixed(5);
	if (lang === "zh") return `${lon < 0 ? "西经" : "东经"}${east}° ${lat < 0 ? "南纬" : "北纬"}${north}°`;
	return `${east}° ${lon < 0 ? "W" : "E"}, ${north}° ${lat < 0 ? "S" : "N"}`;
}

/** The value of a declared field, as its declaration says: code, unit, date. */
export function fieldValue(field: Field, value: unknown, lang: Lang): string {
	if (value === null || value === undefined || value === "") return NONE;
	const coded = field.values?.find((entry) => entry.value === value);
	if (coded) return title(coded.title, lang);
	if (field.type === "boolean") return value ? (lang === "zh" ? "是" : "Yes") : lang === "zh" ? "否" : "No";
	if (field.type === "date") return date(String(value), lang);
	if (field.type === "datetime") return moment(String(value), lang);
	if (typeof value === "number") {
		if (field.unit === "m3") return volume(value, lang);
		if (field.unit === "m2") return area(value, lang);
		if (field.unit === "m") return distance(value, lang);
		if (field.unit === "%") return percent(value, lang);
		// Codes and years are no quantities: they are not grouped.
		if (field.type === "integer" && !field.unit) return String(value);
		return decimals(value, 4, lang) + (field.unit ? ` ${field.unit}` : "");
	}
	return String(value);
}
