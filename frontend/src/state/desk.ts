/** The list of a desk: rows read page by page, the one that is looked at, and the way from one to the next. */

import { useInfiniteQuery } from "@tanstack/vue-query";
import { computed, nextTick, ref } from "vue";
import { useAccount, useOfficer } from "@/api/queries";
import { go, view } from "./view";

export const PAGE = 50;

interface Page<R> {
	items: R[];
	total: number;
	/** Are there more than were counted? */
	more?: boolean;
	next: string | null;
}

interface Wanted<R> {
	/** Of a selection in the address. */
	layer: string;
	/** First part of the key of its answers: what changed there is read anew. */
	key: string;
	/** What the list is asked for; another answer makes another list. */
	asked: () => unknown;
	read: (page: { limit: number; after?: string }) => Promise<Page<R>>;
	/** A row is about to be looked at; and it is: what the map does then. */
	before?: (row: R) => void;
	show?: (row: R) => void;
	/** Read anew after so many ms, where nobody tells of changes. */
	every?: number;
}

export function useDeskRows<R extends { id: number }>(wanted: Wanted<R>) {
	const account = useAccount();
	const officer = useOfficer();
	/** The element of the list, for the focus. */
	const list = ref<HTMLElement>();
	const pages = useInfiniteQuery({
		queryKey: computed(() => [wanted.key, account.value, "list", wanted.asked()]),
		queryFn: ({ pageParam }) => wanted.read({ limit: PAGE, ...(pageParam ? { after: pageParam } : {}) }),
		initialPageParam: "",
		getNextPageParam: (page) => page.next,
		enabled: officer,
		refetchInterval: wanted.every ?? false,
	});
	const rows = computed<R[]>(() => pages.data.value?.pages.flatMap((page) => page.items) ?? []);
	const total = computed(() => pages.data.value?.pages[0]?.total ?? 0);
	const beyond = computed(() => pages.data.value?.pages[0]?.more ?? false);
	const rest = computed(() =>
		beyond.value ? PAGE : Math.min(PAGE, Math.max(0, total.value - rows.value.length)),
	);
	const chosen = computed(() => (view.selection?.layer === wanted.layer ? view.selection.id : null));
	const at = computed(() => rows.value.findIndex((row) => row.id === chosen.value));
	/** The row that comes up once the one looked at is decided. */
	const next = computed(() => rows.value[at.value + 1] ?? rows.value[at.value - 1]);

	/** Look at a row: list, map and details go together. */
	function look(row: R, focus = false): void {
		wanted.before?.(row);
		go({ selection: { layer: wanted.layer, id: row.id }, open: null });
		void nextTick(() => {
			wanted.show?.(row);
			if (focus) list.value?.querySelector<HTMLElement>(`[data-row="${row.id}"]`)?.focus();
		});
	}

	async function step(by: number): Promise<void> {
		if (at.value + by >= rows.value.length && pages.hasNextPage.value) await pages.fetchNextPage();
		const to = rows.value[at.value < 0 ? 0 : Math.min(Math.max(at.value + by, 0), rows.value.length - 1)];
		if (to) look(to, true);
	}

	/** Back to a row that was decided, whether or not the filter still has it. */
	async function returnTo(id: number): Promise<void> {
		await pages.refetch();
		const row = rows.value.find((one) => one.id === id);
		if (row) look(row, true);
		else go({ selection: { layer: wanted.layer, id } });
	}

	return { list, pages, rows, total, beyond, rest, chosen, at, next, look, step, returnTo };
}

export type DeskRows<R extends { id: number }> = ReturnType<typeof useDeskRows<R>>;
