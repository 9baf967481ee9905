/** Shapes of answers that the OpenAPI document leaves open or does not name yet. */

export interface Text {
	zh: string;
	en: string;
}

export interface FieldValue {
	value: string | number | boolean;
	title: Text;
}

export interface Field {
	name: string;
	type: "string" | "integer" | "number" | "boolean" | "date" | "datetime";
	title: Text;
	unit?: string;
	values?: FieldValue[];
	tile: boolean;
	filter: boolean;
	description?: Text;
}

export interface LegendEntry {
	value?: string | number | boolean;
	upto?: number;
	below?: number;
	title: Text;
	colour?: string;
	/** Instead of it in the dark theme. */
	dark?: string;
	hollow?: boolean;
	shape?: "circle" | "triangle" | "diamond" | "square";
	radius?: number;
}

export interface LegendGroup {
	field: string | null;
	kind: "colour" | "shape" | "size";
	title?: Text;
	outline?: boolean;
	entries: LegendEntry[];
}

export interface Layer {
	id: string;
	title: Text;
	description: Text;
	kind: "point" | "line" | "polygon";
	basemap: boolean;
	order: number;
	visible: boolean;
	minzoom: number;
	maxzoom: number;
	cells: boolean;
	/** Can it be shown as it was on a past day? */
	past: boolean;
	/** The class whose share the arc around an overview cell tells. */
	ring: LegendEntry | null;
	fields: Field[];
	legend: LegendGroup[];
	/** Names of the fields by which the map can be filtered at every zoom. */
	facets: string[];
	tilejson: string;
	features: string;
}

/** West, south, east, north. */
export type Bounds = readonly number[];

export interface Catalog {
	layers: Layer[];
	map: { bounds: Bounds; review_number: string | null; tianditu_key: string | null; demo: boolean };
}
