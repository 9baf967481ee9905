/** What a person enters about a permit, and the body of the request that it makes. */

import type { components } from "@/api/schema";
import { today } from "@/state/day";

export type Permit = components["schemas"]["PermitOut"];
export type NewEvent = components["schemas"]["NewEvent"];
export type NewPermit = components["schemas"]["NewPermit"];
export type EventName = NewEvent["event"];
export type Ground = NonNullable<NewEvent["ground"]>;
type Facts = NonNullable<NewEvent["facts"]>;
type LimitIn = components["schemas"]["LimitIn"];
type PointIn = components["schemas"]["PointIn"];

export const GROUNDS: Ground[] = [
	"expired",
	"death",
	"dissolved",
	"taken_back",
	"force_majeure",
	"idle",
	"other",
];
export const LEVELS = ["basin", "province", "prefecture", "county"] as const;

/** A limit in writing: volumes in 万m³, as permits print them. */
export interface LimitDraft {
	period: string;
	source_type: string;
	well_field: string;
	purpose: string;
	annual: string;
	daily: string;
	flow: string;
	condition: string;
}

/** An intake that the permit lists, in writing: degrees in CGCS2000, volume in 万m³. */
export interface PointDraft {
	name: string;
	place: string;
	lon: string;
	lat: string;
	source_type: string;
	water_body: string;
	purpose: string;
	annual: string;
	/** What the form does not ask for stays as it is; `seq` names one that is listed already. */
	kept: Pick<PointIn, "seq" | "code" | "position_error_m">;
}

/** An entry in writing; empty: not said. */
export interface Draft {
	event: EventName;
	effective_on: string;
	document_no: string;
	reason: string;
	ground: string;
	applied_on: string;
	reinstate: boolean;
	permit_no: string;
	holder_name: string;
	uscc: string;
	county_code: string;
	valid_from: string;
	valid_to: string;
	source_type: string;
	purpose: string;
	place: string;
	issuing_authority: string;
	supervising_authority: string;
	e_licence: string;
	limits: LimitDraft[];
	points: PointDraft[];
	/** Intakes under the permit: ids of those known, codes of those typed. */
	intakes: (number | string)[];
}

/** Which facts an event may change: the form shows these. */
export const ASKED: Record<EventName, readonly (keyof Draft)[]> = {
	issue: [
		"permit_no",
		"holder_name",
		"uscc",
		"county_code",
		"valid_from",
		"valid_to",
		"source_type",
		"purpose",
		"place",
		"issuing_authority",
		"supervising_authority",
		"e_licence",
		"limits",
		"points",
		"intakes",
	],
	renew: ["valid_to", "applied_on", "permit_no", "limits"],
	vary: [
		"holder_name",
		"source_type",
		"purpose",
		"place",
		"issuing_authority",
		"supervising_authority",
		"limits",
		"points",
		"intakes",
	],
	transfer: ["holder_name", "uscc"],
	expire: [],
	cancel: ["ground"],
	annul: [],
	revoke: [],
	correct: [
		"reinstate",
		"permit_no",
		"holder_name",
		"valid_from",
		"valid_to",
		"source_type",
		"purpose",
		"place",
		"issuing_authority",
		"supervising_authority",
		"e_licence",
		"limits",
		"points",
		"intakes",
	],
};

const TEXTS = [
	"permit_no",
	"holder_name",
	"uscc",
	"valid_from",
	"valid_to",
	"source_type",
	"purpose",
	"place",
	"issuing_authority",
	"supervising_authority",
	"e_licence",
] as const;
const M3 = 10_000;

/** 万m³ without trailing zeros; empty where there is none. */
export function inTenThousand(m3: number | null | undefined): string {
	return m3 == null ? "" : String(Number((m3 / M3).toFixed(4)));
}

export function emptyLimit(): LimitDraft {
	return {
		period: "",
		source_type: "all",
		well_field: "",
		purpose: "all",
		annual: "",
		daily: "",
		flow: "",
		condition: "",
	};
}

export function emptyPoint(): PointDraft {
	return {
		name: "",
		place: "",
		lon: "",
		lat: "",
		source_type: "surface_water",
		water_body: "",
		purpose: "other",
		annual: "",
		kept: {},
	};
}

