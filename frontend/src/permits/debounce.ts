import { onScopeDispose, type Ref, ref, watch } from "vue";

/** A value that follows once it has rested for so many milliseconds. */
export function refDebounced<T>(value: () => T, rest: number): Ref<T> {
	const settled = ref(value()) as Ref<T>;
	let timer: ReturnType<typeof setTimeout> | undefined;
	watch(value, (now) => {
		clearTimeout(timer);
		timer = setTimeout(() => {
			settled.value = now;
		}, rest);
	});
	onScopeDispose(() => clearTimeout(timer));
	return settled;
}
