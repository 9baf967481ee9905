"""Which columns of two files mean what: read from a mapping, or guessed from headings and contents.

A mapping is YAML with a section a side (`a`, `b`), or one section for both. A field is given by its column's
heading, or by a list of headings whose texts are joined. Headings are found without regard to case and spaces.
"""

import difflib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import yaml

from app.errors import InvalidInput
from app.linkage.engine.records import Cardinality
from app.linkage.engine.texts import fold

# Each field's other names: as keys of a mapping, and as headings when columns are guessed (folded, letters and digits only).
FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("编码", "取水口编码", "取水口代码", "编号", "序号", "主键", "identifier", "uid", "key", "objectid", "fid", "rowid", "recordid", "pointid", "podid", "wellid", "siteid", "identifiant", "idpoint", "clave", "folio"),
    "name": ("名称", "取水口名称", "水源井名称", "机井名称", "井名", "取水点名称", "工程名称", "sitename", "podname", "wellname", "pointname", "intakename", "facility", "facilityname", "label", "title", "nom", "nompoint", "nompointprelevement", "nomouvrage", "libelle", "nombre", "nombrepozo", "denominacion", "watersource", "sourcename", "bore", "borename", "borehole", "station", "stationname", "site", "well", "diversionname", "ditchname", "structurename"),
    "holder": ("取水权人", "取水权人名称", "取用水户", "取用水户名称", "取水单位", "取水单位名称", "用水户", "用水户名称", "单位名称", "企业名称", "权利人", "持证人", "管理单位", "owner", "ownername", "primaryowner", "applicationprimaryowner", "permittee", "permittees", "licensee", "licencee", "applicant", "holdername", "permitholder", "rightholder", "waterrightholder", "user", "username", "company", "operator", "exploitant", "titulaire", "beneficiaire", "preleveur", "proprietaire", "maitreouvrage", "titular", "titulares", "usuario", "propietario", "concesionario"),
    "code": ("取水许可编码", "井编号", "applicationnumber", "applid", "appl", "rightnumber", "waterright", "waterrightnumber", "wr", "licenceno", "licenseno", "licencenumber", "licensenumber", "reference", "ref", "numero", "number", "num", "codigo", "expediente", "numeroouvrage", "codeouvrage", "bsscode", "codebss", "idnational", "wellno", "wellnumber", "wellcode", "boreno", "borenumber", "registrationno", "registrationnumber"),
    "permit_no": ("取水许可证编号", "取水许可证号", "许可证编号", "许可证号", "证号", "证照编号", "电子证照编号", "permitno", "permitnumber", "permit", "permitid", "numeroautorisation", "arrete", "concesion", "numeroconcesion", "titulo"),
    "previous_no": ("原取水许可证编号", "原许可证编号", "旧证号", "原证号", "previousno", "previousnumber", "oldnumber", "formernumber", "oldpermitno", "anciennumero", "anterior"),
    "uscc": ("统一社会信用代码", "社会信用代码", "信用代码", "creditcode", "taxid", "companyid", "companynumber", "siret", "siren", "nif", "cif", "rfc", "organisationcode"),
    "lon": ("经度", "取水口经度", "东经", "longitude", "long", "lng", "londd", "longitudedd", "declong", "decimallongitude", "longdd", "lon84", "longitud", "pointx", "coordx"),
    "lat": ("纬度", "取水口纬度", "北纬", "latitude", "latdd", "latitudedd", "declat", "decimallatitude", "lat84", "latitud", "pointy", "coordy"),
    "x": ("x坐标", "xcoordinate", "横坐标", "东坐标", "easting", "eastings", "xcoord", "utmx", "utme", "xl93", "xutm", "coordenadax"),
    "y": ("y坐标", "ycoordinate", "纵坐标", "北坐标", "northing", "northings", "ycoord", "utmy", "utmn", "yl93", "yutm", "coordenaday"),
    "geometry": ("坐标", "位置坐标", "geom", "wkt", "thegeom", "shape", "point", "location", "latlon", "latlong", "lonlat", "coordinates", "coordinate", "coords", "geopoint", "coordenadas", "coordonnees"),
    "position_error_m": ("定位精度", "坐标误差", "位置误差", "accuracy", "positionerror", "uncertainty", "precision", "gpsaccuracy"),
    "county_code": ("区县", "县区", "县", "所在县", "区县代码", "行政区划代码", "行政区划", "county", "countycode", "district", "adminarea", "region", "province", "departement", "codecommune", "codecommuneinsee", "insee", "municipio", "provincia"),
    "town": ("乡镇", "所在乡镇", "镇", "街道", "township", "commune", "nomcommune", "city", "municipality", "localidad", "poblacion"),
    "place": ("地址", "详细地址", "取水地点", "取水口位置", "所在位置", "位置", "address", "locality", "locationdescription", "siteaddress", "adresse", "lieu", "lieudit", "direccion", "paraje", "ubicacion", "trs", "mtrs", "plss", "townshiprangesection", "legaldescription", "legallocation", "quartersection", "parcel", "apn"),
    "water_body": ("水源名称", "取水水源名称", "所在河流", "河流名称", "河流", "水体", "取水水源", "waterbody", "river", "stream", "streamname", "creek", "waterway", "watercourse", "watercoursename", "surfacewatersource", "waterbodyname", "aquifer", "coursdeau", "rivierename", "nappe", "massedeau", "rio", "cauce", "acuifero", "corriente"),
    "source_type": ("水源类型", "取水水源类型", "水源", "sourcetype", "source", "watertype", "type", "podtype", "welltype", "typeeau", "typepoint", "milieu", "origen", "tipo", "tipoaprovechamiento"),
    "purpose": ("取水用途", "用途", "取水用途类型", "use", "wateruse", "usetype", "primaryuse", "beneficialuse", "usecode", "usage", "uso", "usos"),
    "annual_m3": ("年取水量", "许可水量", "年许可水量", "许可取水量", "水量", "年最大取水量", "volume", "annualvolume", "annualm3", "quantity", "facevalue", "amount", "annualquantity", "allocation", "volumeannuel", "volumen", "volumenanual"),
    "group": ("证照", "permitgroup"),
}  # fmt: skip
OPTIONS = ("crs", "layer", "encoding", "datum")
OPTION_ALIASES = {"epsg": "crs", "srid": "crs", "projection": "crs", "sheet": "layer", "worksheet": "layer", "工作表": "layer", "编码格式": "encoding", "坐标系": "crs"}  # fmt: skip
SIDES = {"a": "a", "left": "a", "register": "a", "first": "a", "1": "a", "左": "a", "b": "b", "right": "b", "permits": "b", "second": "b", "2": "b", "右": "b"}  # fmt: skip
SHARED = ("both", "shared", "common", "columns", "fields", "ab", "双方")
TUNING = ("cardinality", "confirm_at", "choose_at")
CARDINALITY = {"1:1": "one_to_one", "n:1": "many_to_one", "1:n": "one_to_many", "n:m": "many_to_many", "m:n": "many_to_many"}  # fmt: skip
IDENTIFIES = re.compile(r"(?:编码|代码|编号|序号|id|code|no|key)$")
Columns = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """What the columns of one file mean."""

    columns: Mapping[str, Columns]
    crs: str | None = None
    layer: str | None = None
    encoding: str | None = None
    datum: str = "WGS84"


