/** Deciding lines of the linkage: one request each, a stack to take back from, notes that survive a refusal. */

import { useQueryClient } from "@tanstack/vue-query";
import { reactive, ref } from "vue";
import { api, body } from "@/api/client";
import { Problem } from "@/api/problem";
import { useAccount } from "@/api/queries";
import type { components } from "@/api/schema";
import { t, te } from "@/i18n";
import { refresh } from "@/map/live";
import { notify } from "@/state/notices";

export type Line = components["schemas"]["OutcomeRow"];
export type Whole = components["schemas"]["OutcomeOut"];
export type Pair = components["schemas"]["PairOut"];
export type PermitPlace = components["schemas"]["PermitPlace"];
export type Decision = components["schemas"]["NewMatch"];
export type Action = Decision["action"];

export const GROUNDS = [
	"collective_pond",
	"household",
	"dewatering",
	"public_safety",
	"drought",
	"filing_only",
	"public_supply",
] as const;

/** Notes in writing, by line. */
export const notes = reactive(new Map<number, string>());
/** The pair that is looked at, by line; the most probable one without an entry. */
export const looked = reactive(new Map<number, number>());
/** Pairs that are ticked for a split, by line. */
export const ticked = reactive(new Map<number, Set<number>>());
/** The line whose decision is under way. */
export const busy = ref<number | null>(null);
/** What asks for more than one key: the ground of an exemption, the search for another permit, a new entry. */
export const asking = ref<"ground" | "find" | "register" | null>(null);

interface Taken {
	line: number;
	decision?: number;
	batch?: number;
}
/** What was decided here, the last at the end. */
const taken = reactive<Taken[]>([]);

/** The pair that a decision means. */
export function pairOf(line: Whole): Pair | undefined {
	return line.pairs.find((pair) => pair.id === looked.get(line.id)) ?? line.pairs[0];
}

export function useDecide() {
	const queries = useQueryClient();
	const account = useAccount();
	const keyOf = (id: number) => ["matching", account.value, "one", id];

	const read = (id: number) =>
		queries.fetchQuery({
			queryKey: keyOf(id),
			queryFn: () =>
				body(api.GET("/api/linkage/outcomes/{outcome_id}", { params: { path: { outcome_id: id } } })),
			staleTime: 0,
		});

	/** What hangs on decisions is asked for anew. */
	function renew(): void {
		refresh("intakes");
		refresh("permits");
		for (const part of ["list", "progress", "batches", "one"]) {
			void queries.invalidateQueries({ queryKey: ["matching", account.value, part] });
		}
		for (const key of ["regions", "intakes", "permits"]) void queries.invalidateQueries({ queryKey: [key] });
	}

	/** Decide on the version that the person saw; the line as it stands then, or null if it was refused. */
	async function decide(
		seen: { id: number; version: number },
		decision: Omit<Decision, "version" | "note">,
	): Promise<Whole | null> {
		if (busy.value !== null) return null;
		busy.value = seen.id;
		try {
			const line = await body(
				api.POST("/api/linkage/outcomes/{outcome_id}/decisions", {
					params: { path: { outcome_id: seen.id } },
					body: { ...decision, note: notes.get(seen.id) ?? "", version: seen.version },
				}),
			);
			notes.delete(seen.id);
			ticked.delete(seen.id);
			asking.value = null;
			queries.setQueryData(keyOf(line.id), line);
			const made = line.decisions[0]?.id;
			if (made !== undefined) taken.push({ line: line.id, decision: made });
			notify(`${t(`matching.done.${decision.action}`)} · ${line.code ?? line.name}`, "done", {
				label: t("matching.undo"),
				run: () => void undo(),
			});
			renew();
			return line;
		} catch (error) {
			const said = te(error);
			const stale = error instanceof Problem && error.status === 409;
			notify(stale ? t("matching.changed", { said }) : said, "problem");
			if (stale) {
				await read(seen.id).catch(() => undefined);
				void queries.invalidateQueries({ queryKey: ["matching", account.value, "list"] });
			}
			return null;
		} finally {
			busy.value = null;
		}
	}

	/** Take the last decision made here back; returns its line. */
	async function undo(): Promise<number | null> {
		const last = taken.at(-1);
		if (!last) {
			notify(t("matching.nothingToUndo"), "problem");
			return null;
		}
		return (await takeBack(last)) ? last.line : null;
	}

	async function takeBack(what: Taken): Promise<boolean> {
		try {
			if (what.batch !== undefined) {
				const batch = await body(
					api.POST("/api/linkage/batches/{batch_id}/undo", { params: { path: { batch_id: what.batch } } }),
				);
				const left = batch.decided ? t("matching.bulk.left", { n: batch.decided }) : "";
				notify(t("matching.bulk.undone") + left);
			} else if (what.decision !== undefined) {
				await api.POST("/api/linkage/decisions/{decision_id}/undo", {
					params: { path: { decision_id: what.decision } },
				});
				notify(t("matching.done.undo"));
			}
			const at = taken.findIndex((one) => one.decision === what.decision && one.batch === what.batch);
			if (at >= 0) taken.splice(at, 1);
			renew();
			return true;
		} catch (error) {
			notify(te(error), "problem");
			return false;
		}
	}

	/** A batch counts as one decision on the stack. */
	function remember(batch: number, n: number): void {
		taken.push({ line: 0, batch });
		notify(t("matching.bulk.done", { n }), "done", {
			label: t("matching.bulk.undo"),
			run: () => void undo(),
		});
		renew();
	}

	return { decide, undo, takeBack, remember, taken };
}
