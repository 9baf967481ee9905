"""Permit numbers and identifiers of electronic licences."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from app.imports.values import BadValue
from app.registry.numbers import LOOK_ALIKE, licence_identifier, permit_number

DASHES = "-－—–―−"
electronic = st.builds(
    "{}{}{}{}-{:04d}".format,
    st.sampled_from("ABCD"),
    st.integers(110000, 659999),
    st.sampled_from("SG"),
    st.integers(1990, 2039),
    st.integers(1, 99999),
)


@pytest.mark.parametrize(
    ("text", "number", "repaired"),
    [
        ("B640104G2023-0037", "B640104G2023-0037", False),
        (" c440114s2020－0005 ", "C440114S2020-0005", False),
        ("C15030362021-0093", "C150303G2021-0093", True),
        ("D32108402021—0013", "D321084O2021-0013", True),
        ("D321084S20210013", "D321084S2021-0013", True),
        ("许可证编号：Ｄ３２１０８４Ｓ２０２１－００１３号", "D321084S2021-0013", False),
        ("取水（国长）字〔2015〕第01001号", "取水(国长)字[2015]第01001号", False),
        ("取水(粤穗)字【2020】00005", "取水(粤穗)字[2020]第00005号", False),
        ("取水许可证 取水（一师）字（2019）第12号", "取水(一师)字[2019]第12号", False),
    ],
)
def test_numbers_in_their_one_spelling(text: str, number: str, repaired: bool) -> None:
    found = permit_number(text)
    assert (found.text, bool(found.repaired)) == (number, repaired)
    assert any(w.reason == "permit_number_repaired" for w in found.warnings) == repaired


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("取水（扬）申字〔2020〕第12号", "application_number"),
        ("(粤穗埔)申字〔2021〕第00001号", "application_number"),
        ("取水申请 2021-3", "application_number"),
        ("12345", "bad_permit_number"),
        ("E640104G2023-0037", "bad_permit_number"),
        ("B64O104G2023-0037", "bad_permit_number"),
        ("B640104G2O23-0037", "bad_permit_number"),
        ("C15030382021-0093", "bad_permit_number"),
        ("", "bad_permit_number"),
    ],
)
def test_what_is_no_permit_number(text: str, reason: str) -> None:
    with pytest.raises(BadValue) as caught:
        permit_number(text)
    assert caught.value.reason == reason


def test_the_parts_of_a_number() -> None:
    found = permit_number("B640104G2023-0037")
    assert (found.form, found.level, found.region_code, found.source_type, found.year, found.serial) == (
        "electronic", "province", 640104, "groundwater", 2023, "0037",
    )  # fmt: skip
    nanjing = permit_number("取水(南京)字〔2007〕第B01020003号")
    assert (nanjing.form, nanjing.place, nanjing.source_type, nanjing.year) == ("paper", "南京", "groundwater", 2007)  # fmt: skip


def test_a_lasting_serial_is_one_permit_whatever_the_year() -> None:
    """宁水资〔2007〕308号: at renewal the year alone changes. Elsewhere serials begin anew each year."""
    first, renewed = (permit_number(f"取水(南京)字〔{year}〕第A01020003号") for year in (2007, 2012))
    assert first.text != renewed.text and first.key == renewed.key
    other, later = (permit_number(f"取水(国长)字〔{year}〕第01001号") for year in (2015, 2020))
    assert other.key != later.key


def test_an_unusual_source_letter_is_taken_with_a_warning() -> None:
    assert [w.reason for w in permit_number("D321084X2021-0001").warnings] == ["unusual_source_letter"]
    assert permit_number("D321084S2021-0001").warnings == []


@given(electronic)
def test_every_number_of_the_form_is_kept(number: str) -> None:
    assert permit_number(number).text == number
    assert not permit_number(number).repaired


@given(electronic, st.sampled_from(DASHES), st.booleans(), st.booleans(), st.integers(0, 16))
def test_spelling_does_not_matter(number: str, dash: str, wide: bool, small: bool, blank: int) -> None:
    typed = number.replace("-", dash)
    typed = typed.lower() if small else typed
    if wide:
        typed = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in typed)
    typed = typed[:blank] + " " + typed[blank:]
    assert permit_number(typed).text == number


@given(electronic, st.integers(0, 16), st.sampled_from("0156OIGSBZ"))
def test_look_alikes_are_repaired_at_the_source_position_only(number: str, at: int, typed: str) -> None:
    """Anywhere else a wrong character makes another number or none; it is never silently mended."""
    assume(number[at] != typed)
    wrong = number[:at] + typed + number[at + 1 :]
    try:
        found = permit_number(wrong)
    except BadValue:
        return
    if at == 7 and typed in LOOK_ALIKE:
        assert found.text == number[:7] + LOOK_ALIKE[typed] + number[8:]
        assert found.repaired
    else:
        assert found.text == wrong or (at == 12 and found.repaired)


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_none(text: str) -> None:
    try:
        found = permit_number(text)
    except BadValue:
        return
    assert permit_number(found.text).text == found.text


SAMPLE = "11100000000013338W00211320482014138860P201807250201001"


@pytest.mark.parametrize(
    "text",
    [
        "1.2.156.3005.2.11100000000013338W002.11320482014138860P.201807250201.001.M",
        SAMPLE + "M",
        "１.2.156.3005.2.11100000000013338w002.11320482014138860p.201807250201.001.m",
        "11100000000013338W002|11320482014138860P|201807250201|001|M",
    ],
)
def test_a_licence_identifier_and_its_parts(text: str) -> None:
    found = licence_identifier(text)
    assert found.text == "1.2.156.3005.2.11100000000013338W002.11320482014138860P.201807250201.001.M"
    assert (found.type_owner, found.type_serial) == ("11100000000013338W", "002")  # 水利部 · 取水许可证
    assert (found.issuer, found.serial, found.version) == ("11320482014138860P", "201807250201", "001")


@given(st.integers(0, len(SAMPLE)), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_one_wrong_character_of_a_licence_is_noticed(at: int, wrong: str) -> None:
    good = SAMPLE + mod_37_36.calc_check_digit(SAMPLE)
    assume(good[at] != wrong)
    with pytest.raises(BadValue) as caught:
        licence_identifier(good[:at] + wrong + good[at + 1 :])
    assert caught.value.reason in ("licence_check", "bad_licence_identifier")


@pytest.mark.parametrize("text", ["", "123", SAMPLE, "1.2.156.3005.2", "证照"])
def test_what_is_no_licence_identifier(text: str) -> None:
    with pytest.raises(BadValue):
        licence_identifier(text)


def test_credit_codes_in_a_licence_are_checked_too() -> None:
    body = "11100000000013338W00211320482014138861P201807250201001"
    with pytest.raises(BadValue, match="颁发机构"):
        licence_identifier(body + mod_37_36.calc_check_digit(body))


def test_a_bad_value_passes_through_context_managers_as_itself() -> None:
    @contextmanager
    def around() -> Iterator[None]:
        yield

    with pytest.raises(BadValue), around():
        permit_number("12345")
