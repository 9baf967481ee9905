/** What the keys of the desk ask of the scenes in the dossier. */

import { shallowRef } from "vue";

export const imagery = shallowRef<{
	step: (by: number) => void;
	turn: () => void;
	compare: () => void;
} | null>(null);
