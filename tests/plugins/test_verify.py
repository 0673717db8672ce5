"""What verify notices in texts cut into tokens anywhere, and what it leaves alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.instruments.api import FLAG_BITS, Reading
from loom.testing import ContractBroken, check_instrument, load_plugin, path_of, read_along
from loom.testing.reading import settings_for

VERIFY: Any = load_plugin(Path(__file__).parents[2] / "plugins" / "verify.py")
TEXT = (
    "On Tuesday, 5 January 2015 (she wrote) the naïve sum 12 + 30 = 43 stood by “2 + 2 = 4”.\n\n"
    "ISBN 0-306-40615-3, and 7 x 8 = 54]."
)
FAIL, PASS = math.log2(0.9 / 0.01), math.log2(0.1 / 0.99)


def tokens(text: str, size: int = 3) -> list[bytes]:
    data = text.encode()
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(text: str, size: int = 3, **options: Any) -> Reading:
    settings = settings_for(VERIFY, options)
    return read_along(VERIFY, path_of(tokens(text, size)), settings).reading


def reasons(text: str, **options: Any) -> list[str]:
    return [flag.reason for flag in read(text, **options).flags]


def test_it_keeps_the_contract() -> None:
    check_instrument(VERIFY)
    paths = {f"tokens of {size}": path_of(tokens(TEXT * 3, size)) for size in (1, 5)}
    check_instrument(VERIFY, paths, clock=lambda: 0.0)


@given(st.integers(1, 40))
def test_it_says_the_same_however_the_text_is_cut_into_tokens(size: int) -> None:
    text = TEXT + " " * 50
    found = read(text, size)
    assert sorted(flag.reason for flag in found.flags) == sorted(reasons(text))
    ends = [size * (flag.at + 1) for flag in found.flags]
    for flag, end in zip(found.flags, ends, strict=True):
        assert flag.began <= flag.at
        assert end <= len(text.encode()) + size
    assert found.summary == {"checked": 5.0, "wrong": 4.0}


def test_each_wrong_claim_is_evidence_and_each_right_one_against_it() -> None:
    reading = read("1 + 1 = 3. 2 + 2 = 4. 3 + 3 = 7. 4 + 4 = 9. 5 + 5 = 10. ")
    bits = [flag.bits for flag in reading.flags]
    expected = [FAIL, FAIL + PASS + FAIL, FAIL + PASS + FAIL + FAIL]
    assert bits == pytest.approx(expected)
    assert [flag.level for flag in reading.flags] == ["info", "flag", "flag"]
    assert FAIL < FLAG_BITS < 2 * FAIL
    assert {flag.null for flag in reading.flags} == {"reference"}
    assert reading.values["evidence"][-1] == pytest.approx(expected[-1] + PASS, rel=1e-6)


def test_right_claims_are_no_credit_for_later() -> None:
    reading = read("1 + 1 = 2. 2 + 2 = 4. 3 + 3 = 6. 4 + 4 = 9. ")
    assert [flag.bits for flag in reading.flags] == pytest.approx([FAIL])


def test_a_flag_is_about_the_tokens_of_the_claim_and_comes_when_it_cannot_go_on() -> None:
    text = "We know 12 + 30 = 43 now"
    (flag,) = read(text, 1).flags
    assert text[flag.began : flag.at + 1] == "12 + 30 = 43 n"


def test_a_claim_in_a_long_text_is_found_where_it_is() -> None:
    lead = "word " * 300
    (flag,) = read(lead + "12 + 30 = 43 now", 1).flags
    assert flag.began == len(lead)
    long = " + ".join(["1"] * 200) + " = 200. And"
    assert reasons("0 + " + long) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('It (was so) and “well” and \'tis "fine".', ""),
        ("a) first\nb) second\n10) tenth :-) ;)", ""),
        (
            '"Go on," he said.\n\n"And then,\n\n"when it was dark," she said, "we went."\n\nRain.',
            "",
        ),
        ("“One.\n\n“Two.”\n\nThree.", ""),
        ('"He wrote:\n\nO sea!\n\n"That was all."\n\nThen.', ""),
        ("„So“, sagte er („ja“).", ""),
        ("He was 6' 2\" tall.\n\nThen.", ""),
        ("It was so). And", "The bracket ) closes none that was opened."),
        ("It [was (so]. And", "The bracket ( was still open when ] came."),
        ('"Go on, he said.\n\nThen.', "The quotation mark \" isn't closed in its paragraph."),
        ("“Go on, he said.\n\nThen.", "The quotation mark “ isn't closed in its paragraph."),
    ],
)
def test_brackets_and_quotation_marks(text: str, said: str) -> None:
    assert reasons(text) == ([said] if said else [])


def test_a_bracket_that_stays_open_is_pointed_out_and_proves_nothing() -> None:
    text = "Then (" + "so it went on " * 20
    assert reasons(text) == []
    reading = read(text, patience=60)
    (flag,) = reading.flags
    assert (flag.began, flag.at - flag.began, flag.bits) == (1, 60, 0.0)
    assert (flag.level, flag.null) == ("info", "none")
    assert "never closed" in flag.reason


def test_a_page_of_brackets_is_not_a_page_of_flags() -> None:
    nonsense = ")" * 1000 + " 1 + 1 = 3 ." * 200
    assert 16 < len(reasons(nonsense)) <= VERIFY.BURST + len(nonsense) / 3 / VERIFY.QUIET
    assert read(nonsense).summary["wrong"] == 200


def test_half_a_character_waits_for_the_other_half() -> None:
    assert read("é 12 + 30 = 43 é", 1).summary == {"checked": 1.0, "wrong": 1.0}


OWN = """\
import re

def shouting(text):
    for found in re.finditer(r"[A-Z]{4,}(?=\\W)", text):
        yield found.start(), found.end(), found.group() == "NASA", f"{found.group()} is shouted."
"""


def test_a_verifier_of_ones_own_counts_like_the_others(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    found = read("He said STOP and NASA and then 1 + 1 = 3. ", verifiers=[f"{file}:shouting"])
    assert [flag.reason for flag in found.flags] == ["STOP is shouted.", "1 + 1 is 2, not 3."]
    assert found.summary == {"checked": 3.0, "wrong": 2.0}


@pytest.mark.parametrize("name", ["mine.py:shouting", "/nowhere/mine.py", "/nowhere/mine.txt:f"])
def test_a_verifier_that_is_none_is_told_at_once(name: str) -> None:
    with pytest.raises(ContractBroken, match="verifier"):
        read("text", verifiers=[name])


def test_rates_that_cannot_be_are_refused() -> None:
    with pytest.raises(ContractBroken, match="between 0 and 1"):
        read("text", wrong_by_people=0)
