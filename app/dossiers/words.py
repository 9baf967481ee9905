"""Values as people read them, in one language: titles and codes come from the layers and the kinds of imports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson

from app.dossiers.sections import Lang
from app.imports.kind import FieldSpec
from app.regions.codes import BASINS
from app.registry import intake_import, permit_import
from layers import catalog
from layers.clock import CHINA

NONE = "—"
SPECS: Mapping[str, Mapping[str, FieldSpec]] = {
    "intakes": {spec.name: spec for spec in intake_import.FIELDS},
    "permits": {spec.name: spec for spec in permit_import.FIELDS},
}
TITLES: Mapping[str, tuple[str, str]] = {
    "geometry": ("位置", "Position"),
    "limits": ("限额", "Limits"),
    "lon": ("经度", "Longitude"),
    "lat": ("纬度", "Latitude"),
    "position_error_m": ("位置误差", "Position error"),
    "declared_datum": ("坐标系", "Datum"),
    "recorded_at": ("入库时间", "Recorded"),
    "effective_on": ("生效日期", "In effect from"),
    "ended_on": ("终止日期", "Ended on"),
    "valid_from": ("有效期起", "Valid from"),
    "valid_to": ("有效期止", "Valid to"),
    "permit_no_raw": ("原写法", "As written"),
    "version": ("版本", "Version"),
}
"""Titles of what neither a layer nor an import has."""
LEVELS = {
    "county": ("县级", "county"),
    "prefecture": ("市级", "prefecture"),
    "province": ("省级", "province"),
}
CODES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "origin": {
        "import": ("导入", "import"),
        "linkage": ("比对衔接", "linkage"),
        "person": ("人工", "a person"),
    },
    "decided_by": {"rule": ("规则", "rule"), "person": ("人工", "a person")},
    "outcome": {
        "one_to_one": ("一口一证", "one intake, one permit intake"),
        "n_to_one": ("多口一证", "several intakes, one permit"),
        "one_to_n": ("一口多证", "one intake, several permits"),
        "intake_without_permit": ("有口无证", "intake without permit"),
        "permit_without_intake": ("有证无口", "permit without intake"),
        "exempt": ("无需办证", "no permit needed"),
        "pending": ("待定", "to be decided"),
    },
    "pair": {
        "open": ("待核", "open"),
        "confirmed": ("已确认", "confirmed"),
        "rejected": ("已否定", "rejected"),
        "withdrawn": ("已撤回", "withdrawn"),
    },
    "item": {
        "draft": ("草稿", "draft"),
        "in_review": ("审核中", "in review"),
        "returned": ("退回", "returned"),
        "stale": ("已变动", "changed since"),
        "published": ("已上图", "published"),
        "withdrawn": ("已撤回", "withdrawn"),
    },
    "stage": LEVELS | {"basin": ("流域", "basin agency")},
    "authority": LEVELS
    | {
        "basin": ("流域机构", "basin agency"),
        "nation": ("水利部", "ministry"),
        "none": ("", ""),
    },
}


@dataclass(frozen=True)
class Words:
    """Words in one language; `counties` names the counties that the dossier speaks of."""

    lang: Lang
    counties: Mapping[int, str] = field(default_factory=dict)

    def pick(self, zh: str, en: str) -> str:
        return zh if self.lang == "zh" else en

    def title(self, layer: str, name: str) -> str:
        """The title of a field; its own name where nobody gave it one."""
        if name.startswith("attributes."):
            return name.removeprefix("attributes.")
        if name in TITLES:
            return self.pick(*TITLES[name])
        if (declared := _declared(layer).get(name)) is not None:
            return str(getattr(declared.title, self.lang))
        spec = SPECS[layer].get(name)
        return name if spec is None else self.pick(spec.title, spec.english.capitalize())

    def value(self, layer: str, name: str, value: Any) -> str:
        """A value of a field, with its unit."""
        if value is None or value == "":
            return NONE
        if name == "county_code":
            return f"{self.counties.get(value, '')} {value}".strip()
        if name == "basin_id":
            return BASINS.get(str(value), (str(value),))[0]
        if name in ("lon", "lat"):
            return f"{value:.6f}°"
        if isinstance(value, bool):
            return self.pick("是" if value else "否", "Yes" if value else "No")
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, dict | list):
            return orjson.dumps(value).decode()
        if isinstance(value, str):
            return self._code(layer, name, value)
        return self._quantity(name, value)

    def _quantity(self, name: str, value: Any) -> str:
        if name.endswith(("volume_m3", "annual_m3", "daily_m3")):
            return self.volume(value)
        unit = {"_m3s": " m³/s", "_m": " m"}.get(
            next((end for end in ("_m3s", "_m") if name.endswith(end)), ""), ""
        )
        return f"{value:,.6g}{unit}" if unit else str(value)

    def _code(self, layer: str, name: str, value: str) -> str:
        declared = _declared(layer).get(name)
        for entry in declared.values if declared is not None else ():
            if entry.value == value:
                return str(getattr(entry.title, self.lang))
        spec = SPECS[layer].get(name)
        if spec is not None and value in spec.values:
            return self.pick(spec.values[value][0], value.replace("_", " ").capitalize())
        return value

    def code(self, family: str, value: str | None) -> str:
        """A code of a family of `CODES`."""
        if value is None:
            return NONE
        known = CODES[family].get(value)
        return value if known is None else self.pick(*known)

    def person(self, name: str | None) -> str:
        """Who acted: a person's name, or that it was the system; empty where nobody is on record."""
        return self.pick("系统", "the system") if (name or "").startswith("system:") else name or ""

    def volume(self, m3: float | None) -> str:
        """A volume in 万m³, at most 4 decimals."""
        if m3 is None:
            return NONE
        value = m3 / 1e4
        number = "<0.0001" if 0 < abs(value) < 0.00005 else f"{value:,.4f}".rstrip("0").rstrip(".")
        return self.pick(f"{number}万m³", f"{number} ×10⁴ m³")

    def moment(self, at: datetime | None) -> str:
        """An instant in China's time, to the minute."""
        return NONE if at is None else f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"

    def day(self, day: date | None) -> str:
        return NONE if day is None or day.year == 1900 else day.isoformat()

    def span(self, first: date | None, last: date | None) -> str:
        """A time in which something holds; half open."""
        begin = self.pick("起始不详", "unknown") if first is None or first.year == 1900 else first.isoformat()
        return f"{begin} – {self.pick('至今', 'now') if last is None else last.isoformat()}"

    def percent(self, share: float | None) -> str:
        return NONE if share is None else f"{share * 100:.1f}%"


def _declared(layer: str) -> Mapping[str, Any]:
    return {one.name: one for one in catalog.load()[layer].fields}
