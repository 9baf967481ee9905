/** Days of the map's past, in China's calendar: months count from the first that the slider reaches. */

import { date } from "@/lib/format";

export const earliest = "2010-01-01";
const [FIRST_YEAR = 2010] = earliest.split("-").map(Number);

export function today(): string {
	return date(new Date().toISOString(), "zh");
}

/** A day as an address says it, or null: a date that exists, not before the first. */
export function dayOf(value: unknown): string | null {
	if (typeof value !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(value) || value < earliest) return null;
	const at = new Date(`${value}T00:00:00Z`);
	return Number.isNaN(at.getTime()) || at.toISOString().slice(0, 10) !== value ? null : value;
}

/** How many whole months a day lies after the first. */
export function monthOf(day: string): number {
	const [year = FIRST_YEAR, month = 1] = day.split("-").map(Number);
	return (year - FIRST_YEAR) * 12 + month - 1;
}

/** Steps of a slider from one day to another: one beyond the last month's beginning, which is today. */
export function months(from: string, to: string): number {
	return monthOf(to) - monthOf(from) + 1;
}

/** The first day of a month. */
export function startOf(step: number): string {
	const year = FIRST_YEAR + Math.floor(step / 12);
	return `${year}-${String((step % 12) + 1).padStart(2, "0")}-01`;
}