@dataclass(frozen=True)
class FileMapping:
    """A mapping as it was written: headings are not looked up yet."""

    a: Section
    b: Section
    tuning: Mapping[str, Any] = field(default_factory=dict)


EMPTY = FileMapping(Section({}), Section({}))


def load(path: Path) -> FileMapping:
    """Raises InvalidInput that names the place in the mapping."""
    try:
        given = yaml.safe_load(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"无法读取映射文件 {path} (cannot read the mapping): {error}", file=str(path)
        ) from None
    except yaml.YAMLError as error:
        raise InvalidInput(
            f"映射文件 {path.name} 不是 YAML (the mapping is not YAML): {error}", file=path.name
        ) from None
    return parse(given)


def parse(given: Any) -> FileMapping:
    """A mapping from what the YAML says. Raises InvalidInput with the nearest known key for an unknown one."""
    if given is None:
        return EMPTY
    if not isinstance(given, dict):
        raise InvalidInput("映射应为“键: 列名”的清单 (a mapping is a list of `key: column`)")
    sections: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
    tuning: dict[str, Any] = {}
    for raw, value in given.items():
        key = str(raw).strip()
        side = SIDES.get(fold(key))
        if side and isinstance(value, dict):
            sections[side] = {**sections[side], **value}
        elif fold(key) in SHARED and isinstance(value, dict):
            sections = {name: {**value, **section} for name, section in sections.items()}
        elif _plain(key) in map(_plain, TUNING) or _plain(key) in ("confirm", "choose"):
            tuning[_tuning_key(key)] = value
        elif isinstance(value, dict) and not {"column", "columns"} & set(value):
            raise _unknown(key, [*SIDES, *SHARED])
        else:
            for section in sections.values():
                section.setdefault(key, value)
    return FileMapping(_section(sections["a"], "a"), _section(sections["b"], "b"), tuned(tuning))


