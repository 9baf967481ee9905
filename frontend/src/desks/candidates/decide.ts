/** Deciding candidates: one request each, a stack to take back from, notes that survive a refusal. */

import { useQueryClient } from "@tanstack/vue-query";
import { reactive, ref } from "vue";
import { api, body } from "@/api/client";
import type { Bounds } from "@/api/pending";
import { Problem } from "@/api/problem";
import { useAccount, useCatalog } from "@/api/queries";
import type { components } from "@/api/schema";
import { lang, t, te, tt } from "@/i18n";
import { count } from "@/lib/format";
import { refresh } from "@/map/live";
import { notify } from "@/state/notices";
import type { Asked } from "./filters";

export type Row = Omit<components["schemas"]["CandidateRow"], "bbox"> & { bbox: Bounds };
export type Candidate = Omit<components["schemas"]["CandidateOut"], "bbox"> & { bbox: Bounds };
export type Decision = components["schemas"]["NewDecision"]["decision"];
export type Verdict = Exclude<Decision, "reopen">;
export type State = Row["state"];
export type How = components["schemas"]["NewOutline"]["how"];

/** Reasons by decision, in the order of their digits; the layer has their words. */
export const REASONS: Record<Verdict, readonly string[]> = {
	confirm: ["seen_in_image", "works_at_bank", "visited", "holder_admits", "other"],
	reject: [
		"natural_water",
		"rain_or_flood",
		"rain_fed",
		"district_canal",
		"public_supply",
		"reservoir",
		"shadow_snow_cloud",
		"registered",
		"exempt",
		"other",
	],
	unsure: ["needs_visit", "poor_image", "register_unclear", "other"],
};
/** What may be decided from which state. */
export const OPEN: readonly State[] = ["suspected", "unsure"];

/** Notes in writing, by candidate. */
export const notes = reactive(new Map<number, string>());
/** The decision whose reason is asked for. */
export const asking = ref<Verdict | null>(null);
/** The candidate whose decision is under way. */
export const busy = ref<number | null>(null);

/** Steps taken here, the last at the end: of one candidate, or of many at once. */
type Step = { candidate: number; id: number } | { bulk: string; count: number };
export const taken = reactive<Step[]>([]);

/** Codes as the layer words them, and the codes that a field has. */
export function useWords() {
	const catalog = useCatalog();
	const values = (name: string, layer = "candidates") =>
		catalog.data.value?.layers.find((one) => one.id === layer)?.fields.find((one) => one.name === name)
			?.values ?? [];
	function coded(name: string, code: string, layer = "candidates"): string {
		const title = values(name, layer).find((one) => one.value === code)?.title;
		return title ? tt(title) : code;
	}
	return { values, coded };
}

