"""Signed links and their key."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, UsageError
from pipeline.notify.key import signing_key
from pipeline.notify.links import LIFETIME, Links, read_token
from pipeline.settings import load_settings

MADE = datetime(2026, 9, 14, 10, tzinfo=UTC)
LINKS = Links("https://desk.example", "k" * 32)


def token(**changes: object) -> str:
    arguments = {"alert_id": 7, "kind": "noise", "receiver": "desk", "made_at": MADE, **changes}
    return LINKS.feedback(**arguments).rpartition("/")[2]  # type: ignore[arg-type]


def test_says_one_thing_until_it_expires() -> None:
    invitation = read_token(token(kind="wrong_sentiment", story_id=9), LINKS.key, MADE)
    assert (invitation.alert_id, invitation.kind, invitation.receiver) == (7, "wrong_sentiment", "desk")
    assert invitation.story_id == 9
    assert invitation.expires_at == MADE + LIFETIME
    with pytest.raises(UsageError, match="expired on 05 Oct 2026"):
        read_token(token(), LINKS.key, MADE + LIFETIME)


def test_every_try_has_the_same_link() -> None:
    assert token() == token()
    assert token() != token(receiver="other")


@pytest.mark.parametrize("forged", ["", "abc", "abc.def", "WzEsMl0", "é" * 40])
def test_forged_or_cut_links_are_refused(forged: str) -> None:
    with pytest.raises(UsageError, match="not one of ours"):
        read_token(forged, LINKS.key, MADE)


def test_one_changed_character_is_refused() -> None:
    good = token()
    for place in range(0, len(good), 7):
        bad = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        with pytest.raises(UsageError):
            read_token(bad, LINKS.key, MADE)


def test_another_key_is_refused() -> None:
    with pytest.raises(UsageError):
        read_token(token(), "another key", MADE)


def test_expiry_is_part_of_what_is_signed() -> None:
    later = token(made_at=MADE + timedelta(days=30))
    assert read_token(later, LINKS.key, MADE + LIFETIME).expires_at > MADE + LIFETIME


def test_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: signing_key(settings), range(8)))
    assert len(keys) == 1
    [path] = (tmp_path / "home").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(keys.pop()) >= 48


def test_key_of_the_settings_wins(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, desk_secret="from the settings")
    assert signing_key(settings) == "from the settings"
    assert not list(tmp_path.iterdir())


def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a directory")
    with pytest.raises(ConfigurationError, match="UNDERTOW_DESK_SECRET"):
        signing_key(load_settings(home=tmp_path / "home"))
