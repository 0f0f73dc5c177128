"""What a date in a feed means: the right instant, or none with a reason. Never a wrong instant in silence. Pure.

A date that is read too early lets a back-test know tomorrow's news; so whatever would need a guess (no zone, a
zone name that two continents use, a day without an hour) gives no instant unless the feed names its `default_tz`.
Each form is one row of `_FORMS`; a new form is a new row and a case in tests/data/dates.tsv.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

# Nothing on the wire is older; a date before it is a broken clock or a placeholder.
OLDEST_YEAR = 1990
# Publishers' clocks run ahead and embargoed items carry their release time; beyond two days it is a mistake.
FUTURE_ALLOWED = timedelta(days=2)
# No zone on earth is further from UTC.
MAX_OFFSET_MINUTES = 14 * 60
_RAW_LIMIT = 200


@dataclass(frozen=True, slots=True)
class ParsedDate:
    """`at` is aware UTC, set when `status` is ok, and for a date_only that was written as midnight; `tz_source` says where
    its zone came from.

    `is_midnight`: its clock stands at 00:00:00 sharp, as where a program was given a day and wrote a time.
    """

    at: datetime | None
    status: str  # ok | missing | unparseable | ambiguous_tz | date_only | future | ancient
    tz_source: str = "none"  # offset | abbreviation | feed_default | none
    is_midnight: bool = False


# Abbreviation -> zone; the offset that the letters promise must be the zone's own on that date, else it is ambiguous.
_ZONES: dict[str, tuple[str, int | None]] = {
    "ET": ("America/New_York", None), "EST": ("America/New_York", -300), "EDT": ("America/New_York", -240),
    "CT": ("America/Chicago", None), "CDT": ("America/Chicago", -300),
    "MT": ("America/Denver", None), "MST": ("America/Denver", -420), "MDT": ("America/Denver", -360),
    "PT": ("America/Los_Angeles", None), "PST": ("America/Los_Angeles", -480), "PDT": ("America/Los_Angeles", -420),
    "AKST": ("America/Anchorage", -540), "AKDT": ("America/Anchorage", -480), "HST": ("Pacific/Honolulu", -600),
    "BRT": ("America/Sao_Paulo", -180), "BST": ("Europe/London", 60), "WET": ("Europe/Lisbon", 0),
    "WEST": ("Europe/Lisbon", 60), "CET": ("Europe/Paris", 60), "CEST": ("Europe/Paris", 120),
    "MEZ": ("Europe/Berlin", 60), "MESZ": ("Europe/Berlin", 120), "EET": ("Europe/Athens", 120),
    "EEST": ("Europe/Athens", 180), "MSK": ("Europe/Moscow", 180), "TRT": ("Europe/Istanbul", 180),
    "SAST": ("Africa/Johannesburg", 120), "GST": ("Asia/Dubai", 240), "PKT": ("Asia/Karachi", 300),
    "HKT": ("Asia/Hong_Kong", 480), "SGT": ("Asia/Singapore", 480), "PHT": ("Asia/Manila", 480),
    "ICT": ("Asia/Bangkok", 420), "WIB": ("Asia/Jakarta", 420), "JST": ("Asia/Tokyo", 540), "KST": ("Asia/Seoul", 540),
    "AWST": ("Australia/Perth", 480), "AEST": ("Australia/Sydney", 600), "AEDT": ("Australia/Sydney", 660),
    "ACST": ("Australia/Adelaide", 570), "ACDT": ("Australia/Adelaide", 630),
    "NZST": ("Pacific/Auckland", 720), "NZDT": ("Pacific/Auckland", 780),
}  # fmt: skip
_UTC_NAMES = frozenset({"UTC", "GMT", "UT", "Z", "ZULU", "UCT"})

_MONTH_NAMES = """
1 jan january januar jänner jän janvier janv enero ene gennaio gen janeiro januari styczeń stycznia sty ocak leden ledna tammikuu tammikuuta
2 feb february februar février fevrier févr fevr fév febrero febbraio fevereiro fev februari luty lutego lut şubat helmikuu helmikuuta
3 mar march märz mär mrz maerz mars marzo março marco maart mrt marzec marca mart maaliskuu maaliskuuta
4 apr april avril avr abril abr aprile kwiecień kwietnia kwi nisan huhtikuu huhtikuuta
5 may mai mayo maggio mag maio mei maj maja mayıs toukokuu toukokuuta
6 jun june juni juin junio giugno giu junho czerwiec czerwca cze haziran kesäkuu kesäkuuta
7 jul july juli juillet juil julio luglio lug julho lipiec lipca lip temmuz heinäkuu heinäkuuta
8 aug august août aout agosto ago augustus augusti sierpień sierpnia sie ağustos elokuu elokuuta
9 sep sept september septembre septiembre settembre set setembro wrzesień września wrz eylül syyskuu syyskuuta
10 oct october oktober okt octobre octubre ottobre ott outubro out październik października paź ekim lokakuu lokakuuta
11 nov november novembre noviembre novembro listopad listopada lis kasım marraskuu marraskuuta
12 dec december dezember dez décembre decembre déc diciembre dic dicembre dezembro grudzień grudnia gru aralık joulukuu joulukuuta
"""
_MONTHS = {
    name: int(line.split()[0]) for line in _MONTH_NAMES.split("\n") if line for name in line.split()[1:]
}

_CLOCK = (
    r"(?:[T\s,]+(?:at\s+|um\s+|à\s+)?(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?"
    r"(?:\s*(?:Uhr|h))?\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)
_ZONE = r"\s*(?P<zone>\(?[A-Za-z]{1,5}\)?|(?:UTC|GMT)?\s*[+\-\u2212]\s?\d{1,2}:?\d{2}|(?:UTC|GMT)\s*[+\-]\d{1,2})?(?:\s*\([^)]{1,40}\))?"
_WORD = r"[^\W\d_]+"
_WEEKDAY = rf"(?:{_WORD}\.?(?:-{_WORD})?(?:\s*,\s*|\s+))?"
_FORMS = tuple(
    re.compile(rf"^{form}$", re.IGNORECASE)
    for form in (
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?[\s\-]+(?:de\s+|of\s+)?(?P<month>{_WORD})\.?,?[\s\-]+(?:de\s+)?(?P<year>\d{{2}}|\d{{4,5}}){_CLOCK}{_ZONE}",
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){_CLOCK}{_ZONE}",
        rf"{_WEEKDAY}(?P<month>{_WORD})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_CLOCK}{_ZONE}",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:T?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?"
        + _ZONE,
        rf"(?P<weekday>{_WORD})\s+(?P<month>{_WORD})\s+(?P<day>\d{{1,2}})\s+(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}}))?{_ZONE}\s+(?P<year>\d{{4}})",
        rf"(?P<first>\d{{1,2}})[/.\-](?P<second_part>\d{{1,2}})[/.\-](?P<year>\d{{4}}){_CLOCK}{_ZONE}",
        rf"(?P<year>\d{{4}})\s*年\s*(?P<month>\d{{1,2}})\s*月\s*(?P<day>\d{{1,2}})\s*日{_CLOCK}{_ZONE}",
        rf"(?P<year>\d{{4}})-?W(?P<week>\d{{2}})-?(?P<weekday>[1-7]){_CLOCK}{_ZONE}",
    )
)
# `Mon, 23 Nov 2026 10:00:00 GMT` and `2026-11-23T10:00:00Z`, with any offset in figures.
_USUAL = re.compile(
    r"(?:(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?([0-3][0-9]) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (20[0-9]{2}) |(20[0-9]{2}-[01][0-9]-[0-3][0-9])T)"
    r"([0-2][0-9]:[0-5][0-9]:[0-5][0-9])(?: ?(GMT|UTC|Z|[+-][01][0-9]:?[0-9]{2}))"
)
_UNIX = re.compile(r"^(\d{9,10})(?:\.\d+)?$|^(\d{12,13})$")
_OFFSET = re.compile(r"^(?:UTC|GMT)?\s*([+\-\u2212])\s?(\d{1,2}):?(\d{2})?$", re.IGNORECASE)


def parse_date(raw: str | None, default_tz: str | None, now: datetime) -> ParsedDate:
    """Read one date string. `default_tz` is the feed's IANA zone for dates without one; `now` is aware UTC."""
    value = " ".join((raw or "")[:_RAW_LIMIT].split())
    if not value:
        return ParsedDate(None, "missing")
    try:
        parsed = _read_usual(value) or _read(value, default_tz)
    except (ValueError, OverflowError):
        return ParsedDate(None, "unparseable")
    return _in_range(parsed, now)


