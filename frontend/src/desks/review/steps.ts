/** Steps of the review: one request each, on the version that the person saw. */

import { useQueryClient } from "@tanstack/vue-query";
import { reactive, ref } from "vue";
import { api, body } from "@/api/client";
import { Problem } from "@/api/problem";
import { useAccount } from "@/api/queries";
import type { components } from "@/api/schema";
import { t, te } from "@/i18n";
import { refresh } from "@/map/live";
import { notify } from "@/state/notices";

export type BatchRow = components["schemas"]["BatchRow"];
export type Item = components["schemas"]["ItemOut"];
export type Sample = components["schemas"]["SampleOut"];
export type Step = "submit" | "approve" | "return" | "return_item" | "withdraw" | "remove";
export type Stage = BatchRow["stage"];

/** Remarks in writing, by batch. */
export const notes = reactive(new Map<number, string>());
/** Ticked items, by batch. */
export const ticked = reactive(new Map<number, Set<number>>());
/** Is a step under way? */
export const busy = ref(false);
/** What was chosen in a list, a batch or (negative) a sample: the map goes there once it is read. */
export const wanted = ref<number | null>(null);
/** The item that is looked at. */
export const looked = ref<number | null>(null);

/** What an item is called: of the register, else as the permit has it. */
export function nameOf(item: Item): string {
	const facts = item.facts as Facts;
	return (
		facts.intake?.name ||
		facts.point?.name ||
		facts.permit?.holder_name ||
		facts.permit?.permit_no ||
		String(item.outcome_id)
	);
}

export interface Facts {
	intake?: {
		code: string;
		name: string;
		holder_name?: string;
		town?: string;
		place?: string;
		water_body?: string;
		annual_m3?: number;
		purpose?: string;
	};
	permit?: {
		permit_no: string;
		holder_name?: string;
		issuing_authority?: string;
		issuing_level?: string;
		annual_m3?: number;
		valid_from?: string;
		valid_to?: string;
		status?: string;
	};
	permits?: string[];
	point?: { name?: string; code?: string; place?: string; annual_m3?: number; lon?: number; lat?: number };
	pair?: {
		probability?: number;
		distance_m?: number;
		reasons?: { code: string; zh: string; en: string }[];
		conflicts?: string[];
	};
	decided?: { by?: "rule" | "person"; name?: string; at?: string; note?: string; ground?: string };
}

export function useSteps() {
	const queries = useQueryClient();
	const account = useAccount();

	const key = (id: number) => ["review", account.value, "batch", id];

	function renew(): void {
		refresh("intakes");
		void queries.invalidateQueries({ queryKey: ["review"] });
		void queries.invalidateQueries({ queryKey: ["statistics"] });
	}

	/** Take a refusal: of a batch that changed meanwhile the new state is read. */
	function refused(error: unknown): void {
		if (error instanceof Problem && error.status === 409) {
			notify(`${te(error)}`, "problem");
			void queries.invalidateQueries({ queryKey: ["review"] });
		} else notify(te(error), "problem");
	}

	function send(batch: BatchRow, step: Step, items: number[], words: string): Promise<unknown> {
		const path = { path: { batch_id: batch.id } };
		const { version } = batch;
		if (step === "return")
			return body(
				api.POST("/api/review/batches/{batch_id}/return", { params: path, body: { version, reason: words } }),
			);
		if (step === "return_item")
			return body(
				api.POST("/api/review/batches/{batch_id}/items/return", {
					params: path,
					body: { version, items, reason: words },
				}),
			);
		if (step === "remove")
			return body(
				api.POST("/api/review/batches/{batch_id}/items/remove", { params: path, body: { version, items } }),
			);
		const given = { params: path, body: { version, note: words } };
		if (step === "submit") return body(api.POST("/api/review/batches/{batch_id}/submit", given));
		if (step === "approve") return body(api.POST("/api/review/batches/{batch_id}/approve", given));
		return body(api.POST("/api/review/batches/{batch_id}/withdraw", given));
	}

	/** Do a step; true if it was taken. A return without a reason is not sent. */
	async function act(batch: BatchRow, step: Step): Promise<boolean> {
		if (busy.value) return false;
		const words = (notes.get(batch.id) ?? "").trim();
		const items = [...(ticked.get(batch.id) ?? [])];
		if ((step === "return" || step === "return_item") && !words) {
			notify(t("review.batch.reasonMissing"), "problem");
			document.querySelector<HTMLElement>("[data-reason]")?.focus();
			return false;
		}
		busy.value = true;
		try {
			const now = await send(batch, step, items, words);
			notes.delete(batch.id);
			ticked.delete(batch.id);
			queries.setQueryData(key(batch.id), now);
			notify(t(`review.batch.done.${step}`, { id: batch.id, n: items.length }));
			renew();
			return true;
		} catch (error) {
			refused(error);
			return false;
		} finally {
			busy.value = false;
		}
	}

	return { act, key, renew, refused };
}
