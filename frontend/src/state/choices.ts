import { lang } from "@/i18n";
import { remember } from "./remembered";
import { theme } from "./theme";
import { note } from "./view";

export function turnLanguage(): void {
	const next = lang.value === "zh" ? "en" : "zh";
	remember("lang", next);
	note({ lang: next });
}

export function turnTheme(): void {
	const next = theme.value === "dark" ? "light" : "dark";
	remember("theme", next);
	note({ theme: next });
}