def end_of_day(raw: str, default_tz: str | None) -> datetime | None:
    """Last second of a day given without an hour: the earliest instant at which all of that day was surely known."""
    value = " ".join(raw[:_RAW_LIMIT].split())
    for form in _FORMS:
        match = form.match(value)
        if match:
            try:
                zone = ZoneInfo(default_tz) if default_tz else UTC
                return (
                    datetime.combine(_day(match.groupdict()), datetime.max.time(), zone)
                    .replace(microsecond=0)
                    .astimezone(UTC)
                )
            except (ValueError, OverflowError, KeyError):
                return None
    return None


def _read_usual(value: str) -> ParsedDate | None:
    """The two forms that most dates have, without the table; None for any other."""
    match = _USUAL.fullmatch(value)
    if not match:
        return None
    day, name, year, iso, clock, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{iso or f'{year}-{_MONTHS[name.lower()]:02}-{day}'}T{clock}+00:00")
    except ValueError:  # 24:00:00, a leap second, no such day: the table knows
        return None
    if zone[0] in "+-":
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        if minutes > 59 or hours * 60 + minutes > MAX_OFFSET_MINUTES:
            return None
        offset = timedelta(hours=hours, minutes=minutes)
        moment = moment + offset if zone[0] == "-" else moment - offset
    return ParsedDate(moment, "ok", "offset", clock == "00:00:00")


