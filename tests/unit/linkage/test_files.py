"""`shuitu link files`: any two files, any mapping that a person would write."""

import csv
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import yaml
from shapely import Point, Polygon
from typer.testing import CliRunner

from app.errors import InvalidInput
from app.linkage import file_mapping, file_tables, files
from app.linkage.cli import commands
from app.linkage.engine import LinkSettings
from app.linkage.file_mapping import Section, parse

ROWS = [
    ("0012", "Smith Creek Well No. 3", "WILLOW FARMS INC", -122.50123, 38.40123),
    ("0013", "Smith Creek Well No. 4", "WILLOW FARMS INC", -122.50165, 38.40123),
    ("0014", "Bear Canyon Spring", "JOHN Q PUBLIC", -122.61, 38.51),
    ("0015", "Peña Ranch Deepwell", "PEÑA RANCH LLC", -122.72, 38.62),
    ("0016", "Old Mill Diversion", "CITY OF HOPLAND", -122.83, 38.73),
]
OTHER = [
    ("x-4", "SMITH CK #4", "Willow Farm, Inc.", -122.50167, 38.40121),
    ("x-3", "SMITH CK #3", "Willow Farm, Inc.", -122.50125, 38.40121),
    ("x-9", "Pena Rch Deep Well", "Pena Ranch", -122.7201, 38.6201),
    ("x-7", "Bear Cyn Spr", "Public, John", -122.6101, 38.5101),
    ("x-1", "Somewhere Else", "NOBODY", -120.0, 37.0),
]
COLUMNS = ["no", "name", "owner", "lon", "lat"]
MAPPING = {"id": "no", "name": "name", "holder": "owner", "lon": "lon", "lat": "lat"}
EXPECTED = {("0012", "x-3"), ("0013", "x-4"), ("0014", "x-7"), ("0015", "x-9")}


def frame(rows: list[tuple[object, ...]] = ROWS) -> pd.DataFrame:  # type: ignore[assignment]
    return pd.DataFrame(rows, columns=COLUMNS)


def pairs(a: Path, b: Path, mapping: object = None) -> set[tuple[str, str]]:
    answer = files.run(a, b, parse(mapping), LinkSettings())
    return {(row[0], row[1]) for row in answer.rows if row[0] and row[1]}


@pytest.fixture
def right(tmp_path: Path) -> Path:
    path = tmp_path / "b.csv"
    frame(OTHER).to_csv(path, index=False)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_of_any_encoding_and_delimiter(
    tmp_path: Path, right: Path, encoding: str, separator: str
) -> None:
    path = tmp_path / "a.csv"
    frame().to_csv(path, index=False, encoding=encoding, sep=separator)
    assert pairs(path, right, MAPPING) == EXPECTED