/** What is in writing before a person begins: the permit as it stands. */
export function draftOf(event: EventName, permit: Permit | null): Draft {
	const kept = event === "vary" || event === "correct";
	const said = (value: string | null | undefined) => (kept && value ? value : "");
	return {
		event,
		effective_on: today(),
		document_no: "",
		reason: "",
		ground: "",
		applied_on: "",
		reinstate: false,
		permit_no: event === "correct" ? said(permit?.permit_no) : "",
		holder_name: said(permit?.holder_name),
		uscc: "",
		county_code: "",
		valid_from: event === "correct" ? said(permit?.valid_from) : "",
		valid_to: event === "correct" ? said(permit?.valid_to) : "",
		source_type: said(permit?.source_type),
		purpose: said(permit?.purpose),
		place: said(permit?.place),
		issuing_authority: said(permit?.issuing_authority),
		supervising_authority: said(permit?.supervising_authority),
		e_licence: event === "correct" ? said(permit?.e_licence) : "",
		limits: (permit?.limits ?? []).map((limit) => ({
			period: limit.period,
			source_type: limit.source_type,
			well_field: limit.well_field,
			purpose: limit.purpose,
			annual: inTenThousand(limit.annual_m3),
			daily: inTenThousand(limit.daily_m3),
			flow: limit.flow_m3s == null ? "" : String(limit.flow_m3s),
			condition: limit.condition,
		})),
		points: (permit?.points ?? []).map((point) => ({
			name: point.name,
			place: point.place,
			lon: point.lon == null ? "" : String(point.lon),
			lat: point.lat == null ? "" : String(point.lat),
			source_type: point.source_type,
			water_body: point.water_body,
			purpose: point.purpose,
			annual: inTenThousand(point.annual_m3),
			kept: { seq: point.seq, code: point.code, position_error_m: point.position_error_m },
		})),
		intakes: (permit?.intakes ?? []).map((intake) => intake.id),
	};
}

function amount(text: string, factor: number): number | null {
	if (!text.trim()) return null;
	const value = Number(text);
	return Number.isFinite(value) ? Number((value * factor).toFixed(4)) : Number.NaN;
}

/** The first amount or coordinate that is no number; null if all are. */
export function badAmount(draft: Draft): string | null {
	const amounts = [
		...draft.limits.flatMap((limit) => [limit.annual, limit.daily, limit.flow]),
		...draft.points.map((point) => point.annual),
	];
	const degrees = draft.points.flatMap((point) => [point.lon, point.lat]);
	const negative = (text: string) => (amount(text, 1) ?? 0) < 0;
	return (
		[...amounts, ...degrees].find((text) => Number.isNaN(amount(text, 1))) ?? amounts.find(negative) ?? null
	);
}

function limitsOf(draft: Draft): LimitIn[] {
	return draft.limits.map((limit) => ({
		period: limit.period.trim(),
		source_type: limit.source_type as LimitIn["source_type"],
		well_field: limit.well_field.trim(),
		purpose: limit.purpose as LimitIn["purpose"],
		annual_m3: amount(limit.annual, M3),
		daily_m3: amount(limit.daily, M3),
		flow_m3s: amount(limit.flow, 1),
		condition: limit.condition.trim(),
	}));
}

function pointsOf(draft: Draft): PointIn[] {
	return draft.points.map((point) => ({
		...point.kept,
		name: point.name.trim(),
		place: point.place.trim(),
		lon: degree(point.lon),
		lat: degree(point.lat),
		source_type: point.source_type as PointIn["source_type"],
		water_body: point.water_body.trim(),
		purpose: point.purpose as PointIn["purpose"],
		annual_m3: amount(point.annual, M3),
	}));
}

const degree = (text: string): number | null => (text.trim() ? Number(text) : null);
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** The facts that differ from what was in writing at first. */
export function factsOf(draft: Draft, first: Draft): Facts {
	const asked = new Set(ASKED[draft.event]);
	const facts: Record<string, unknown> = {};
	for (const name of TEXTS) {
		const value = draft[name].trim();
		if (asked.has(name) && value && value !== first[name].trim()) facts[name] = value;
	}
	if (asked.has("place") && first.place && !draft.place.trim()) facts.place = "";
	if (asked.has("limits") && !same(draft.limits, first.limits)) facts.limits = limitsOf(draft);
	if (asked.has("points") && !same(draft.points, first.points)) facts.points = pointsOf(draft);
	if (asked.has("intakes") && !same(draft.intakes, first.intakes)) facts.intakes = draft.intakes;
	return facts as Facts;
}

export function eventBody(draft: Draft, first: Draft, version: number): NewEvent {
	return {
		event: draft.event,
		version,
		...(draft.effective_on && draft.event !== "correct" ? { effective_on: draft.effective_on } : {}),
		document_no: draft.document_no.trim(),
		reason: draft.reason.trim(),
		...(draft.event === "cancel" && draft.ground ? { ground: draft.ground as Ground } : {}),
		...(draft.event === "renew" && draft.applied_on ? { applied_on: draft.applied_on } : {}),
		reinstate: draft.event === "correct" && draft.reinstate,
		facts: factsOf(draft, first),
	};
}

export function issueBody(draft: Draft): NewPermit {
	const facts = factsOf(draft, draftOf("issue", null));
	return {
		...facts,
		permit_no: draft.permit_no.trim(),
		holder_name: draft.holder_name.trim(),
		county_code: Number(draft.county_code),
		valid_to: draft.valid_to,
		...(draft.effective_on ? { effective_on: draft.effective_on } : {}),
		document_no: draft.document_no.trim(),
		reason: draft.reason.trim(),
	} as NewPermit;
}
