/** Short messages at the bottom of the screen; read out by screen readers, gone by themselves. */

import { reactive } from "vue";

export interface Notice {
	id: number;
	text: string;
	kind: "done" | "problem";
	action?: { label: string; run: () => void };
}

export const notices = reactive<Notice[]>([]);
const SHOWN_MS = { done: 5000, problem: 12_000 };
let last = 0;

export function dismiss(id: number): void {
	const at = notices.findIndex((notice) => notice.id === id);
	if (at >= 0) notices.splice(at, 1);
}

export function notify(text: string, kind: Notice["kind"] = "done", action?: Notice["action"]): void {
	last += 1;
	const id = last;
	notices.push(action ? { id, text, kind, action } : { id, text, kind });
	if (notices.length > 3) notices.shift();
	setTimeout(() => dismiss(id), SHOWN_MS[kind]);
}