@pytest.mark.parametrize("suffix", ["xlsx", "gpkg", "geojson", "shp", "parquet"])
def test_every_format_gives_the_same_pairs(tmp_path: Path, right: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    plain = frame()
    if suffix == "xlsx":
        plain.to_excel(path, index=False)
    else:
        spatial = gpd.GeoDataFrame(
            plain.drop(columns=["lon", "lat"]), geometry=gpd.points_from_xy(plain.lon, plain.lat), crs=4326
        )
        if suffix == "parquet":
            spatial.to_parquet(path)
        else:
            (spatial.to_crs(32610) if suffix in ("gpkg", "shp") else spatial).to_file(path)
    where = {"lon": "lon", "lat": "lat"} if suffix == "xlsx" else {}
    mapping = {"a": {"id": "no", "name": "name", "holder": "owner", **where}, "b": MAPPING}
    assert pairs(path, right, mapping) == EXPECTED


def test_chinese_csv_in_gbk_with_degrees_minutes_seconds(tmp_path: Path) -> None:
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    a.write_bytes(
        "编码,取水口名称,取水权人,经度,纬度\nq1,三垛镇三号井,三垛村民委员会,119°26′30.5″,32°47′10″\nq2,三垛镇四号井,三垛村民委员会,119°26′32.5″,32°47′10″\n".encode(
            "gb18030"
        )
    )
    b.write_text(
        "编号,名称,持证人,经度,纬度\nz4,高邮市三垛镇4#井,三垛村民委员会,119.44237,32.78611\nz3,高邮市三垛镇3#井,三垛村民委员会,119.44181,32.78611\n",
        "utf-8",
    )
    assert pairs(a, b) == {("q1", "z3"), ("q2", "z4")}


@pytest.mark.parametrize(
    "mapping",
    [
        {"a": MAPPING, "b": MAPPING},
        {"left": MAPPING, "right": MAPPING},
        {"both": MAPPING},
        {"columns": MAPPING},
        {
            "A": {"ID": "NO", "Name": "Name", "owner": "Owner", "longitude": "LON", "latitude": "LAT"},
            "B": MAPPING,
        },
        {
            "id": "no",
            "name": ["name"],
            "permittee": "owner",
            "long": "lon",
            "lat": "lat",
            "cardinality": "1:1",
        },
        {
            "a": {
                "id": "no",
                "name": {"column": "name"},
                "holder": "owner",
                "x": "lon",
                "y": "lat",
                "crs": 4326,
            },
            "b": MAPPING,
        },
        {"a": {"id": "no"}, "b": {"id": "no"}},
        None,
    ],
)
def test_mappings_as_people_write_them(tmp_path: Path, right: Path, mapping: object) -> None:
    path = tmp_path / "a.csv"
    frame().to_csv(path, index=False)
    assert pairs(path, right, mapping) == EXPECTED


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"a": {"id": "no", "nmae": "name"}, "b": MAPPING}, "did you mean name"),
        ({"a": {"id": "no", "name": "nam"}, "b": MAPPING}, "the nearest is 'name'"),
        ({"a": {"name": "name"}, "b": MAPPING}, "names no id"),
        ({"cardinality": "sometimes", **MAPPING}, "one_to_one"),
        ({"confirm_at": 7, **MAPPING}, "between 0 and 1"),
        ([1, 2], "key: column"),
        (
            {"a": {"id": "no", "x": "lon", "y": "lat", "crs": "EPSG:99999999"}, "b": MAPPING},
            "coordinate reference system",
        ),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path: Path, right: Path, mapping: object, words: str) -> None:
    path = tmp_path / "a.csv"
    frame().to_csv(path, index=False)
    with pytest.raises(InvalidInput, match=words):
        pairs(path, right, mapping)


def test_projected_coordinates_without_a_crs_are_asked_about(tmp_path: Path, right: Path) -> None:
    path = tmp_path / "a.csv"
    frame().assign(lon=543_210.5, lat=4_250_000.5).to_csv(path, index=False)
    with pytest.raises(InvalidInput, match="crs"):
        pairs(path, right, MAPPING)


VILLAGES = [
    "高郵市三垛鎮柳橋村",
    "臨澤鎮洋汊村",
    "龍虬鎮張軒村",
    "界首鎮護國村",
    "卸甲鎮周邶墩村",
    "車邏鎮太豐村",
]


