import type { LegendEntry } from "@/api/pending";
import { theme } from "@/state/theme";

/** The colour in which the map draws a class in the theme of the screen. */
export const ink = (entry: LegendEntry): string | undefined =>
	theme.value === "dark" ? (entry.dark ?? entry.colour) : entry.colour;
