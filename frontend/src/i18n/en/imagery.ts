/** Imagery: dates, looks, index profile, outlines, calibration of the score */
export const imagery = {
	title: "Images by date",
	none: "No scene on file covers this place",
	compare: "Swipe",
	against: "Against",
	date: "Date",
	cloud: "Cloud cover {n} %",
	looks: {
		true: "Natural colour",
		false_colour: "False colour (NIR, red, green)",
		swir: "Short wave infrared (SWIR, NIR, red)",
		ndvi: "Vegetation index NDVI",
		ndwi: "Water index NDWI",
		mndwi: "Modified water index MNDWI",
	},
	profile: "Indices by date",
	noProfile: "No scene shows this object",
	newestOnly: "Of {of} scenes here, the newest {n} are read",
	table: "Values",
	series: {
		ndvi: "NDVI",
		ndmi: "NDMI",
		ndwi: "NDWI",
		around_ndvi: "NDVI around",
		around_ndmi: "NDMI around",
	},
};

export const outline = {
	title: "Outline",
	redrawn: "drawn by a person",
	corners: "Move corners",
	add: "Add a part",
	cut: "Cut away",
	replace: "Draw anew",
	save: "Save",
	leave: "Stop drawing",
	how: {
		corners: "Drag corners; the small points between add one, a right click removes one.",
		add: "Draw the part to add, point by point; end at the first point or with Enter.",
		cut: "Draw the part to cut away, point by point; end at the first point or with Enter.",
		replace: "Draw the new outline, point by point; end at the first point or with Enter.",
	},
};

export const calibration = {
	title: "How far the score holds",
	note: "Of the findings with a score of 70 %, people should confirm about 70 %. Across: the score; up: the share confirmed; larger dots hold more findings; on the dashed line the score is right.",
	made: "Calibrated {when} by {who} ({method})",
	by: "On {n} decisions: {yes} confirmed, {no} rejected",
	before: "Before",
	after: "After",
	error: "mean gap {ece}, Brier {brier}",
	none: "Not calibrated yet: the score is as the method gives it.",
	since:
		"Decided in this jurisdiction: {all} ({yes} confirmed, {no} rejected), {n} since the last calibration.",
	needs: "A calibration needs {n} decisions, at least {each} of each kind.",
	again: "Calibrate on the decisions",
	done: "Calibrated: the score of {n} findings changed",
};