def test_a_csv_in_big5_is_read_as_big5_and_one_in_gb18030_as_that(tmp_path: Path) -> None:
    rows = [
        ("證照取水口編碼", "名稱", "單位名稱"),
        *((f"q{k}", f"{v}機井", f"{v}民委員會") for k, v in enumerate(VILLAGES)),
    ]
    text = "\n".join(",".join(row) for row in rows)
    traditional, simplified = tmp_path / "big5.csv", tmp_path / "gb.csv"
    traditional.write_bytes(text.encode("big5hkscs"))
    simplified.write_bytes(file_tables.fold(text).encode("gb18030"))
    assert file_tables.read(traditional, Section({})).frame["名稱"][0] == "高郵市三垛鎮柳橋村機井"
    assert pairs(traditional, simplified) == {(f"q{k}", f"q{k}") for k in range(len(VILLAGES))}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_few_broken_bytes_and_ragged_rows_cost_nothing_but_themselves(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "a.csv"
    lines = [
        "编码,名称,取水权人",
        *(f"q{k},{v}机井,{v}民委员会" for k, v in enumerate(map(file_tables.fold, VILLAGES * 20))),
    ]
    data = [line.encode(encoding) for line in lines]
    data[50] = b"q-broken,\xff\xfe\xff,x"
    data[60] += ",多,出".encode(encoding)
    path.write_bytes(b"\n".join(data))
    register = file_tables.read(path, Section({}))
    assert list(register.frame.columns) == ["编码", "名称", "取水权人"]
    assert len(register.frame) == len(lines) - 1
    assert register.odd["字符损坏 (damaged characters)"] == [49]
    assert register.odd["多出的单元格未用 (more cells than headings, left out)"] == [59]


@pytest.mark.parametrize("written", ["as named", "northing called X", "with its zone"])
def test_projected_coordinates_are_understood_as_surveyors_write_them(
    tmp_path: Path, right: Path, written: str
) -> None:
    points = gpd.points_from_xy([r[3] + 242 for r in ROWS], [r[4] - 6 for r in ROWS], crs=4490).to_crs(4549)
    table = frame().assign(x=points.x, y=points.y)
    if written == "northing called X":
        table = table.rename(columns={"x": "y", "y": "x"})
    if written == "with its zone":
        table["x"] += 40e6
    path = tmp_path / "a.csv"
    table.drop(columns=["lon", "lat"]).to_csv(path, index=False)
    section = parse({"a": {"id": "no", "x": "x", "y": "y", "crs": 4549}}).a
    read = files.opened(path, section, "a")
    found = file_tables.table(read.register, read.section)
    assert found["lon"].to_pylist() == pytest.approx([r[3] + 242 for r in ROWS], abs=1e-6)
    assert found["lat"].to_pylist() == pytest.approx([r[4] - 6 for r in ROWS], abs=1e-6)


@pytest.mark.parametrize(
    ("heading", "m3"),
    [
        ("年取水量(m³)", 1.0),
        ("许可水量（万m³）", 1e4),
        ("許可水量(萬立方米)", 1e4),
        ("FACE_VALUE_AF", 1233.48184),
        ("annual acre-feet", 1233.48184),
        ("volume (ac-ft/yr)", 1233.48184),
        ("Entitlement (ML)", 1e3),
        ("volumen_hm3", 1e6),
        ("after 2010", 1.0),
        ("html_volume", 1.0),
    ],
)
def test_a_heading_that_names_its_unit_is_believed(tmp_path: Path, heading: str, m3: float) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame({"no": ["1"], heading: ["2.5"]}).to_csv(path, index=False)
    section = Section({"id": ("no",), "annual_m3": (heading,)})
    assert file_tables.table(file_tables.read(path, section), section)["annual_m3"].to_pylist() == [
        pytest.approx(2.5 * m3)
    ]


def test_an_id_that_repeats_is_still_guessed_by_its_heading(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame(
        {"登记编码": ["1", "2", "2"], "许可证编号": ["x", "y", "z"], "名称": ["甲", "乙", "丙"]}
    ).to_csv(path, index=False)
    assert files.opened(path, Section({}), "a").section.columns["id"] == ("登记编码",)


def test_files_with_nothing_in_common_are_told_what_each_has(tmp_path: Path, right: Path) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame({"uid": ["1", "2"], "commodity": ["tin", "zinc"]}).to_csv(path, index=False)
    with pytest.raises(
        InvalidInput, match=r"nothing can be compared.*a\.csv: id=uid; b\.csv: .*holder=owner"
    ):
        pairs(path, right)


def test_rows_without_an_id_a_name_or_a_place_stay(tmp_path: Path, right: Path) -> None:
    path = tmp_path / "a.csv"
    odd = [*ROWS, ("", "No Id", "", -122.9, 38.9), ("0012", "Twice", "", 0, 0), ("0017", "", "", None, None)]
    frame(odd).to_csv(path, index=False)  # type: ignore[arg-type]
    answer = files.run(path, right, parse(MAPPING), LinkSettings())
    told = files.summary(answer)["odd"]["a"]
    assert sum(bool(row[0]) or row[3] == "intake_without_permit" for row in answer.rows) >= len(odd) - 1
    assert any("no id" in reason for reason in told)
    assert any("given twice" in reason for reason in told)
    assert any("no usable position" in reason for reason in told)
    assert {(r[0], r[1]) for r in answer.rows if r[0] and r[1]} >= EXPECTED


def test_swapped_and_unsigned_coordinates_are_mended(tmp_path: Path) -> None:
    rows = [(f"r{k}", f"Point {k}", f"Owner {k}", -122.0 - k / 90, 38.0 + k / 110) for k in range(60)]
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    frame(rows).to_csv(a, index=False)  # type: ignore[arg-type]
    turned = [
        (*r[:3], r[4], r[3]) if k % 3 == 0 else (*r[:3], -r[3], r[4]) if k % 3 == 1 else r
        for k, r in enumerate(rows)
    ]
    frame(turned).to_csv(b, index=False)  # type: ignore[arg-type]
    left = file_tables.table(file_tables.read(a, Section({})), parse(MAPPING).a)
    right = file_tables.table(file_tables.read(b, Section({})), parse(MAPPING).b)
    places = [
        (t["lon"].to_numpy(zero_copy_only=False).copy(), t["lat"].to_numpy(zero_copy_only=False).copy())
        for t in (left, right)
    ]
    file_tables.agree_on_places(*places)
    assert places[1][0] == pytest.approx(places[0][0])
    assert places[1][1] == pytest.approx(places[0][1])


def test_a_whole_register_without_the_minus_of_the_west_is_mended() -> None:
    lon, lat = np.linspace(-123, -121, 50), np.linspace(37, 39, 50)
    wrong = -lon.copy(), lat.copy()
    assert file_tables.agree_on_places((lon.copy(), lat.copy()), wrong) == (0, 50)
    assert wrong[0] == pytest.approx(lon)


def test_registers_of_different_extent_are_left_alone() -> None:
    """A county west of Greenwich, a nation on both sides of it."""
    county = np.linspace(-2.2, -1.8, 50), np.linspace(48.0, 48.2, 50)
    nation = np.linspace(-4.0, 7.0, 200), np.linspace(43.0, 50.0, 200)
    before = nation[0].copy()
    assert file_tables.agree_on_places(county, nation) == (0, 0)
    assert (nation[0] == before).all()


def test_the_command_writes_pairs_and_tells_accuracy(tmp_path: Path, right: Path) -> None:
    a, truth, out, mapping = (tmp_path / name for name in ("a.csv", "truth.csv", "pairs.csv", "m.yaml"))
    frame().to_csv(a, index=False)
    pd.DataFrame(sorted(EXPECTED), columns=["a", "b"]).to_csv(truth, index=False)
    mapping.write_text(yaml.safe_dump({"both": MAPPING}), "utf-8")
    done = CliRunner().invoke(
        commands(),
        [
            "files",
            str(a),
            str(right),
            "--mapping",
            str(mapping),
            "--out",
            str(out),
            "--truth",
            str(truth),
            "--json",
        ],
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.output)
    assert facts["accuracy"]["f1"] == 1.0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["a", "b", "probability", "outcome", "decision", "reasons"]
    assert {(row["a"], row["b"]) for row in rows if row["a"] and row["b"]} == EXPECTED
    assert {row["a"] for row in rows} >= {r[0] for r in ROWS}
    assert {row["b"] for row in rows} >= {r[0] for r in OTHER}
    assert {row["outcome"] for row in rows} <= {
        "one_to_one",
        "intake_without_permit",
        "permit_without_intake",
        "pending",
    }
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)


def test_files_that_are_not_there_are_told_in_a_sentence(tmp_path: Path, right: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file"):
        pairs(tmp_path / "nowhere.csv", right)
    with pytest.raises(InvalidInput, match="cannot be written"):
        files.write([], tmp_path / "nowhere" / "pairs.csv")


def test_a_guessed_mapping_can_be_written_and_used(tmp_path: Path, right: Path) -> None:
    a = tmp_path / "a.csv"
    frame().to_csv(a, index=False)
    done = CliRunner().invoke(commands(), ["mapping", str(a), str(right)])
    assert done.exit_code == 0, done.output
    written = file_mapping.parse(yaml.safe_load(done.output))
    assert written.a.columns == {name: (column,) for name, column in MAPPING.items()}
    assert pairs(a, right, yaml.safe_load(done.output)) == EXPECTED


def read_as(
    tmp_path: Path, text: str, **mapping: object
) -> tuple[file_tables.Register, list[dict[str, object]]]:
    """The rows of a CSV in the standard record."""
    path = tmp_path / "t.csv"
    path.write_text(text, "utf-8")
    section = file_mapping.resolved(parse({"a": mapping}).a, text.splitlines()[0].split(";"), "a", path.name)
    register = file_tables.read(path, section)
    return register, file_tables.table(register, section).to_pylist()


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("500000.5", "3812345.25"),
        ("500000,5", "3812345,25"),
        ("500.000,5", "3.812.345,25"),
        ("500,000.5", "3,812,345.25"),
        ("500 000,5", "3 812 345,25"),
        ("500\u202f000.5", "3\u202f812\u202f345.25"),
        ("500'000.5", "3'812'345.25"),
    ],
)
@pytest.mark.parametrize("crs", ["EPSG:32650", 32650, "UTM 50N", "WGS 84 / UTM zone 50N"])
def test_metres_with_any_separators(tmp_path: Path, x: str, y: str, crs: object) -> None:
    _, rows = read_as(tmp_path, f"id;e;n\n1;{x};{y}\n", id="id", x="e", y="n", crs=crs)
    assert (rows[0]["lon"], rows[0]["lat"]) == pytest.approx(
        (117.0, 34.45264), abs=1e-5
    )  # 3,812,345.25 / 0.9996 m along the meridian


