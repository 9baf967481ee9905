/** A scene as the map draws it. */

import { computed } from "vue";
import type { Bounds } from "@/api/pending";
import { useScenes } from "@/api/queries";
import type { components } from "@/api/schema";
import { t } from "@/i18n";
import { date, type Lang } from "@/lib/format";
import { type Bands, view } from "@/state/view";
import type { Overlay } from "./raster";

export type Scene = Omit<components["schemas"]["SceneOut"], "bbox"> & { bbox: Bounds };

/** Date and sensor, as every picture says them. */
export function caption(scene: Pick<Scene, "acquired_at" | "sensor"> | undefined, lang: Lang): string {
	const day = scene?.acquired_at ? date(scene.acquired_at, lang) : t("candidates.unknownDate");
	return `${day} ${scene?.sensor ?? ""}`.trim();
}

/** What is drawn of imagery: the scene below the data, and the earlier one that the swipe uncovers. */
export function useOverlays() {
	const scenes = useScenes();
	const find = (id: number | null) => scenes.data.value?.find((one) => one.id === id);
	const scene = computed(() => find(view.scene));
	const before = computed(() => (scene.value ? find(view.before) : undefined));
	/** As wished, if the scene has the bands for it. */
	const looks = (one: Scene): Bands => (one.renderings.includes(view.bands) ? view.bands : "true");
	const made = (one: Scene | undefined, like?: number): Overlay | null =>
		one ? { scene: one.id, bounds: one.bbox, rendering: looks(one), like } : null;
	return {
		scene,
		before,
		overlay: computed(() => made(scene.value)),
		under: computed(() => made(before.value, scene.value?.id)),
	};
}
