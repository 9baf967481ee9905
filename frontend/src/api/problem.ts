/** RFC 9457 problems as one sentence in the language of the screen. */

import type { Lang } from "@/lib/format";

export interface ProblemBody {
	type?: string;
	title?: string;
	status?: number;
	detail?: string;
	request_id?: string | null;
}

export class Problem extends Error {
	readonly status: number;
	readonly kind: string;
	readonly requestId: string | null;

	constructor(status: number, body: ProblemBody) {
		super(body.detail || body.title || `HTTP ${status}`);
		this.status = status;
		this.kind = body.type?.split("/").pop() ?? "";
		this.requestId = body.request_id ?? null;
	}
}

const OFFLINE = {
	zh: "连不上服务器：请检查网络后重试，已保存的内容不受影响",
	en: "The server cannot be reached: check the network and try again; what was saved is safe",
};
const BROKEN = {
	zh: "服务器没有给出可读的答复，请稍后重试",
	en: "The server gave no readable answer; try again later",
};

/** The half of a server's sentence "中文 (English)" that the reader wants; all of it if it has no halves. */
export function half(sentence: string, lang: Lang): string {
	const match =
		/^([\s\S]*?[\u3000-\u9fff\uff00-\uffef][\s\S]*?)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*$/.exec(sentence);
	const [, zh, en] = match ?? [];
	if (!zh || !en || /[\u4e00-\u9fff]/.test(en)) return sentence;
	return lang === "zh" ? zh : en.charAt(0).toUpperCase() + en.slice(1);
}

export function sentence(error: unknown, lang: Lang): string {
	if (error instanceof Problem) {
		const said = half(error.message, lang);
		const asked = error.status >= 500 && error.requestId;
		return asked ? `${said}（${error.requestId}）` : said;
	}
	if (error instanceof TypeError) return OFFLINE[lang];
	if (error instanceof SyntaxError) return BROKEN[lang];
	return error instanceof Error ? half(error.message, lang) : String(error);
}
