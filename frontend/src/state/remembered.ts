/** Choices of this browser that outlive the address: theme and language. Storage may be forbidden. */

const PREFIX = "shuitu.";

export function recall<T extends string>(name: string, allowed: readonly T[]): T | null {
	try {
		const kept = localStorage.getItem(PREFIX + name);
		return allowed.find((value) => value === kept) ?? null;
	} catch {
		return null;
	}
}

export function remember(name: string, value: string): void {
	try {
		localStorage.setItem(PREFIX + name, value);
	} catch {
		// Private windows: the address still carries it.
	}
}
