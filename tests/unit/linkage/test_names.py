"""Names as the trade writes them come to one form, and the well's number stays decisive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.linkage.engine import wording
from app.linkage.engine.codes import clean_code, digits, look_alike
from app.linkage.engine.names import EMPTY, clean_name, pieces, without_prefix
from app.linkage.engine.numbers import han_number, split_number
from app.linkage.engine.texts import fold
from app.linkage.engine.wording import word_alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("江苏省扬州市高邮市三垛镇３号井", "三垛镇3号井"),
        ("高郵市自來水有限責任公司", "高邮市自来水有限公司"),
        ("贵州省遵义市播州区平安供水有限公司", "平安供水"),
        ("Smith Creek No. 3", "SMITH CK #3"),
        ("Rancho Señor Peña", "RANCHO SENOR PEÃ‘A"),
        ("The Willow Farms, Inc.", "WILLOW FARM"),
        ("S.A.R.L. Dupont & Fils", "Dupont et fils SARL"),
        ("Forage du Brûlé", "FORAGE LE BRULE"),
        ("Aguas del Norte, S.A.", "AGUAS NORTE"),
    ],
)
def test_two_spellings_of_a_name_have_one_core(one: str, other: str) -> None:
    assert clean_name(one).core == clean_name(other).core
    assert clean_name(one).numbers == clean_name(other).numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("三垛村3号井", ("3",)),
        ("三垛村三号井", ("3",)),
        ("三垛村03#井", ("3",)),
        ("第三水厂", ("3",)),
        ("十二号机井", ("12",)),
        ("1-3号井", ("1", "2", "3")),
        ("Well No. 7", ("7",)),
        ("Well III", ("3",)),
        ("Deepwell #2", ("2",)),
        ("Pozo nº 4", ("4",)),
        ("Forage n°2", ("2",)),
        ("三阳河泵站", ()),
        ("万寿寺水库", ()),
    ],
)
def test_the_number_of_a_well_is_read_in_every_spelling(text: str, numbers: tuple[str, ...]) -> None:
    assert clean_name(text).numbers == numbers


def test_wells_that_differ_in_their_number_keep_the_same_core() -> None:
    third, fourth = clean_name("五星村3号井"), clean_name("五星村4号井")
    assert third.core == fourth.core
    assert third.numbers != fourth.numbers


def test_towns_and_villages_stay_for_they_tell_intakes_apart() -> None:
    assert without_prefix("江苏省扬州市高邮市三垛镇三垛村") == "三垛镇三垛村"


@pytest.mark.parametrize(
    ("text", "value"),
    [("十", 10), ("十二", 12), ("二十", 20), ("二十三", 23), ("一〇三", 103), ("一百", 100)],
)
def test_chinese_numerals_are_read(text: str, value: int) -> None:
    assert han_number(text) == value


def test_codes_lose_what_people_add_and_machines_drop() -> None:
    assert clean_code("Ｂ640104G2023－0037") == clean_code("b640104g2023-37")
    assert clean_code("000021776") == clean_code("21776")
    assert clean_code("取水（国长）字〔2015〕第01001号") == clean_code("取水(国长)字[2015]第01001号")
    assert look_alike(clean_code("C150303G2021-0093")) == look_alike(clean_code("C15030362021-0093"))
    assert digits("a30125") == "30125"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dist", "district"),
        ("mcgowan", "mcgwoan"),
        ("assn", "association"),
        ("j", "james"),
        ("irr", "irrigation"),
    ],
)
def test_slips_initials_and_abbreviations_are_seen(one: str, other: str) -> None:
    assert word_alike(one, other) >= 0.7


@pytest.mark.parametrize(("one", "other"), [("north", "south"), ("smith", "jones"), ("oak", "elm")])
def test_other_words_are_other_words(one: str, other: str) -> None:
    assert word_alike(one, other) < 0.7


@given(st.text(max_size=40))
def test_any_text_is_cleaned_without_complaint(text: str) -> None:
    name = clean_name(text)
    assert name == clean_name(text)
    assert isinstance(pieces(name), set)
    assert "  " not in name.full
    clean_code(text)


@given(st.text(max_size=30))
def test_folding_is_stable(text: str) -> None:
    once = fold(text)
    assert fold(once) == fold(fold(once))


@given(st.integers(1, 99_999))
def test_a_plain_number_is_found_whatever_it_is(number: int) -> None:
    assert split_number(f"五星村{number}号井")[1] == (str(number),)


def test_nothing_is_nothing() -> None:
    assert clean_name("  ") is EMPTY


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("irrigation", "irr.", True),
        ("sonoma", "sonoma county", True),
        ("domestic; irrigation", "irrigation, domestic", True),
        ("工业", "工业用水", True),
        ("地下水", "地表水", False),
        ("irrigation", "industrial", False),
        ("north", "south", False),
        ("1", "12", False),
        ("321084", "321023", False),
        ("-", "/", False),
    ],
)
def test_short_forms_of_a_kind_are_the_kind(one: str, other: str, same: bool) -> None:
    assert wording.same_kind(one, other) is wording.same_kind(other, one) is same
