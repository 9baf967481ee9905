/** What the map's own errors say to a person. */

import { AJAXError } from "maplibre-gl";
import { Problem, type ProblemBody } from "@/api/problem";
import { t, te } from "@/i18n";
import { notify } from "@/state/notices";

let refused = "";

/** A filter that the server refuses is told once, in its words; the rest is for the console. */
export async function complain(error: unknown, filters: string): Promise<void> {
	if (!(error instanceof AJAXError) || error.status !== 400 || !filters) {
		console.error(error);
		return;
	}
	if (refused === filters) return;
	refused = filters;
	const said = (await new Response(error.body).json()) as ProblemBody;
	notify(t("filter.failed", { why: te(new Problem(error.status, said)) }), "problem");
}
