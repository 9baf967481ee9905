export default {
	app: { name: "水图", full: "取水口“一张图”" },
	place: { map: "一张图", candidates: "遥感", imports: "导入" },
	panel: { layers: "图层", close: "收起图层", open: "图层", inView: "视野内", hidden: "放大后显示" },
	theme: { light: "浅色", dark: "深色", toDark: "换为深色", toLight: "换为浅色" },
	map: { label: "地图：方向键移动，加减键缩放，回车选中中心处的要素" },
	common: { retry: "重试" },
	lang: { switch: "English" },
};
