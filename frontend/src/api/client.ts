/** The product API: typed calls from the OpenAPI document, answers or a `Problem`. */

import createClient, { type Middleware } from "openapi-fetch";
import { Problem, type ProblemBody } from "./problem";
import type { paths } from "./schema";

async function problemOf(response: Response): Promise<Problem> {
	const type = response.headers.get("content-type") ?? "";
	const body = type.includes("json") ? ((await response.json()) as ProblemBody) : {};
	return new Problem(response.status, body);
}

const raise: Middleware = {
	async onResponse({ response }) {
		if (!response.ok) throw await problemOf(response);
	},
};

export const api = createClient<paths>({ baseUrl: location.origin });
api.use(raise);

/** The body of an answer that went well (the middleware has thrown otherwise). */
export async function body<T>(call: Promise<{ data?: T }>): Promise<T> {
	return (await call).data as T;
}

/** JSON of an address outside the typed client: styles, TileJSON, bodies that the document leaves open. */
export async function json<T>(path: string, init?: RequestInit): Promise<T> {
	const response = await fetch(path, { headers: { Accept: "application/json" }, ...init });
	if (!response.ok) throw await problemOf(response);
	return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}