export function useDecide() {
	const queries = useQueryClient();
	const account = useAccount();
	const { coded } = useWords();
	const stateName = (state: State) => coded("state", state);

	const key = (id: number) => ["candidates", account.value, "one", id];
	const read = (id: number) =>
		queries.fetchQuery({
			queryKey: key(id),
			queryFn: () =>
				body(api.GET("/api/candidates/{candidate_id}", { params: { path: { candidate_id: id } } })),
			staleTime: 0,
		});

	/** Everything that shows candidates reads anew. */
	function renew(): void {
		refresh("candidates");
		void queries.invalidateQueries({ queryKey: ["candidates", account.value, "list"] });
		void queries.invalidateQueries({ queryKey: ["calibration"] });
		void queries.invalidateQueries({ queryKey: ["regions"] });
	}

	const undoing = { label: t("candidates.undo"), run: () => void undo() };

	/** Carry a step of one candidate out; the candidate as it is then, or null if it was refused. */
	async function step(id: number, asked: () => Promise<Candidate>): Promise<Candidate | null> {
		if (busy.value !== null) return null;
		busy.value = id;
		try {
			const candidate = await asked();
			notes.delete(id);
			queries.setQueryData(key(id), candidate);
			const made = candidate.decisions[0];
			if (made) taken.push({ candidate: id, id: made.id });
			renew();
			return candidate;
		} catch (error) {
			if (error instanceof Problem && error.status === 409) {
				notify(`${t("candidates.stale")} ${te(error)}`, "problem");
				await read(id).catch(() => undefined);
				void queries.invalidateQueries({ queryKey: ["candidates", account.value, "list"] });
			} else notify(te(error), "problem");
			return null;
		} finally {
			busy.value = null;
		}
	}

	/** Decide on the version that the person saw; true if it was taken. */
	async function decide(
		seen: { id: number; version: number },
		decision: Decision,
		reason = "",
	): Promise<boolean> {
		const made = await step(seen.id, () =>
			body(
				api.POST("/api/candidates/{candidate_id}/decisions", {
					params: { path: { candidate_id: seen.id } },
					body: { decision, reason, note: notes.get(seen.id) ?? "", version: seen.version },
				}),
			),
		);
		if (!made) return false;
		asking.value = null;
		if (decision === "reopen") notify(t("candidates.reopened", { code: made.code }), "done", undoing);
		else notify(t("candidates.decided", { code: made.code, state: stateName(made.state) }), "done", undoing);
		return true;
	}

	async function addNote(id: number): Promise<void> {
		const note = (notes.get(id) ?? "").trim();
		if (!note) return;
		const made = await step(id, () =>
			body(
				api.POST("/api/candidates/{candidate_id}/notes", {
					params: { path: { candidate_id: id } },
					body: { note },
				}),
			),
		);
		if (made) notify(t("candidates.noted"), "done", undoing);
	}

	async function redraw(
		seen: { id: number; version: number },
		geometry: Record<string, unknown>,
		how: How,
	): Promise<boolean> {
		const made = await step(seen.id, () =>
			body(
				api.POST("/api/candidates/{candidate_id}/outline", {
					params: { path: { candidate_id: seen.id } },
					body: { geometry, how, note: notes.get(seen.id) ?? "", version: seen.version },
				}),
			),
		);
		if (made) notify(t("candidates.redrawn", { code: made.code }), "done", undoing);
		return made !== null;
	}

	/** One decision on all that a filter chooses; true if it was taken. */
	async function decideAll(
		filters: Asked,
		decision: Verdict,
		reason: string,
		note: string,
		expected: number,
	): Promise<boolean> {
		try {
			const made = await body(
				api.POST("/api/candidates/decisions", { body: { filters, decision, reason, note, expected } }),
			);
			taken.push({ bulk: made.bulk, count: made.count });
			renew();
			notify(t("candidates.bulk.done", { n: count(made.count, lang.value) }), "done", undoing);
			return true;
		} catch (error) {
			notify(te(error), "problem");
			renew();
			return false;
		}
	}

	/** Take the last step made here back; returns the candidate's id, if it was of one. */
	async function undo(): Promise<number | null> {
		const last = taken.at(-1);
		if (!last) {
			notify(t("candidates.nothingToUndo"), "problem");
			return null;
		}
		try {
			if ("bulk" in last) {
				const back = await body(
					api.POST("/api/candidates/decisions/bulk/{bulk}/undo", { params: { path: { bulk: last.bulk } } }),
				);
				const words = t("candidates.bulk.undone", { n: count(back.ids.length, lang.value) });
				notify(
					back.kept ? `${words} ${t("candidates.bulk.kept", { n: count(back.kept, lang.value) })}` : words,
				);
			} else {
				await body(
					api.POST("/api/candidates/decisions/{decision_id}/undo", {
						params: { path: { decision_id: last.id } },
					}),
				);
				const now = await read(last.candidate);
				notify(t("candidates.undone", { code: now.code, state: stateName(now.state) }));
			}
			taken.pop();
			renew();
			return "bulk" in last ? null : last.candidate;
		} catch (error) {
			// What cannot be taken back stays done: it must not bar the steps before it.
			if (error instanceof Problem && error.status === 409) taken.pop();
			notify(te(error), "problem");
			return null;
		}
	}

	return { decide, decideAll, addNote, redraw, undo };
}
