"""When a digest falls due, and where its period begins."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.notify.digest import begin, is_due
from pipeline.notify.routes import Digest

DUE = datetime(2026, 3, 4, 7, tzinfo=UTC)
DAILY = Digest(name="morning", every="day", receivers=("mail",))
LATER = DUE + timedelta(hours=2)


@pytest.mark.parametrize(
    ("told_until", "due", "start"),
    [
        (None, DUE, DUE - timedelta(days=1)),
        (DUE, None, None),  # told already
        (DUE - timedelta(days=9), DUE, DUE - timedelta(days=9)),  # an outage
        (DUE - timedelta(days=40), DUE, DUE - timedelta(days=1)),  # switched off meanwhile
        (DUE + timedelta(hours=9), None, None),  # a clock that ran ahead; the next one begins there
        (DUE + timedelta(days=365), DUE, DUE - timedelta(days=1)),  # a clock that was a year ahead
    ],
)
def test_a_digest_goes_on_where_the_last_one_ended(
    told_until: datetime | None, due: datetime | None, start: datetime | None
) -> None:
    assert is_due(DAILY, LATER, told_until) == due
    assert due is None or begin(DAILY, due, told_until) == start


def test_a_digest_that_nobody_had_yet_is_not_told_long_after_its_time() -> None:
    assert is_due(DAILY, DUE + timedelta(hours=13), None) is None