def _read(value: str, default_tz: str | None) -> ParsedDate:
    unix = _UNIX.match(value)
    if unix:
        seconds = int(unix[1]) if unix[1] else int(unix[2]) / 1000
        return ParsedDate(datetime.fromtimestamp(seconds, UTC), "ok", "offset", seconds % 86_400 == 0)
    for form in _FORMS:
        match = form.match(value)
        if match:
            return _from_parts(match.groupdict(), default_tz)
    raise ValueError("no known form")


def _from_parts(parts: dict[str, str | None], default_tz: str | None) -> ParsedDate:
    day = _day(parts)
    if day.year < OLDEST_YEAR:
        return ParsedDate(None, "ancient")
    if parts.get("hour") is None:
        return ParsedDate(None, "date_only")
    clock = _time_of_day(parts)
    moment = datetime.combine(day, datetime.min.time()) + clock
    dated = _with_zone(moment, (parts.get("zone") or "").strip("() "), default_tz)
    return replace(dated, is_midnight=not clock) if dated.at else dated


def _day(parts: dict[str, str | None]) -> date:
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 2000 if year < 70 else 1900
    if not 1 <= year <= 9999:
        raise ValueError("year out of range")
    if parts.get("week"):
        return date.fromisocalendar(year, int(parts["week"] or 0), int(parts["weekday"] or 0))
    if parts.get("first"):
        return _day_or_month_first(year, int(parts["first"] or 0), int(parts["second_part"] or 0))
    month = parts["month"] or ""
    return date(
        year, int(month) if month.isdecimal() else _MONTHS.get(month.lower(), 0), int(parts["day"] or 0)
    )


def _day_or_month_first(year: int, first: int, second: int) -> date:
    if first > 12 or first == second:
        return date(year, second, first)
    if second > 12:
        return date(year, first, second)
    raise ValueError("day and month cannot be told apart")


def _time_of_day(parts: dict[str, str | None]) -> timedelta:
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (parts.get("half") or "").replace(".", "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError("hour out of range for am/pm")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if minute > 59 or second > 60 or hour > 24 or (hour == 24 and (minute or second)):
        raise ValueError("time out of range")
    fraction = int((parts.get("fraction") or "0")[:6].ljust(6, "0"))
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)


def _with_zone(moment: datetime, zone: str, default_tz: str | None) -> ParsedDate:
    name = zone.upper()
    if name in _UTC_NAMES:
        return ParsedDate(moment.replace(tzinfo=UTC), "ok", "offset")
    offset = _OFFSET.match(zone)
    if offset:
        return ParsedDate(moment.replace(tzinfo=_fixed(offset)).astimezone(UTC), "ok", "offset")
    if name in _ZONES:
        known = _by_abbreviation(moment, *_ZONES[name])
        if known:
            return ParsedDate(known, "ok", "abbreviation")
    elif name and name not in _AMBIGUOUS:
        raise ValueError("unknown zone")
    local = _by_default(moment, name, default_tz)
    return ParsedDate(local, "ok", "feed_default") if local else ParsedDate(None, "ambiguous_tz")


# Letters that mean different hours on different continents: only a feed's own zone can say which.
_AMBIGUOUS = frozenset({"CST", "IST", "AST", "ADT", "SST", "ECT", "AMT", "WST", "PYT", "CLT", "COT", "ART"})


def _fixed(offset: re.Match[str]) -> timezone:
    minutes = int(offset[2]) * 60 + int(offset[3] or 0)
    if minutes > MAX_OFFSET_MINUTES or int(offset[3] or 0) > 59:
        raise ValueError("offset out of range")
    return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))


def _by_abbreviation(moment: datetime, zone: str, promised: int | None) -> datetime | None:
    for aware in _readings(moment, zone):
        if promised is None or aware.utcoffset() == timedelta(minutes=promised):
            return aware.astimezone(UTC)
    return None


def _by_default(moment: datetime, name: str, default_tz: str | None) -> datetime | None:
    """The feed's zone decides when the date names no zone, or names it by letters which that zone uses at all."""
    if default_tz is None:
        return None
    if name and not _uses(default_tz, name, moment.year):
        return None
    readings = _readings(moment, default_tz)
    named = [aware for aware in readings if aware.tzname() == name]
    return (named or readings)[0].astimezone(UTC)


def _readings(moment: datetime, zone: str) -> list[datetime]:
    """What a clock of the zone may mean: in the hour that autumn repeats two instants, the earlier one first.

    In the hour that spring leaves out `fold` has another meaning: there it would read a time that never was too early.
    """
    first, second = (moment.replace(tzinfo=_zone(zone), fold=fold) for fold in (0, 1))
    return [first, second] if second.astimezone(UTC) > first.astimezone(UTC) else [first]


@lru_cache(maxsize=256)
def _uses(zone: str, name: str, year: int) -> bool:
    names = {datetime(year, month, 15, tzinfo=_zone(zone)).tzname() for month in (1, 7)}
    return name in names or _ZONES.get(name, ("", None))[0] == zone


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def _in_range(parsed: ParsedDate, now: datetime) -> ParsedDate:
    if parsed.at is None:
        return parsed
    if parsed.at.year < OLDEST_YEAR:
        return ParsedDate(None, "ancient")
    if parsed.at > now + FUTURE_ALLOWED:
        return ParsedDate(None, "future")
    return parsed