def test_degrees_minutes_and_seconds_run_together(tmp_path: Path) -> None:
    lines = "\n".join(f"{k};-12230{k:02d}.5;38241{k % 10}" for k in range(10, 20))
    register, rows = read_as(tmp_path, f"id;lon;lat\n{lines}\n", id="id", lon="lon", lat="lat")
    assert rows[0]["lon"] == pytest.approx(-(122 + 30 / 60 + 10.5 / 3600))
    assert rows[0]["lat"] == pytest.approx(38 + 24 / 60 + 10 / 3600)
    assert len(register.odd["坐标按度分秒连写读取 (read as degrees, minutes and seconds run together)"]) == 10


def test_metres_are_not_taken_for_degrees_run_together(tmp_path: Path) -> None:
    lines = "\n".join(f"{k};50{k}7{k};38{k}9{k}" for k in range(60, 80))
    with pytest.raises(InvalidInput, match="these are no degrees"):
        read_as(tmp_path, f"id;lon;lat\n{lines}\n", id="id", lon="lon", lat="lat")


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        (["1,234", "20,000.5"], [1234, 20000.5]),
        (["1,234", "12,500"], [1234, 12500]),
        (["12,5", "1.234,75"], [12.5, 1234.75]),
        (["12,5", "1250"], [12.5, 1250]),
        (["1 250", "7"], [1250, 7]),
    ],
)
def test_commas_of_volumes_are_told_by_their_column(
    tmp_path: Path, volumes: list[str], expected: list[float]
) -> None:
    lines = "\n".join(f"{k};{v}" for k, v in enumerate(volumes))
    _, rows = read_as(tmp_path, f"id;v\n{lines}\n", id="id", annual_m3="v")
    assert [row["annual_m3"] for row in rows] == expected


