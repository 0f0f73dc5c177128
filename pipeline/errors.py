"""Every error that Undertow raises on purpose, as one tree.

    UndertowError                 .advice: what to do, .retry: may trying again help, .exit_status: 2 where something
                                  has to be set right first, else 1
    ├── UsageError                exit 2: the command line or an input file is wrong
    │   └── InputFileError
    ├── ConfigurationError        exit 2: settings, feeds.toml, companies.toml, alerts.toml
    │   ├── SettingsError
    │   └── FileMistakes          all mistakes of one file at once
    ├── DatabaseError             exit 1
    │   ├── DatabaseUnavailable   retry
    │   ├── WrongCredentials      exit 2
    │   ├── SchemaTooOld          exit 2: run `undertow db migrate`
    │   ├── SchemaTooNew          exit 2: the code is older than the database
    │   └── ServerError           the embedded server, or a dump of it, does not work
    ├── FetchError                stored on the feed's row, never ends a run (ingest/answer.py has its classes)
    ├── ParseError                likewise (ingest/parse.py)
    ├── ModelUnavailable          exit 1: the files of a stored model are gone, or are another model's
    ├── DeliveryError             stored on the notification's row
    │   ├── TemporaryDeliveryError   retry
    │   └── PermanentDeliveryError
    └── PlatformError             exit 1: Airflow or a port
        └── PortTaken             exit 2

A message never holds a secret: addresses of webhooks, passwords and database URLs pass `redact` first.
"""

from __future__ import annotations

import re


class UndertowError(Exception):
    """Base of all deliberate errors.

    `message` says what happened, `advice` what to do about it; both are one line without secrets.
    """

    exit_status = 1
    retry = False

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}; {self.advice}" if self.advice else self.message


class UsageError(UndertowError):
    exit_status = 2


class InputFileError(UsageError):
    """A file given by the user cannot be read as what it should be."""


class ConfigurationError(UndertowError):
    exit_status = 2


class SettingsError(ConfigurationError):
    """All mistakes in the settings, one line each."""


class FileMistakes(ConfigurationError):
    """All mistakes of one configuration file; `mistakes` holds one line each."""

    def __init__(self, path: str, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        lines = "".join(f"\n  - {mistake}" for mistake in mistakes)
        super().__init__(f"{path} has {len(mistakes)} mistake{'s' * (len(mistakes) != 1)}:{lines}")


class DatabaseError(UndertowError):
    pass


class DatabaseUnavailable(DatabaseError):
    retry = True


class WrongCredentials(DatabaseError):
    exit_status = 2


class SchemaTooOld(DatabaseError):
    exit_status = 2


class SchemaTooNew(DatabaseError):
    exit_status = 2


class ServerError(DatabaseError):
    pass


class FetchError(UndertowError):
    retry = True


class ParseError(UndertowError):
    pass


class ModelUnavailable(UndertowError):
    pass


class DeliveryError(UndertowError):
    pass


class TemporaryDeliveryError(DeliveryError):
    """The receiver may take the message later: it is tried again for a day, then given up."""

    retry = True


class PermanentDeliveryError(DeliveryError):
    """The receiver will never take this message: it is given up at once."""


class PlatformError(UndertowError):
    pass


class PortTaken(PlatformError):
    exit_status = 2


# Up to the last @: a password may hold one that nobody wrote as %40. In addresses of the web, whose queries hold an @ at
# times, what follows a ? or # is taken for part of it only where what stands before is no host: a name, a colon, no port.
_USERINFO = re.compile(
    r"(?P<scheme>\b(?!https?://)[a-z][a-z0-9+.-]*://)[^/\s]+@"
    r"|(?P<other>\bhttps?://)(?:[^/\s?#]+@|[^/\s?#:\[]*:(?!\d+[?#])[^/\s]+@)",
    re.IGNORECASE,
)
_WEBHOOK = re.compile(r"(https?://hooks\.[^/\s]+/)\S+", re.IGNORECASE)
_TOKEN = re.compile(
    r"\bxox[a-z]-[\w-]+|(?<=[?&]token=)[^&\s]+|(?<=[?&]key=)[^&\s]+|(?<=[?&]password=)[^&\s]+", re.IGNORECASE
)


def redact(text: str) -> str:
    """`text` with user info of URLs, webhook paths and tokens replaced by ***."""
    text = _USERINFO.sub(r"\g<scheme>\g<other>***@", text)
    text = _WEBHOOK.sub(r"\1***", text)
    return _TOKEN.sub("***", text)
