import { computed } from "vue";
import { usePreferredDark } from "./preferred";
import { recall } from "./remembered";
import { type Theme, view } from "./view";

const dark = usePreferredDark();

/** The theme of the screen: of the address, else as last chosen here, else as the system is set. */
export const theme = computed<Theme>(
	() => view.theme ?? recall("theme", ["light", "dark"] as const) ?? (dark.value ? "dark" : "light"),
);
