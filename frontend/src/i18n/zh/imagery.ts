/** 影像：期次、显示方式、指数曲线、勾绘、评分校准 */
export const imagery = {
	title: "各期影像",
	none: "此处没有已登记的影像",
	compare: "卷帘对比",
	against: "对比期次",
	date: "期次",
	cloud: "云量 {n}%",
	looks: {
		true: "真彩色",
		false_colour: "标准假彩色（近红外-红-绿）",
		swir: "短波红外（短波-近红外-红）",
		ndvi: "植被指数 NDVI",
		ndwi: "水体指数 NDWI",
		mndwi: "改进水体指数 MNDWI",
	},
	profile: "指数变化",
	noProfile: "没有能显示该对象的影像",
	newestOnly: "此处有 {of} 景影像，只读取最近的 {n} 景",
	table: "数值",
	series: {
		ndvi: "NDVI",
		ndmi: "NDMI",
		ndwi: "NDWI",
		around_ndvi: "周边 NDVI",
		around_ndmi: "周边 NDMI",
	},
};

export const outline = {
	title: "边界",
	redrawn: "已人工勾绘",
	corners: "调整边界",
	add: "补画",
	cut: "切除",
	replace: "重画",
	save: "保存",
	leave: "退出勾绘",
	how: {
		corners: "拖动角点调整；点中间的小点加角点，右键删除角点。",
		add: "在地图上逐点画出要补上的部分，点回起点或按回车结束。",
		cut: "在地图上逐点画出要切除的部分，点回起点或按回车结束。",
		replace: "在地图上逐点画出新的边界，点回起点或按回车结束。",
	},
};

export const calibration = {
	title: "疑似程度的可靠性",
	note: "疑似程度为 70% 的线索，经人工研判应约有 70% 属实。横轴为疑似程度，纵轴为属实比例，圆点越大线索越多，落在虚线上为准。",
	made: "{when} 由 {who} 校准（{method}）",
	by: "依据 {n} 条研判：属实 {yes}，不属实 {no}",
	before: "校准前",
	after: "校准后",
	error: "平均偏差 {ece}，Brier {brier}",
	none: "尚未校准，疑似程度由比对方法直接给出。",
	since: "本辖区已研判 {all} 条（属实 {yes}，不属实 {no}），上次校准以来新增 {n} 条。",
	needs: "校准至少需要 {n} 条研判，两种结论各不少于 {each} 条。",
	again: "按研判结果校准",
	done: "已校准，{n} 条线索的疑似程度有变化",
};
