import { computed } from "vue";
import { createI18n } from "vue-i18n";
import type { Text } from "@/api/pending";
import { sentence } from "@/api/problem";
import { type Lang, title } from "@/lib/format";
import { recall } from "@/state/remembered";
import { view } from "@/state/view";
import en from "./en";
import zh from "./zh";

export const i18n = createI18n({ legacy: false, locale: "zh", fallbackLocale: "zh", messages: { zh, en } });

/** The language of the screen: of the address, else as last chosen here, else Chinese. */
export const lang = computed<Lang>(() => view.lang ?? recall("lang", ["zh", "en"] as const) ?? "zh");

export const t = i18n.global.t;
/** A catalogue title in the language of the screen. */
export const tt = (text: Text): string => title(text, lang.value);
/** Who acted: a person's name, or that it was the system. */
export const who = (name: string): string => (name.startsWith("system:") ? t("common.system") : name);
/** Any error as a sentence in the language of the screen. */
export const te = (error: unknown): string => sentence(error, lang.value);
