"""Stand-ins: of the same shape, never the thing itself, and the same for the same."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbsim.scrub.kept import KEPT
from cbsim.scrub.permutation import Permutation
from cbsim.scrub.standin import StandIns
from cbsim.scrub.word import Words

STAND_INS = StandIns(b"a secret of the tests")
WORDS = Words(b"key")
WORD = st.from_regex(r"[A-Za-z0-9]{1,60}", fullmatch=True)
OF_NOBODY = (b"\0\0\0\0", b"\x7f\0\0\1", b"\xff\xff\xff\xff")
BEYOND = st.text(st.characters(min_codepoint=0x80, exclude_categories=["Cs"]), min_size=1)


@given(st.integers(2, 300), st.binary(min_size=1, max_size=32))
def test_a_permutation_leaves_nothing_where_it_was(size: int, key: bytes) -> None:
    moved = [Permutation(key, size)(number) for number in range(size)]
    assert sorted(moved) == [*range(size)]
    assert not any(number == place for place, number in enumerate(moved))


@given(
    st.integers(1, 10**80).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))
)
def test_a_large_permutation_stays_within(drawn: tuple[int, int]) -> None:
    size, number = drawn
    assert 0 <= Permutation(b"key", size)(number) < size


@given(WORD)
def test_a_words_stand_in_has_its_shape_and_is_another(word: str) -> None:
    found = WORDS.stand_in(word)
    assert [*map(str.isdigit, found)] == [*map(str.isdigit, word)]
    assert [*map(str.isupper, found)] == [*map(str.isupper, word)]
    assert found.lower() == WORDS.stand_in(word.lower())
    if word.lower() in KEPT:
        assert found == word
    else:
        assert found != word
        assert found.lower() not in KEPT


@pytest.mark.parametrize("shape", ["aa", "a0", "aaa"])
def test_different_words_have_different_stand_ins(shape: str) -> None:
    alphabets = {"a": "abcdefghijklmnopqrstuvwxyz", "0": "0123456789"}
    words = [""]
    for mark in shape:
        words = [word + character for word in words for character in alphabets[mark]]
    assert len({*map(WORDS.stand_in, words)}) == len(words)


@given(BEYOND)
def test_words_of_any_script_have_stand_ins_as_long(word: str) -> None:
    found = WORDS.stand_in(word)
    assert len(found) == len(word)
    assert not any(new == old for new, old in zip(found.lower(), word.lower(), strict=False))


@given(st.text())
def test_a_text_stays_as_long_and_keeps_its_punctuation(text: str) -> None:
    found = STAND_INS.text(text)
    assert len(found) == len(text)
    assert re.sub(r"[0-9A-Za-z]|[^\x00-\x7f]", "", found) == re.sub(
        r"[0-9A-Za-z]|[^\x00-\x7f]", "", text
    )
    assert found == StandIns(b"a secret of the tests").text(text)


@given(
    st.lists(WORD.filter(lambda word: len(word) > 5), min_size=1, max_size=5),
    st.sampled_from(["\\", "/", ".", " ", '" "', "@", "|", ":", "_", "-", "="]),
)
def test_no_word_of_a_text_survives(words: list[str], between: str) -> None:
    found = {*re.findall("[A-Za-z0-9]+", STAND_INS.text(between.join(words)).lower())}
    assert not found & {word.lower() for word in words} - KEPT


def test_what_is_the_same_stays_the_same() -> None:
    text, md5 = STAND_INS.text, "a54ba074d509e36b1a27a4e9bd35aabb"
    assert text(r"c:\users\jsmith\evil.exe").endswith("\\" + text("evil.exe"))
    assert text(r"CORP\JSmith").lower().endswith("\\" + text("jsmith"))
    assert text(f"run {md5.upper()}") == f"{text('run')} {STAND_INS.hex_digits(md5).upper()}"
    assert STAND_INS.digest(bytes.fromhex(md5)).hex() == STAND_INS.hex_digits(md5)
    assert STAND_INS.hex_digits("0" * 30) == "0" * 30
    assert STAND_INS.digest(b"") == b""
    assert text("http://10.1.2.3:80/") == f"http://{text('10.1.2.3')}:{text('80')}/"


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4))
def test_addresses_stay_different_and_near_each_other(one: bytes, other: bytes) -> None:
    found, another = STAND_INS.ipv4(one), STAND_INS.ipv4(other)
    assert (found == another) == (one == other)
    assert (found[:2] == another[:2]) == (one[:2] == other[:2]) or ({one, other} & {*OF_NOBODY})
    written = ".".join(map(str, one))
    assert STAND_INS.text(written) == ".".join(map(str, found))
    assert len(STAND_INS.text(written)) == len(written)
    assert found != one or one in OF_NOBODY


@given(st.ip_addresses(v=6))
def test_addresses_of_ipv6_are_the_same_as_text_and_as_numbers(address: IPv6Address) -> None:
    packed = address.packed
    halves = STAND_INS.ipv6(packed[:8]) + STAND_INS.ipv6(packed[8:])
    assert halves == STAND_INS.ipv6(packed)
    if "." not in str(address) and str(address).count(":") > 1 and str(address) != "::":
        assert IPv6Address(STAND_INS.text(str(address))).packed == halves


def test_another_secret_gives_others() -> None:
    other = StandIns(b"another secret")
    for text in ("fileserver", "192.168.230.131", "a54ba074d509e36b1a27a4e9bd35aabb"):
        assert other.text(text) != STAND_INS.text(text) != text
