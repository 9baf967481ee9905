import { beforeEach, expect, it } from "vitest";
import { clear, lay, opening, want, wants } from "@/desks/candidates/picture";
import { note, view } from "@/state/view";

const scenes = [
	{ id: 1, cloud_pct: 5 },
	{ id: 2, cloud_pct: 90 },
	{ id: 3, cloud_pct: null },
	{ id: 4, cloud_pct: 80 },
];

beforeEach(() => {
	localStorage.clear();
	note({ scene: null, before: null });
});

it("begins with the scene that the finding was made in, held against the one it was compared with", () => {
	expect(opening(scenes, 4, 2)).toEqual({ scene: 4, before: 2 });
});

it("begins with the latest that clouds do not hide, if the finding's is not on file", () => {
	expect(opening(scenes, null, null)).toEqual({ scene: 3, before: 1 });
	expect(opening([{ id: 2, cloud_pct: 90 }], 9, null)).toEqual({ scene: 2, before: null });
	expect(opening([], null, null)).toBeNull();
});

it("never holds a scene against a later one", () => {
	expect(opening(scenes, 1, 3)).toEqual({ scene: 1, before: null });
});

it("takes away what came by itself, and leaves the scene that somebody chose", () => {
	lay({ scene: 3, before: 1 }, true);
	expect([view.scene, view.before]).toEqual([3, 1]);
	clear();
	expect([view.scene, view.before]).toEqual([null, null]);
	lay({ scene: 3, before: 1 }, false);
	expect(view.before).toBeNull();
	note({ scene: 2, before: 1 });
	clear();
	expect([view.scene, view.before]).toEqual([2, null]);
});

it("remembers who does not want it", () => {
	expect(wants("swipe")).toBe(true);
	want("swipe", false);
	expect([wants("picture"), wants("swipe")]).toEqual([true, false]);
});
