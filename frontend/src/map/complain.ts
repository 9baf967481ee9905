/** What the map's own errors say to a person. */

import { AJAXError } from "maplibre-gl";
import { Problem, type ProblemBody } from "@/api/problem";
import { t, te } from "@/i18n";
import { notify } from "@/state/notices";

let refused = "";

/** A filter or a past day that the server refuses is told once, in its words; the rest is for the console. */
export async function complain(error: unknown, filters: string, day: string | null = null): Promise<void> {
	const asked = day ? `${filters}@${day}` : filters;
	if (!(error instanceof AJAXError) || error.status !== 400 || !asked) {
		console.error(error);
		return;
	}
	if (refused === asked) return;
	refused = asked;
	const said = (await new Response(error.body).json()) as ProblemBody;
	const why = te(new Problem(error.status, said));
	notify(t(day ? "time.tooFar" : "filter.failed", { why }), "problem");
}
