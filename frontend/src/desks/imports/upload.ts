/** Sending a file: by XMLHttpRequest, because fetch cannot tell how much has gone out. */

import { Problem, type ProblemBody } from "@/api/problem";
import type { components } from "@/api/schema";

export type Import = components["schemas"]["ImportOut"];

export interface Parcel {
	kind: string;
	file: File;
	mappingName: string;
	mappingFile: File | null;
}

/** Send; `progress` hears shares 0..1. Rejects with a Problem, or a TypeError if the server is not reached. */
export function send(parcel: Parcel, progress: (share: number) => void): Promise<Import> {
	const form = new FormData();
	form.set("kind", parcel.kind);
	form.set("file", parcel.file);
	if (parcel.mappingFile) form.set("mapping", parcel.mappingFile);
	else if (parcel.mappingName) form.set("mapping_name", parcel.mappingName);
	return new Promise((resolve, reject) => {
		const request = new XMLHttpRequest();
		request.open("POST", "/api/imports");
		request.responseType = "json";
		request.upload.onprogress = (event) => {
			if (event.lengthComputable) progress(event.loaded / event.total);
		};
		request.onload = () => {
			if (request.status < 300) resolve(request.response as Import);
			else reject(new Problem(request.status, (request.response ?? {}) as ProblemBody));
		};
		request.onerror = () => reject(new TypeError("network"));
		request.send(form);
	});
}

const RUNNING = new Set(["waiting", "staging", "applying"]);
export const isRunning = (record: Pick<Import, "state">): boolean => RUNNING.has(record.state);

/** Seconds until all rows are read, by the pace so far; null while that is unknown. */
export function remaining(record: Import, now: number): number | null {
	const { rows_total: total, rows_read: read, started_at: started } = record;
	if (!total || !read || !started || read >= total) return null;
	return (((now - Date.parse(started)) / 1000) * (total - read)) / read;
}

/** A file's size in words. */
export function size(bytes: number): string {
	if (bytes < 1024) return `${bytes} B`;
	if (bytes < 2 ** 20) return `${(bytes / 1024).toFixed(0)} KB`;
	return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