@pytest.mark.parametrize("nothing", ["无", "N/A", "NULL", "-", "不详", " none "])
def test_a_cell_that_says_nothing_is_empty(tmp_path: Path, nothing: str) -> None:
    _, rows = read_as(tmp_path, f"id;n;h\n{nothing};{nothing};x\n", id="id", name="n", holder="h")
    assert (rows[0]["name"], rows[0]["holder"]) == ("", "x")


def test_half_of_a_position_is_refused(tmp_path: Path, right: Path) -> None:
    path = tmp_path / "a.csv"
    frame().to_csv(path, index=False)
    half = {key: column for key, column in MAPPING.items() if key != "lat"}
    with pytest.raises(InvalidInput, match="names lon and no lat") as told:
        pairs(path, right, {"a": half, "b": MAPPING})
    assert told.value.facts["field"] == "lat"


def test_registers_that_lie_apart_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a, b = (
        pd.DataFrame({"no": range(40), "name": [f"well {k}" for k in range(40)], "x": 5e5 + rng.uniform(0, 9e4, 40), "y": y + rng.uniform(0, 9e4, 40)})
        for y in (1e6, 4e6)
    )  # fmt: skip
    for name, table in (("a", a), ("b", b)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    given = {"id": "no", "name": "name", "x": "x", "y": "y", "crs": 32650}
    answer = files.run(tmp_path / "a.csv", tmp_path / "b.csv", parse({"both": given}), LinkSettings())
    assert any("check crs" in reason for reason in files.summary(answer)["odd"]["a"])


@pytest.mark.parametrize("empty", [Point(), Polygon(), None], ids=["point", "polygon", "none"])
def test_a_feature_with_an_empty_shape_is_one_without_a_position(
    tmp_path: Path, right: Path, empty: object
) -> None:
    table = frame()
    shapes = [Point(*xy) for xy in zip(table["lon"], table["lat"], strict=True)]
    layer = gpd.GeoDataFrame(table.drop(columns=["lon", "lat"]), geometry=[*shapes[:4], empty], crs=4326)
    layer.to_crs(26910).to_file(tmp_path / "a.gpkg")
    own = {key: MAPPING[key] for key in ("id", "name", "holder")}
    answer = files.run(tmp_path / "a.gpkg", right, parse({"a": own, "b": MAPPING}), LinkSettings())
    assert {row[:2] for row in answer.rows if row[0] and row[1]} == EXPECTED
    assert answer.a.register.odd["没有可用坐标 (no usable position)"] == [4]


def test_the_sheet_that_has_the_headings_is_read_below_its_title(tmp_path: Path, right: Path) -> None:
    """A workbook as an office hands it over: notes first, and a title above the table."""
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        pd.DataFrame({"说明": ["填表要求", "联系人"]}).to_excel(book, sheet_name="说明", index=False)
        pd.DataFrame().to_excel(book, sheet_name="空白")
        frame().to_excel(book, sheet_name="数据", index=False, startrow=2)
        book.sheets["数据"].cell(1, 1, "取水口登记表（2024年）")
    for mapping in ({"both": MAPPING}, None):
        answer = files.run(tmp_path / "a.xlsx", right, parse(mapping), LinkSettings())
        assert {row[:2] for row in answer.rows if row[0] and row[1]} == EXPECTED
        assert any("数据" in reason for reason in answer.a.register.odd)


def test_the_layer_that_has_the_headings_is_read(tmp_path: Path, right: Path) -> None:
    table = frame()
    places = gpd.points_from_xy(table.pop("lon"), table.pop("lat"))
    gpd.GeoDataFrame({"km": [1]}, geometry=places[:1], crs=4326).to_file(tmp_path / "a.gpkg", layer="rivers")
    gpd.GeoDataFrame(table, geometry=places, crs=4326).to_file(tmp_path / "a.gpkg", layer="wells", mode="a")
    own = {key: MAPPING[key] for key in ("id", "name", "holder")}
    assert pairs(tmp_path / "a.gpkg", right, {"a": own, "b": MAPPING}) == EXPECTED


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--truth", "a\nonly\n", "two columns"),
        ("--model", "[1]", "no model"),
        ("--model", "{}", "no model"),
        ("--model", '{"version": 0}', "version 0"),
        ("--model", '{"version": 1}', "no model"),
        ("--model", "not JSON", "cannot read"),
    ],
)
def test_a_truth_or_a_model_that_is_none_is_told_in_a_sentence(
    tmp_path: Path, right: Path, option: str, content: str, words: str
) -> None:
    a, given = tmp_path / "a.csv", tmp_path / "given"
    frame().to_csv(a, index=False)
    given = given.with_suffix(".csv" if option == "--truth" else ".json")
    given.write_text(content, "utf-8")
    done = CliRunner().invoke(
        commands(), ["files", str(a), str(right), "--out", str(tmp_path / "pairs.csv"), option, str(given)]
    )
    assert isinstance(done.exception, InvalidInput)
    assert words in str(done.exception)


