"""Words that made-up registers are written with. Nothing here is read from the code that cleans names."""

TOWN = "安丰兴隆沙河临泽甘垛卸甲菱塘车逻汤庄送桥司徒龙虬平望柳堡曹甸泾河望直射阳氾水鲁垛广洋西安宜陵真武丁沟郭村小纪武坚樊川邵伯仙女大桥吴桥浦头嘶马花荡"
VILLAGE = "东西南北上下前后大小新老张王李赵刘陈杨周吴徐孙马朱胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚"
VILLAGE_TAIL = (
    "庄",
    "家庄",
    "家村",
    "村",
    "湾",
    "集",
    "店",
    "堡",
    "寨",
    "营",
    "桥",
    "沟",
    "坪",
    "岗",
    "河",
    "墩",
    "圩",
    "舍",
    "家舍",
    "屯",
)
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红玲芬燕彬凤洁梅琳素云莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤珍贞莉"
BRAND = "恒瑞华鑫永盛金源宏达天成远大中兴长青绿洲德润嘉禾广厦银河东升海纳百川瑞丰同济康泰洁源清泉龙腾飞跃万通四海五洲启明卓越"
TRADE = (
    "纸业",
    "化工",
    "印染",
    "食品",
    "酿酒",
    "建材",
    "水泥",
    "热电",
    "钢铁",
    "制药",
    "纺织",
    "饲料",
    "乳业",
    "农业发展",
    "生态农业",
    "水产养殖",
    "供水",
    "自来水",
    "水务",
    "矿业",
)
COMPANY = ("有限公司", "有限责任公司", "股份有限公司", "集团有限公司", "厂")
PUBLIC = (
    "水利站",
    "农业服务中心",
    "灌区管理处",
    "水利工程管理所",
    "敬老院",
    "中学",
    "卫生院",
    "污水处理厂",
    "自来水厂",
    "供水站",
)
RIVER = (
    "三阳河",
    "澄子河",
    "盐邵河",
    "斗龙港",
    "南澄子河",
    "横泾河",
    "向阳河",
    "大潼河",
    "子婴河",
    "北关河",
    "龙耳河",
    "东平河",
    "通扬运河",
    "新通扬运河",
    "红旗渠",
    "跃进河",
    "团结河",
    "友谊河",
    "胜利河",
    "幸福渠",
)
COUNTIES = (("江苏省", "扬州市", "高邮市", 321084), ("江苏省", "扬州市", "宝应县", 321023), ("江苏省", "扬州市", "江都区", 321012), ("河北省", "衡水市", "深州市", 131182), ("河北省", "衡水市", "武邑县", 131122), ("山东省", "德州市", "禹城市", 371482), ("河南省", "新乡市", "辉县市", 410782), ("四川省", "内江市", "隆昌市", 511083), ("宁夏回族自治区", "银川市", "贺兰县", 640122), ("广东省", "广州市", "增城区", 440118))  # fmt: skip
HAN = "零一二三四五六七八九十"
HOMOPHONES = {"庄": "装", "桥": "乔", "家": "加", "河": "和", "村": "邨", "湾": "弯", "营": "赢", "源": "元", "鑫": "新", "恒": "衡", "华": "化", "张": "章", "陈": "程", "刘": "留", "杨": "扬", "周": "洲", "瑞": "睿", "盛": "胜", "泉": "全", "丰": "峰", "沟": "构", "屯": "吨", "堡": "保"}  # fmt: skip
TRADITIONAL = {"庄": "莊", "桥": "橋", "张": "張", "陈": "陳", "刘": "劉", "杨": "楊", "华": "華", "东": "東", "号": "號", "龙": "龍", "兴": "興", "业": "業", "厂": "廠", "农": "農", "马": "馬", "赵": "趙", "孙": "孫", "吴": "吳"}  # fmt: skip
WELL = ("号井", "号机井", "号水井", "号深井", "#井", "号机电井", "号", "号取水井", "号灌溉井")

ENGLISH_SHORT = {
    "CREEK": ("CK", "CR", "CRK"), "RIVER": ("R", "RIV", "R."), "COMPANY": ("CO", "CO."), "CORPORATION": ("CORP",),
    "ASSOCIATION": ("ASSN", "ASSOC.", "ASS'N"), "DISTRICT": ("DIST", "DIST."), "IRRIGATION": ("IRR", "IRRIG."), "WATER": ("WTR",),
    "SAINT": ("ST", "ST."), "NORTH": ("N", "N."), "SOUTH": ("S", "S."), "EAST": ("E",), "WEST": ("W",), "ROAD": ("RD",),
    "MOUNTAIN": ("MTN", "MT"), "VALLEY": ("VLY",), "RANCH": ("RCH",), "AND": ("&", "+"), "VINEYARDS": ("VINEYARD", "VYDS"), "COUNTY": ("CO", "CNTY"),
    "DEPARTMENT": ("DEPT", "DPT."), "SERVICE": ("SVC",), "SERVICES": ("SVCS",), "MUNICIPAL": ("MUN", "MUNI"), "CITY": ("CTY",),
    "COMMUNAL": ("COMM.",), "NATIONAL": ("NATL", "NAT'L"), "SPRING": ("SPG", "SPR"), "INCORPORATED": ("INC", "INC."), "FARMERS": ("FARMER",),
    "DEEPWELL": ("DEEP WELL", "DW"), "LIMITED": ("LTD",), "PROPERTIES": ("PROP.", "PROPS"), "FAMILY": ("FAM",), "TRUST": ("TR",), "FOREST": ("FRST",),
    "SOURCE": ("SCE",), "FORAGE": ("FOR.", "F."), "CAPTAGE": ("CAPT.",), "PUITS": ("PTS",), "RAVINE": ("RAV.",), "RIVIERE": ("RIV.",), "BRAS": ("BR.",),
}  # fmt: skip
ENGLISH_FORMS = ("INC", "LLC", "LTD", "CO", "CORP", "L.P.", "THE", "ET AL", "TRUSTEE")
SURNAMES = ["Abbott", "Baxter", "Castillo", "Delgado", "Emerson", "Fairchild", "Gallagher", "Henderson", "Ibarra", "Jorgensen", "Kowalski", "Lindqvist", "Mendoza", "Nakamura", "Olsen", "Petrov", "Quintero", "Rasmussen", "Silva", "Thornton", "Underwood", "Vasquez", "Whitaker", "Yamada", "Zimmerman", "Moreno", "Hughes", "Price", "Bell", "Ortega"]
FIRST_NAMES = ["James", "Mary", "Robert", "Linda", "Michael", "Susan", "William", "Karen", "David", "Nancy", "Richard", "Lisa", "Joseph", "Betty", "Thomas", "Sandra", "Carlos", "Ana", "Pierre", "Marie", "Luis", "Carmen"]
WATERS = ["Willow", "Cedar", "Antelope", "Rattlesnake", "Bear", "Deer", "Coyote", "Eagle", "Sulphur", "Mill", "Salmon", "Trout", "Pine", "Oak", "Alder", "Cottonwood", "Stony", "Clear", "Muddy", "Dry", "Lost", "Indian", "Spanish", "Miller", "Johnson", "Butte", "Squaw", "Badger", "Beaver"]
