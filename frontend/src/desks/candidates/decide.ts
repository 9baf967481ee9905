/** Deciding candidates: one request each, a stack to take back from, notes that survive a refusal. */

import { useQueryClient } from "@tanstack/vue-query";
import { reactive, ref } from "vue";
import { api, body } from "@/api/client";
import type { Bounds } from "@/api/pending";
import { Problem } from "@/api/problem";
import { useAccount, useCatalog } from "@/api/queries";
import type { components } from "@/api/schema";
import { t, te, tt } from "@/i18n";
import { refresh } from "@/map/live";
import { notify } from "@/state/notices";

export type Row = Omit<components["schemas"]["CandidateRow"], "bbox"> & { bbox: Bounds };
export type Candidate = components["schemas"]["CandidateOut"];
export type Decision = components["schemas"]["NewDecision"]["decision"];
export type State = Row["state"];

/** Notes in writing, by candidate. */
export const notes = reactive(new Map<number, string>());
/** Ids decided here, the last at the end. */
export const decided = reactive<number[]>([]);
/** The candidate whose decision is under way. */
export const busy = ref<number | null>(null);

export function useDecide() {
	const queries = useQueryClient();
	const account = useAccount();
	const catalog = useCatalog();

	function stateName(state: State): string {
		const field = catalog.data.value?.layers
			.find((layer) => layer.id === "candidates")
			?.fields.find((one) => one.name === "state");
		const title = field?.values?.find((value) => value.value === state)?.title;
		return title ? tt(title) : state;
	}

	const read = (id: number) =>
		queries.fetchQuery({
			queryKey: ["candidates", account.value, "one", id],
			queryFn: () =>
				body(api.GET("/api/candidates/{candidate_id}", { params: { path: { candidate_id: id } } })),
			staleTime: 0,
		});

	/** Decide on the version that the person saw; true if it was taken. */
	async function decide(seen: { id: number; version: number }, decision: Decision): Promise<boolean> {
		if (busy.value !== null) return false;
		busy.value = seen.id;
		try {
			const candidate = await body(
				api.POST("/api/candidates/{candidate_id}/decisions", {
					params: { path: { candidate_id: seen.id } },
					body: { decision, note: notes.get(seen.id) ?? "", version: seen.version },
				}),
			);
			notes.delete(seen.id);
			queries.setQueryData(["candidates", account.value, "one", seen.id], candidate);
			if (decision === "reopen") {
				const at = decided.lastIndexOf(seen.id);
				if (at >= 0) decided.splice(at, 1);
				notify(t("candidates.reopened", { code: candidate.code }));
			} else {
				decided.push(seen.id);
				const words = t("candidates.decided", { code: candidate.code, state: stateName(candidate.state) });
				notify(words, "done", { label: t("candidates.undo"), run: () => void undo() });
			}
			refresh("candidates");
			void queries.invalidateQueries({ queryKey: ["candidates", account.value, "list"] });
			void queries.invalidateQueries({ queryKey: ["regions"] });
			return true;
		} catch (error) {
			if (error instanceof Problem && error.status === 409) {
				notify(t("candidates.stale"), "problem");
				await read(seen.id).catch(() => undefined);
				void queries.invalidateQueries({ queryKey: ["candidates", account.value, "list"] });
			} else notify(te(error), "problem");
			return false;
		} finally {
			busy.value = null;
		}
	}

	/** Take the last decision made here back; returns the candidate's id. */
	async function undo(): Promise<number | null> {
		const id = decided.at(-1);
		if (id === undefined) {
			notify(t("candidates.nothingToUndo"), "problem");
			return null;
		}
		try {
			const now = await read(id);
			if (now.state !== "suspected") return (await decide(now, "reopen")) ? id : null;
			decided.pop();
			return id;
		} catch (error) {
			notify(te(error), "problem");
			return null;
		}
	}

	return { decide, undo, stateName };
}
