/** What a person enters about a permit, and the body of the request that it makes. */

import type { components } from "@/api/schema";

export type Permit = components["schemas"]["PermitOut"];
export type NewEvent = components["schemas"]["NewEvent"];
export type NewPermit = components["schemas"]["NewPermit"];
export type EventName = NewEvent["event"];
export type Ground = NonNullable<NewEvent["ground"]>;
type Facts = NonNullable<NewEvent["facts"]>;
type LimitIn = components["schemas"]["LimitIn"];

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

/** A day in China's clock, YYYY-MM-DD. */
export function today(): string {
	return new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai" }).format(new Date());
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
		intakes: (permit?.intakes ?? []).map((intake) => intake.id),
	};
}

function amount(text: string, factor: number): number | null {
	if (!text.trim()) return null;
	const value = Number(text);
	return Number.isFinite(value) ? Number((value * factor).toFixed(4)) : Number.NaN;
}

/** Names of the first amount that is no number; null if all are. */
export function badAmount(draft: Draft): string | null {
	for (const limit of draft.limits)
		for (const name of ["annual", "daily", "flow"] as const) {
			const value = amount(limit[name], 1);
			if (value !== null && !(value >= 0)) return limit[name];
		}
	return null;
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
