import { type Ref, ref, watch } from "vue";
import { lang } from "@/i18n";
import { moment } from "@/lib/format";

/** When what a sheet shows was last replaced by something else while it was open; empty if never. */
export function useUpdated(shown: () => unknown): Ref<string> {
	const at = ref("");
	watch(
		() => JSON.stringify(shown()),
		(now, before) => {
			if (now && before) at.value = moment(new Date().toISOString(), lang.value);
		},
	);
	return at;
}
