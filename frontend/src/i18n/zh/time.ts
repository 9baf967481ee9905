export default {
	title: "历史日期",
	open: "历史日期",
	now: "当前",
	asOf: "{day} 的登记情况",
	layers: "适用于：{names}",
	slide: "按月选择日期",
	day: "日期",
	today: "回到今天",
	close: "关闭历史日期，回到今天",
	tooFar: "历史日期须放大后显示：{why}",
};