def test_a_model_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path, right: Path) -> None:
    a = tmp_path / "a.csv"
    frame().to_csv(a, index=False)
    nowhere = tmp_path / "nowhere" / "model.json"
    done = CliRunner().invoke(
        commands(),
        ["files", str(a), str(right), "--out", str(tmp_path / "p.csv"), "--model-out", str(nowhere)],
    )
    assert isinstance(done.exception, InvalidInput)
    assert "cannot be written" in str(done.exception)


def test_a_kept_model_links_again(tmp_path: Path, right: Path) -> None:
    a, model = tmp_path / "a.csv", tmp_path / "model.json"
    frame().to_csv(a, index=False)
    written = [(tmp_path / f"{k}.csv") for k in range(2)]
    for out, option in zip(written, ("--model-out", "--model"), strict=True):
        done = CliRunner().invoke(
            commands(), ["files", str(a), str(right), "--out", str(out), option, str(model)]
        )
        assert done.exit_code == 0, done.output
    assert written[0].read_text("utf-8") == written[1].read_text("utf-8")


@pytest.mark.parametrize("crs", ["EPSG:99999", "nonsense"])
def test_an_unknown_crs_of_texts_is_told_too(tmp_path: Path, right: Path, crs: str) -> None:
    table = frame()
    table["where"] = [f"POINT ({x} {y})" for x, y in zip(table.pop("lon"), table.pop("lat"), strict=True)]
    table.to_csv(tmp_path / "a.csv", index=False)
    own = {key: MAPPING[key] for key in ("id", "name", "holder")} | {"geometry": "where", "crs": crs}
    with pytest.raises(InvalidInput, match="no such coordinate reference system"):
        pairs(tmp_path / "a.csv", right, {"a": own, "b": MAPPING})
