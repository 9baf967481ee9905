/** What lies below a candidate by itself: the scene it was found in, or else the latest that can be used, held against the
 * earlier one. Who puts it away is not shown it again on this browser, until he calls for it. */

import type { Scene } from "@/imagery/overlay";
import { recall, remember } from "@/state/remembered";
import { note, view } from "@/state/view";

/** Clouds over more than this share of a scene, %, hide too much to begin with it. A guess of 2026-11. */
const CLOUDY = 60;
const HABITS = ["on", "off"] as const;
type Part = "picture" | "swipe";

export const wants = (part: Part): boolean => recall(part, HABITS) !== "off";
export const want = (part: Part, on: boolean): void => remember(part, on ? "on" : "off");

/** The scene to begin with, and what to hold it against; `scenes` of the place, oldest first. */
export function opening(
	scenes: readonly Pick<Scene, "id" | "cloud_pct">[],
	present: number | null,
	previous: number | null,
): { scene: number; before: number | null } | null {
	const usable = scenes.filter((one) => one.cloud_pct === null || one.cloud_pct <= CLOUDY);
	const chosen = scenes.find((one) => one.id === present) ?? usable.at(-1) ?? scenes.at(-1);
	if (!chosen) return null;
	const older = scenes.slice(0, scenes.indexOf(chosen));
	const before =
		older.find((one) => one.id === previous) ?? older.filter((one) => usable.includes(one)).at(-1);
	return { scene: chosen.id, before: before?.id ?? null };
}

let shown: number | null = null;

/** Lay it below the candidate; `swiped`: with the earlier one. */
export function lay(found: { scene: number; before: number | null }, swiped: boolean): void {
	shown = found.scene;
	note({ scene: found.scene, before: swiped ? found.before : null });
}

/** Nothing is looked at any more: the swipe goes, and the scene that came by itself. */
export function clear(): void {
	if (view.scene === null) return;
	note({ before: null, ...(view.scene === shown ? { scene: null } : {}) });
	shown = null;
}
