"""The key that signs links: from the settings, or made once and kept in a file that only its owner reads."""

from __future__ import annotations

import contextlib
import os
import secrets

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings

SECRET_FILE = "desk_secret"


def signing_key(settings: Settings) -> str:
    """UNDERTOW_DESK_SECRET, or a key that is made once and kept under UNDERTOW_HOME for its owner alone.

    Raises ConfigurationError when the file can be neither read nor made.
    """
    if settings.desk_secret is not None:
        return settings.desk_secret.get_secret_value()
    path = settings.home / SECRET_FILE
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{SECRET_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
            # whoever links first wins; a file that exists is complete
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"the key for links at {path} cannot be used ({error.strerror})",
            "set UNDERTOW_DESK_SECRET, or make UNDERTOW_HOME writable",
        ) from error
