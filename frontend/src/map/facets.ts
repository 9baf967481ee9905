/** What a layer can be filtered by, and the filter as CQL2 text: all from its declaration. */

import type { Field, Layer, LegendEntry, Text } from "@/api/pending";

/** One value; `token` names it in the address. */
export interface Choice {
	token: string;
	title: Text;
	literal: string;
	/** How the map draws it, if the legend says. */
	entry: LegendEntry | undefined;
}

export interface Facet {
	field: Field;
	/** Empty: the facet is a year, and its token is `2019-2023`, open at an end that is absent. */
	choices: Choice[];
	outline: boolean;
}

/** Chosen tokens by field. */
export type Chosen = Readonly<Record<string, readonly string[]>>;

const YEARS = /^(\d{4})?-(\d{4})?$/;

const literal = (value: string | number | boolean): string =>
	typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);

/** The facets of a layer, in declared order. */
export function facetsOf(layer: Layer): Facet[] {
	return layer.facets.flatMap((name): Facet[] => {
		const field = layer.fields.find((one) => one.name === name);
		if (!field) return [];
		const group = layer.legend.find((one) => one.field === name);
		const choices = (field.values ?? []).map(({ value, title }) => ({
			token: String(value),
			title,
			literal: literal(value),
			entry: group?.entries.find((entry) => entry.value === value),
		}));
		return [{ field, choices, outline: group?.outline ?? false }];
	});
}

/** First and last year of a token; null if it is none. */
export function years(token: string | undefined): { from: string; to: string } | null {
	const [, from = "", to = ""] = YEARS.exec(token ?? "") ?? [];
	return from || to ? { from, to } : null;
}

/** The tokens that this facet knows: an old address may name others. */
export function known(facet: Facet, tokens: readonly string[] | undefined): string[] {
	if (!facet.choices.length) return (tokens ?? []).filter(years).slice(0, 1);
	return facet.choices.map(({ token }) => token).filter((token) => tokens?.includes(token));
}

function predicates(facet: Facet, tokens: readonly string[]): string[] {
	const { name } = facet.field;
	const span = facet.choices.length ? null : years(tokens[0]);
	if (span) {
		const both = [span.from && `${name} >= ${span.from}`, span.to && `${name} <= ${span.to}`];
		return both.filter(Boolean);
	}
	const chosen = facet.choices.filter(({ token }) => tokens.includes(token));
	if (!chosen.length || chosen.length === facet.choices.length) return [];
	return [`${name} IN (${chosen.map((choice) => choice.literal).join(",")})`];
}

/** CQL2 text of what is chosen for a layer, a conjunction of one condition a facet; empty if that is everything. */
export function cql(layer: Layer, chosen: Chosen | undefined): string {
	if (!chosen) return "";
	return facetsOf(layer)
		.flatMap((facet) => predicates(facet, known(facet, chosen[facet.field.name])))
		.join(" AND ");
}

/** A tile address that carries the filter. */
export const withFilter = (address: string, filter: string): string => withQuery(address, "filter", filter);

/** A tile address that asks for one thing more, if it is said. */
export function withQuery(address: string, name: string, value: string): string {
	if (!value) return address;
	return `${address}${address.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`;
}
