"""Reading payloads: lenient with what is missing, strict with what feeds wrote."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notify_examples import payload

from pipeline.notify.card import clean, read_card, web_address
from pipeline.notify.message import fold_text

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_missing_is_none() -> None:
    card = read_card({})
    assert (card.title, card.negative, card.p, card.stories, card.chart, card.ratio) == (
        "",
        0,
        None,
        (),
        (),
        None,
    )


def test_reads_the_example() -> None:
    card = read_card(payload("company_crisis"))
    assert card.title == "Nordbank"
    assert round(card.ratio or 0, 1) == 7.4
    assert len(card.stories) == 7
    assert card.stories[0].contribution == 0.12
    assert len(card.chart) == 96


@settings(deadline=None)  # how long it takes is the machine's doing
@given(
    st.dictionaries(
        st.sampled_from(["stories", "chart", "carried_by", "cause", "share_now", "p"]), json_values
    )
)
def test_odd_lists_never_break_it(odd: dict[str, object]) -> None:
    read_card({**payload("minimal"), **odd})


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://a.example/x?y=1&z=2#q", True),
        ("http://a.example:8080/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://", False),
        ("//a.example/x", False),
        ('https://a.example/"><script>', False),
        ("https://a.example/a b", False),
        ("https://a.example/<x>", False),
        ("https://a.example/|x", False),
        ("https://[bad", False),
        (None, False),
        (7, False),
    ],
)
def test_only_web_addresses_become_links(address: object, kept: bool) -> None:
    assert (web_address(address) is not None) == kept


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_clean_is_one_short_printable_line(text: str, most: int) -> None:
    line = clean(text, most)
    assert len(line) <= most
    assert line == " ".join(line.split())
    assert not any(ord(c) < 32 or c in "\u202e\u2066\u200b\u2028\x7f" for c in line)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "Zs"])), st.integers(5, 40))
def test_fold_keeps_every_word(text: str, width: int) -> None:
    folded = fold_text(text, width)
    assert folded.split() == text.split()
    assert all(len(line) <= width or " " not in line for line in folded.splitlines())
