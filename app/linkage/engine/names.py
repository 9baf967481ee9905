"""Names of intakes and holders, cleaned as the trade writes them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from app.linkage.engine.numbers import split_number
from app.linkage.engine.texts import fold, is_chinese

# The thirty-four units of the first level, which are also written without 省, 市 or 自治区.
PROVINCES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|"
    "陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
)
PROVINCE = re.compile(
    rf"^(?:{PROVINCES})(?:省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区)?(?=[\u4e00-\u9fff]{{2}})"
)
# Down to the county; towns and villages tell one intake from another and stay.
UNIT = re.compile(
    r"^[\u4e00-\u9fff]{2,6}?(?:自治州|地区|自治县|自治旗|(?<!城)市(?!政)|盟|县|(?<![社小园郊城灌库])区(?!域)|旗)(?=[\u4e00-\u9fff]{2})"
)
FORM_ZH = re.compile(
    r"有限责任公司|股份有限公司|集团有限公司|有限公司|股份公司|总公司|公司|（集团）|\(集团\)|集团|专业合作社|合作社|股份"
)
GENERIC_ZH = re.compile(r"取水口|取水点|取水泵站|取水工程|取水许可")
PUNCTUATION = re.compile(r"[^\w\s\u4e00-\u9fff\ufffd]+|_")
INITIALS = re.compile(r"\b(?:[a-z]\.){2,}(?:[a-z]\b)?")
FORMS = frozenset(
    [
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "co",
        "company",
        "llc",
        "lc",
        "ltd",
        "limited",
        "lp",
        "llp",
        "llp",
        "plc",
        "pty",
        "sarl",
        "scea",
        "earl",
        "gaec",
        "sas",
        "sasu",
        "sa",
        "sci",
        "snc",
        "eurl",
        "scop",
        "asl",
        "asa",
        "cuma",
        "ste",
        "societe",
        "sl",
        "slu",
        "sociedad",
        "anonima",
        "cv",
        "coop",
        "srl",
        "spa",
        "gmbh",
        "ag",
        "kg",
        "bv",
        "nv",
        "mr",
        "mrs",
        "ms",
        "dr",
        "jr",
        "sr",
        "et",
        "al",
        "etal",
        "trustee",
        "trustees",
    ]
)
STOP = frozenset(
    [
        "the",
        "of",
        "and",
        "a",
        "an",
        "de",
        "du",
        "des",
        "la",
        "le",
        "les",
        "l",
        "d",
        "del",
        "los",
        "las",
        "el",
        "y",
        "et",
        "e",
        "en",
        "di",
        "von",
        "van",
        "und",
        "der",
        "die",
        "das",
        "for",
        "by",
        "at",
    ]
)
# Long form → one short form, for the long form says which it is and the short one is ambiguous (st).
SHORT = {
    "creek": "ck", "crk": "ck", "cr": "ck", "river": "rv", "riv": "rv", "rvr": "rv", "r": "rv", "saint": "st", "street": "st",
    "ste": "st", "sainte": "st", "santa": "sta", "santo": "sto",
    "road": "rd", "avenue": "ave", "av": "ave", "highway": "hwy", "route": "rte", "north": "n", "south": "s", "east": "e", "west": "w",
    "nord": "n", "sud": "s", "est": "e", "ouest": "o", "norte": "n", "sur": "s", "este": "e", "oeste": "o",
    "mount": "mt", "mountain": "mt", "mtn": "mt", "fort": "ft", "lake": "lk", "spring": "spr", "springs": "spr", "sprg": "spr",
    "department": "dept", "district": "dist", "dst": "dist", "association": "assn", "assoc": "assn", "asso": "assn", "ass": "assn",
    "irrigation": "irr", "irrig": "irr", "irrigators": "irr", "irrigator": "irr", "county": "cnty", "city": "cty", "municipal": "mun",
    "water": "wtr", "waterworks": "wtrwks", "station": "sta", "pump": "pmp", "pumping": "pmp", "plant": "plt", "number": "no",
    "ranch": "rnch", "farm": "frm", "farms": "frm", "well": "wl", "wells": "wl", "brothers": "bros", "properties": "prop",
    "property": "prop", "vineyard": "vnyd", "vineyards": "vnyd", "company": "co", "university": "univ", "national": "natl",
    "international": "intl", "development": "dev", "management": "mgmt", "agricultural": "ag", "agriculture": "ag", "reservoir": "res",
    "branch": "br", "fork": "fk", "forks": "fk", "canyon": "cyn", "valley": "vly", "ditch": "dt", "canal": "cnl", "diversion": "div",
    "forage": "fge", "captage": "cptg", "rio": "rv", "riviere": "rv", "arroyo": "ayo", "pozo": "pz", "puits": "pts",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """A cleaned name."""

    full: str
    """Everything in it but punctuation, one space between words."""
    core: str
    """Without administrative prefixes, company forms and numbers; words shortened to one form."""
    words: tuple[str, ...]
    """Of a Latin name."""
    numbers: tuple[str, ...]
    latin: bool = False


EMPTY = Name("", "", (), ())


@lru_cache(maxsize=50_000)
def clean_name(text: str) -> Name:
    """The name in parts; EMPTY for a text with nothing in it."""
    folded = fold(text)
    if not folded:
        return EMPTY
    return _chinese(folded) if is_chinese(folded) else _latin(folded)


def _chinese(folded: str) -> Name:
    plain, numbers = split_number(without_prefix(folded))
    core = PUNCTUATION.sub("", GENERIC_ZH.sub("", FORM_ZH.sub("", plain))).replace(" ", "")
    full = PUNCTUATION.sub("", folded).replace(" ", "")
    core = core or PUNCTUATION.sub("", plain).replace(" ", "")
    return Name(full, core, (), numbers)


def pieces(name: Name) -> set[str]:
    """What two names may share: words of a Latin name, pairs of neighbouring characters of a Chinese one."""
    if name.latin:
        return set(name.words)
    core = name.core
    return {core[k : k + 2] for k in range(max(1, len(core) - 1))} if core else set()


def without_prefix(name: str) -> str:
    """江苏省扬州市高邮市三垛镇3号井 → 三垛镇3号井."""
    rest = PROVINCE.sub("", name)
    for _ in range(3):
        shorter = UNIT.sub("", rest)
        if shorter == rest:
            break
        rest = shorter
    return rest


def _latin(folded: str) -> Name:
    joined = INITIALS.sub(lambda m: m.group().replace(".", ""), folded.replace("&", " and "))
    plain, numbers = split_number(joined.replace(",", " "))
    every = [SHORT.get(word, word) for word in PUNCTUATION.sub(" ", plain).split()]
    kept = [word for word in every if word not in FORMS and word not in STOP] or every
    kept = [
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in kept
    ]
    return Name(" ".join(PUNCTUATION.sub(" ", folded).split()), " ".join(kept), tuple(kept), numbers, True)
