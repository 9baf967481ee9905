/** Keys of a desk: one each, and none of them while somebody writes. */

import { onBeforeUnmount, onMounted } from "vue";

/** By `KeyboardEvent.key`, letters small; `digit` takes 1 to 9. */
export type Keys = Record<string, (() => void) | undefined>;

const WRITING = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]";
/** Controls that walk by the arrows themselves. */
const WALKING = "canvas, input[type=range], input[type=radio], [role=tablist] *";

/** Listen while the component is there; `keys` is asked anew at each key, so that it may depend on what is looked at. */
export function useKeys(keys: () => Keys, digit?: (n: number) => void): void {
	function pressed(event: KeyboardEvent): void {
		const target = event.target as HTMLElement;
		if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
		if (target.closest(WRITING)) {
			if (event.key === "Escape") target.blur();
			return;
		}
		if (event.key.startsWith("Arrow") && target.matches(WALKING)) return;
		const act =
			digit && /^[1-9]$/.test(event.key)
				? () => digit(Number(event.key))
				: keys()[event.key.length === 1 ? event.key.toLowerCase() : event.key];
		if (!act) return;
		// Escape goes on to whatever else it closes.
		if (event.key !== "Escape") event.preventDefault();
		act();
	}
	onMounted(() => window.addEventListener("keydown", pressed));
	onBeforeUnmount(() => window.removeEventListener("keydown", pressed));
}
