"""The telling half of alerts.toml."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.errors import ConfigurationError, FileMistakes
from pipeline.notify.alerts_file import load_routing, parse_routing
from pipeline.notify.routes import Digest, Hours, QuietHours, Receiver, Route

GOOD = """
[rule]
anything = "belongs to detect"

[receivers.risk-desk]
kind = "email"
to = ["risk@bank.example", "duty@bank.example"]
tz = "Europe/Zurich"

[receivers.newsroom]
kind = "slack"
channel = "C0123456789"

[receivers.pager]
kind = "apprise"
url_setting = "pagerduty"
quiet_hours = false

[[routes]]
receivers = ["newsroom"]

[[routes]]
name = "banks at work"
series = ["company", "sector"]
keys = ["*bank*"]
severity = "critical"
hours = "07:00-19:00"
weekdays = "mon-fri"
tz = "Europe/Zurich"
receivers = ["risk-desk", "pager"]

[quiet_hours]
hours = "22:00-07:00"
critical_passes = false

[[digests]]
every = "week"
weekday = "fri"
at = "16:30"
receivers = ["risk-desk"]
"""

BAD = """
[receivers.risk]
kind = "mail"

[receivers.desk]
kind = "email"
to = ["a@b.example, c@d.example"]
chanel = "x"
tz = "Europe/Zürich"

[receivers.news]
kind = "slack"

[[routes]]
series = "companies"
severity = "hig"
hours = "7-19"
weekdays = "mon-frj"
receivers = ["dsk"]

[[routes]]
recievers = ["desk"]

[quiet_hours]
critical_passes = "no"

[[digest]]
every = "day"
"""


def test_reads_everything() -> None:
    routing = parse_routing(GOOD)
    zurich = ZoneInfo("Europe/Zurich")
    assert list(routing.receivers.values()) == [
        Receiver("risk-desk", "email", ("risk@bank.example", "duty@bank.example"), zone=zurich),
        Receiver("newsroom", "slack", channel="C0123456789"),
        Receiver("pager", "apprise", url_setting="pagerduty", keeps_quiet_hours=False),
    ]
    assert routing.routes == (
        Route("route 1", ("newsroom",)),
        Route(
            "banks at work",
            ("risk-desk", "pager"),
            frozenset({"company", "sector"}),
            ("*bank*",),
            "critical",
            Hours(time(7), time(19), frozenset(range(5)), zurich),
        ),
    )
    assert routing.quiet_hours == (QuietHours(Hours(time(22), time(7)), critical_passes=False),)
    assert routing.digests == (Digest("every week", "week", ("risk-desk",), time(16, 30), 4),)


def test_all_mistakes_at_once_each_with_its_place() -> None:
    with pytest.raises(FileMistakes) as caught:
        parse_routing(BAD)
    text = "\n".join(caught.value.mistakes)
    expected = [
        "[digest] is no section; did you mean digests?",
        "[receivers.risk] kind: 'mail' is none of email, slack, apprise",
        "[receivers.desk] chanel means nothing here",
        "[receivers.desk] to: 'a@b.example, c@d.example' is not one email address",
        "[receivers.desk] tz: 'Europe/Zürich' is not a time zone",
        "[receivers.news] channel is missing; kind = 'slack' needs it",
        "[[routes]] number 1 series: 'companies' is none of all, topic, company, sector",
        "[[routes]] number 1 receivers: there is no [receivers.dsk]; did you mean desk?",
        "[[routes]] number 1 severity: 'hig' is none of warning, critical",
        "[[routes]] number 1 '7' is not a time of day",
        "[[routes]] number 1 weekdays: 'mon-frj' is not a day",
        "[[routes]] number 2 recievers means nothing here; did you mean receivers?",
        "[[routes]] number 2 receivers is missing",
        "[quiet_hours] say which",
        "[quiet_hours] critical_passes: write true or false, not 'no'",
    ]
    for mistake in expected:
        assert mistake in text
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[quiet_hours]\nhours = '00:00-24:00'", "leave no time to send anything"),
        ("receivers = 3", "write each receiver as"),
        ("routes = 'x'", "write it as tables"),
        ("[receivers", "it is not TOML"),
        ("[[routes]]\nhours = '25:00-26:00'\nreceivers=[]", "not a time of day"),
        (
            "[[digests]]\n[[digests]]",
            "number 2 has the name of another, 'every day'; give it a name of its own",
        ),
        (
            "[[digests]]\nname = 'a'\n[[digests]]\nevery = 'week'\nname = 'a'",
            "number 2 has the name of another, 'a'",
        ),
    ],
)
def test_odd_files(text: str, mistake: str) -> None:
    with pytest.raises(FileMistakes, match=mistake):
        parse_routing(text)


def test_weekdays_may_run_over_sunday() -> None:
    text = "[[routes]]\nweekdays = ['fri-mon', 'wed']\nreceivers = ['a']\n[receivers.a]\nkind='slack'\nchannel='C'"
    assert parse_routing(text).routes[0].hours.weekdays == {4, 5, 6, 0, 2}


def test_no_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="UNDERTOW_ALERTS_FILE"):
        load_routing(tmp_path / "alerts.toml")


def test_digests_of_different_names_are_no_mistake() -> None:
    receivers = "receivers = ['a']\n"
    text = (
        "[receivers.a]\nkind = 'email'\nto = 'a@b.example'\n"
        f"[[digests]]\n{receivers}[[digests]]\nevery = 'week'\n{receivers}[[digests]]\nname = 'evening'\n{receivers}"
    )
    assert [digest.name for digest in parse_routing(text).digests] == ["every day", "every week", "evening"]
