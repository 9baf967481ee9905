export default {
	title: "Past days",
	open: "Past days",
	now: "Now",
	asOf: "As it was on {day}",
	layers: "Applies to: {names}",
	slide: "Choose a day by month",
	day: "Day",
	today: "Back to today",
	close: "Close past days, back to today",
	tooFar: "Zoom in to see a past day: {why}",
};
