"""The key of a retraining names a folder, never a way to one."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.label.runkey import folder_name


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("cli-20260101-000000", "cli-20260101-000000"),
        ("scheduled__2026-01-01T00:00:00+00:00", "scheduled__2026-01-01T00-00-00-00-00"),
        ("manual__2026-01-01T00:00:00.123456+00:00_aB~3", "manual__2026-01-01T00-00-00.123456-00-00_aB-3"),
        ("..a", "..a"),
    ],
)
def test_a_plain_key_names_its_folder(key, folder):
    assert folder_name(key) == folder


@pytest.mark.parametrize("key", ["", ".", "..", "...", "a/b", "../a", "/", "a\\b", "a b", "a\n", "a" * 251])
def test_other_keys_are_refused_with_what_a_key_may_hold(key):
    with pytest.raises(UsageError, match="letters, digits and"):
        folder_name(key)