def _tuning_key(key: str) -> str:
    plain = _plain(key)
    return next(name for name in TUNING if _plain(name).startswith(plain) or plain.startswith(_plain(name)))


def tuned(given: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(given)
    if "cardinality" in found:
        text = str(found["cardinality"]).strip().lower()
        found["cardinality"] = CARDINALITY.get(text, text.replace("-", "_").replace(" ", "_"))
        if found["cardinality"] not in get_args(Cardinality):
            raise InvalidInput(
                f"cardinality 应为 {', '.join(get_args(Cardinality))} (should be one of these): {text!r}",
                field="cardinality",
            )
    for name in ("confirm_at", "choose_at"):
        if name in found and not (isinstance(found[name], int | float) and 0 < found[name] <= 1):
            raise InvalidInput(f"{name} 应在 0 与 1 之间 (is between 0 and 1): {found[name]!r}", field=name)
    return found


def _section(given: Mapping[str, Any], side: str) -> Section:
    flat: dict[str, Any] = {}
    for key, value in given.items():
        if fold(str(key)) in SHARED and isinstance(value, dict):
            flat.update(value)
        else:
            flat[str(key)] = value
    columns: dict[str, Columns] = {}
    options: dict[str, str] = {}
    for key, value in flat.items():
        if value is None or value == "" or value == []:
            continue
        name = field_of(key)
        option = OPTION_ALIASES.get(fold(key), fold(key))
        if option in OPTIONS:
            options[option] = f"EPSG:{value}" if option == "crs" and str(value).isdigit() else str(value)
        elif name is None:
            raise _unknown(f"{side}.{key}", [*FIELDS, *OPTIONS], key)
        else:
            columns[name] = columns.get(name, ()) + _columns(value, f"{side}.{key}")
    return Section(columns, **options)


def _columns(value: Any, where: str) -> Columns:
    if isinstance(value, dict):
        value = value.get("columns", value.get("column"))
    if isinstance(value, list | tuple) and value and all(isinstance(v, str | int | float) for v in value):
        return tuple(str(v) for v in value)
    if isinstance(value, str | int | float):
        return (str(value),)
    raise InvalidInput(f"{where} 应为列名或列名清单 (is a heading or a list of headings)", field=where)


def field_of(key: str) -> str | None:
    """The field that a key or a heading names."""
    plain = _plain(key)
    for name in FIELDS:
        if _plain(name) == plain:
            return name
    return next((name for name, others in FIELDS.items() if plain in others), None)


def _plain(text: str) -> str:
    return re.sub(r"[^0-9a-z\u4e00-\u9fff]", "", re.sub(r"[(（\[].*?[)）\]]", "", fold(text)))


def _unknown(where: str, known: Sequence[str], key: str | None = None) -> InvalidInput:
    near = difflib.get_close_matches(fold(key or where), known, 1, 0.5)
    hint = f"；是否为 {near[0]}？ (did you mean {near[0]}?)" if near else ""
    return InvalidInput(
        f"映射中没有键 {where} (the mapping knows no such key){hint} "
        f"可用 (known): {', '.join([*FIELDS, *OPTIONS])}; a / b, {', '.join(TUNING)}",
        field=where,
    )


def resolved(section: Section, headings: Sequence[str], side: str, name: str) -> Section:
    """The section with headings as they are in the file. Raises InvalidInput for one that is not there."""
    found = {
        key: tuple(_heading(c, headings, f"{side}.{key}", name) for c in columns)
        for key, columns in section.columns.items()
    }
    return Section(found, section.crs, section.layer, section.encoding, section.datum)


def fitting(section: Section, headings: Sequence[str]) -> int:
    """How many of the headings that the section names are there; where it names none, how many say what they are."""
    if not section.columns:
        return len({field_of(heading) for heading in headings} - {None})
    there = {_loose(heading) for heading in headings}
    return sum(_loose(column) in there for columns in section.columns.values() for column in columns)


def _heading(wanted: str, headings: Sequence[str], where: str, name: str) -> str:
    if wanted in headings:
        return wanted
    alike = [h for h in headings if _loose(h) == _loose(wanted)]
    if alike:
        return alike[0]
    near = difflib.get_close_matches(wanted, headings, 1, 0.5)
    hint = f"；最接近的是 {near[0]!r} (the nearest is {near[0]!r})" if near else ""
    raise InvalidInput(
        f"{name} 没有列 {wanted!r}（{where}）(has no such column){hint}；有 (it has): {', '.join(headings[:60])}",
        field=where,
        value=wanted,
    )


def _loose(text: str) -> str:
    return re.sub(r"[\s_\-.]+", "", fold(text))


# ── guessing ─────────────────────────────────────────────────────────────────────────────────────────


def guessed(frame: pd.DataFrame, has_geometry: bool) -> dict[str, Columns]:
    """Columns by what their headings say, and by contents where headings say nothing."""
    found: dict[str, Columns] = {}
    by_rank = sorted(frame.columns, key=lambda c: _rank(c))
    for column in by_rank:
        name = field_of(column)
        if name and name not in found:
            found[name] = (column,)
    if has_geometry:
        for name in ("lon", "lat", "x", "y", "geometry"):
            found.pop(name, None)
    elif {"lon", "lat"} <= set(found):
        for name in ("x", "y", "geometry"):
            found.pop(name, None)
    elif not ({"x", "y"} <= set(found) or "geometry" in found):
        found.update(_degrees(frame, found))
    if "id" not in found:
        found["id"] = (_identifier(frame, found),)
    return found


def _rank(column: str) -> int:
    """How early a column is taken for its field: exact keys first, then in the order of the aliases."""
    name, plain = field_of(column), _plain(column)
    if name is None:
        return 999
    return 0 if plain == _plain(name) else 1 + FIELDS[name].index(plain)


def _identifier(frame: pd.DataFrame, found: Mapping[str, Columns]) -> str:
    """A column whose heading says that it identifies, though its values may repeat; else a code; else different texts."""
    if len(frame.columns) == 0:
        raise InvalidInput("文件没有列 (the file has no columns)")
    taken = {c for columns in found.values() for c in columns}
    rest = [c for c in frame.columns if c not in taken]
    named = [c for c in rest if IDENTIFIES.search(_plain(c)) and frame[c].nunique() > len(frame) / 2]
    if named:
        return str(named[0])
    for key in ("code", "permit_no"):
        if key in found and frame[found[key][0]].is_unique:
            return found[key][0]
    unique = [c for c in rest if frame[c].is_unique and (frame[c] != "").all()]
    return str(unique[0] if unique else frame.columns[0])


def _degrees(frame: pd.DataFrame, found: Mapping[str, Columns]) -> dict[str, Columns]:
    """A pair of columns of decimal numbers that could be degrees, neighbours, the one beyond 90 being the longitude."""
    taken = {c for columns in found.values() for c in columns}
    spread = {}
    for column in frame.columns:
        if column in taken:
            continue
        numbers = pd.to_numeric(frame[column].head(500), errors="coerce")
        fractional = frame[column].head(500).str.contains(r"\.\d{3,}", na=False)
        if (
            len(numbers)
            and numbers.notna().mean() > 0.8
            and fractional.mean() > 0.8
            and numbers.abs().max() <= 180
        ):
            spread[column] = numbers.abs().max()
    names = list(spread)
    for first, second in itertools.pairwise(names):
        if spread[first] > 90 >= spread[second]:
            return {"lon": (first,), "lat": (second,)}
        if spread[second] > 90 >= spread[first]:
            return {"lat": (first,), "lon": (second,)}
    return {}


def written(a: Section, b: Section) -> str:
    """A mapping as YAML that a person can edit."""
    sections: dict[str, Any] = {}
    for side, section in (("a", a), ("b", b)):
        sections[side] = {key: c[0] if len(c) == 1 else list(c) for key, c in sorted_columns(section)}
        sections[side] |= {
            option: value for option in ("crs", "layer", "encoding") if (value := getattr(section, option))
        }
    text: str = yaml.safe_dump(sections, allow_unicode=True, sort_keys=False)
    return text


def sorted_columns(section: Section) -> list[tuple[str, Columns]]:
    """Fields in the order of FIELDS."""
    return [(name, section.columns[name]) for name in FIELDS if name in section.columns]
