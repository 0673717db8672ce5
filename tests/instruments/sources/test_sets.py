"""A source set is read from its file, or refused with file, line and key."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.instruments.sources.api import Pair, Source, SourceSet
from loom.instruments.sources.flaws import MOST_FRAMES
from loom.instruments.sources.sets import (
    SetError,
    checked,
    digest,
    from_json,
    parse,
    read,
    to_json,
    to_toml,
)

WHOLE = """
name = "papers"
about = "Two papers."
null_prior = 0.25
probes = ["\\n\\n— ", "\\n\\nSource:"]
probe_ends = ")"
models = ["house"]

[[source]]
name = "The Onion"
frames = ["The Onion\\n\\n", "Area Man\\n\\n"]
short = "Onion"
prior = 2

[[source]]
name = "The Times"
frame = "The Times\\n\\n"
byline = "The Times"

[[pair]]
name = "satire"
first = "The Onion"
second = "The Times"
"""
PAPERS = SourceSet(
    "papers",
    "Two papers.",
    (
        Source("The Onion", ("The Onion\n\n", "Area Man\n\n"), 2.0, "Onion"),
        Source("The Times", ("The Times\n\n",), byline="The Times"),
    ),
    0.25,
    (Pair("satire", "The Onion", "The Times"),),
    ("\n\n— ", "\n\nSource:"),
    ")",
    ("house",),
)


def refused(text: str) -> SetError:
    with pytest.raises(SetError) as error:
        parse(text, "my/papers.toml")
    return error.value


def test_every_key() -> None:
    assert parse(WHOLE, "x.toml") == PAPERS
    assert PAPERS.frames == ("", "The Onion\n\n", "Area Man\n\n", "The Times\n\n")


def test_a_name_and_a_frame_are_enough() -> None:
    found = parse('[[source]]\nname = "a"\nframe = "A\\n"', "some/letters.toml")
    assert found == SourceSet("letters", "", (Source("a", ("A\n",)),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE.replace("null_prior = 0.25", "null_prior = 0.05"), "line 4: null_prior must be bet"),
        (WHOLE.replace("null_prior", "nul_prior"), "line 4: nul_prior is unknown"),
        (WHOLE.replace("prior = 2", "prior = 0"), "line 13: source[1].prior must be more than 0"),
        (WHOLE.replace("prior = 2", "prior = inf"), "line 13: source[1].prior must be a number"),
        (WHOLE.replace("short =", "shrt ="), "line 12: source[1].shrt is unknown"),
        (WHOLE.replace('e = "The Times"\n', 'e = "The Onion"\n', 1), "source[2].name is 'The Onio"),
        (
            WHOLE.replace('"Area Man', '"The Times'),
            "line 17: source[2].frame has a frame that 'The",
        ),
        (WHOLE.replace('"Area Man\\n\\n"', '""'), "line 11: source[1].frames must be a text or"),
        (WHOLE.replace("\nframe = ", "\nby = "), "line 17: source[2].by is unknown"),
        (WHOLE.replace("\nframe = ", "\nshort = "), "line 15: source[2] needs a frame or several"),
        (WHOLE.replace('first = "The Onion"', 'first = "Onion"'), "line 22: pair[1].first must be"),
        (
            WHOLE.replace('second = "The Times"', 'second = "The Onion"'),
            "line 23: pair[1].second mu",
        ),
        (WHOLE.replace('second = "The Times"', ""), "line 20: pair[1] needs a second"),
        (WHOLE.replace("[[pair]]", "[pair]"), "line 20: pair must be a list of tables"),
        (WHOLE.replace('name = "papers"', "name = 3"), "line 2: name must be a text in quotes"),
        ('name = "none"', "line 1: source must be there at least once"),
        ('name = "torn', "line 1: "),
        ("[dates]\nfrom = 1900\nto = 1800\nstep = 5", "line 3: dates.to must not be before from"),
        ('[characters]\nnames = ["A", ""]', "line 2: characters.names must be a list of names"),
        ('[characters]\nnames = ["A", "A"]', "line 1: characters is 'A', and so is another's"),
        ('[characters]\nname = ["A"]', "line 2: characters.name is unknown"),
        ('[voices]\nfolder = "nowhere"', "line 2: voices.folder has no texts yet"),
        ('[bylines]\nof = "other"', "line 2: bylines.of must be the bundled model house"),
        ("dates = 3", "line 1: dates must be a table"),
    ],
)
def test_what_is_wrong_names_file_line_and_key(text: str, said: str) -> None:
    message = str(refused(text))
    assert message.startswith("my/papers.toml, line ")
    assert said in message


def test_close_misses_are_told() -> None:
    assert refused(WHOLE.replace("null_prior", "nul_prior")).hint == "Did you mean null_prior?"


def test_too_many_frames_are_refused() -> None:
    lines = [f'[[source]]\nname = "{n}"\nframe = "f{n}"' for n in range(MOST_FRAMES)]
    assert "too many" in str(refused("\n".join(lines)))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(SetError, match="There is no"):
        read(tmp_path / "none.toml")
    (tmp_path / "odd.toml").write_bytes(b'name = "a"\nabout = "\xff"')
    with pytest.raises(SetError, match="line 2: this is not UTF-8"):
        read(tmp_path / "odd.toml")


texts = st.text(min_size=1, max_size=12)
names = st.from_regex(r"[A-Za-z\"\\é][A-Za-z\"\\' é]{0,8}[a-z]", fullmatch=True)
given_sets = st.builds(
    lambda sources, null, probes, about: SourceSet(
        "any",
        about,
        tuple(
            Source(name, (f"{row}{frame}",), prior, short, byline)
            for row, (name, (frame, prior, short, byline)) in enumerate(sources.items())
        ),
        null,
        (Pair("p", *list(sources)[:2]),) if len(sources) > 1 else (),
        tuple(probes),
    ),
    st.dictionaries(
        names,
        st.tuples(texts, st.floats(0.01, 100), st.one_of(st.just(""), names), st.just("")),
        min_size=1,
        max_size=4,
    ),
    st.floats(0.1, 0.9),
    st.lists(texts, max_size=3),
    st.text(max_size=10),
)


@settings(deadline=None)
@given(given_sets)
def test_a_set_survives_a_file_and_a_session(wanted: SourceSet) -> None:
    assert parse(to_toml(wanted), "x.toml") == wanted
    assert from_json(to_json(wanted)) == wanted


def test_the_file_of_a_set_is_plain_to_read() -> None:
    text = to_toml(PAPERS)
    assert 'frames = ["The Onion\\n\\n", "Area Man\\n\\n"]' in text
    assert 'frame = "The Times\\n\\n"' in text and "prior = 2.0" in text
    assert parse(text, "x.toml") == PAPERS


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"name": "a"}', '{"sources": 3}'])
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(SetError, match="no source set"):
        from_json(text)


def test_a_set_of_a_session_is_looked_through_as_well() -> None:
    whole = json.loads(to_json(PAPERS))
    whole["sources"][1]["frames"] = ["Area Man\n\n"]
    with pytest.raises(SetError, match=r"source\[2\].frames has a frame that 'The Onion' has too"):
        from_json(json.dumps(whole))


def test_a_frame_that_can_not_be_put_into_bytes_is_refused() -> None:
    with pytest.raises(SetError, match="frames must be there"):
        checked(SourceSet("a", "", (Source("a", ("\ud800",)),)))


def test_the_digest_is_of_the_frames_and_whose_they_are() -> None:
    renamed = replace(
        PAPERS,
        name="other",
        null_prior=0.5,
        probes=(),
        pairs=(),
        sources=tuple(replace(one, name=one.name.upper(), prior=3.0) for one in PAPERS.sources),
    )
    assert digest(renamed) == digest(PAPERS)
    turned = replace(PAPERS, sources=PAPERS.sources[::-1])
    first, second = PAPERS.sources
    moved = (
        replace(first, frames=first.frames[:1]),
        replace(second, frames=(*first.frames[1:], *second.frames)),
    )
    different = {digest(PAPERS), digest(turned), digest(replace(PAPERS, sources=moved))}
    assert len(different) == 3
