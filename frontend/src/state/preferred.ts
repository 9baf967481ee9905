import { type Ref, ref } from "vue";

function media(query: string): Ref<boolean> {
	const list = matchMedia(query);
	const found = ref(list.matches);
	list.addEventListener("change", (event) => {
		found.value = event.matches;
	});
	return found;
}

export const usePreferredDark = (): Ref<boolean> => media("(prefers-color-scheme: dark)");
export const useNarrow = (): Ref<boolean> => media("(max-width: 700px)");
/** No room for a panel, a drawer and the map beside each other; a magnified page is such a window, too. */
export const useCramped = (): Ref<boolean> => media("(max-width: 1000px)");
export const useReducedMotion = (): Ref<boolean> => media("(prefers-reduced-motion: reduce)");
