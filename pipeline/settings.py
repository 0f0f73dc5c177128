"""Every setting, from the environment (UNDERTOW_*) and `.env`; all mistakes are reported at once.

A home (UNDERTOW_HOME) that has a `.env` of its own is read instead of the one here: the demo keeps its world apart.

`.env.example` lists the same names with the same words: `undertow doctor --env-example` prints it, a test compares.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline import values
from pipeline.errors import ConfigurationError, SettingsError

PREFIX = "UNDERTOW_"
# What reads a setting, or tries to, by its name; each raises ConfigurationError.
_CHECKS: dict[str, Callable[[Any], object]] = {
    "fetch_allow_private": values.read_allowed,
    "label_queue_mix": values.parse_mix,
    "model_device": values.check_device,
    "desk_url": values.check_web_address,
    "slack_api_url": values.check_web_address,
    "apprise_urls": values.check_apprise_urls,
}


class Settings(BaseSettings):
    """Names are UNDERTOW_<NOUN>_<WHAT>[_<UNIT>] in the environment; secrets are never printed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", env_ignore_empty=True
    )

    # Where things are
    home: Path = Field(
        Path(".undertow"),
        description="Directory of all local state: embedded Postgres, Airflow, models, logs.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="postgresql://user:password@host/name; without it an embedded server runs under UNDERTOW_HOME.",
    )
    feeds_file: Path = Field(Path("feeds.toml"), description="List of feeds.")
    companies_file: Path = Field(Path("companies.toml"), description="Watch list of companies.")
    alerts_file: Path = Field(Path("alerts.toml"), description="Rules, receivers and routes of alerts.")

    # Ingest
    ingest_interval_s: int = Field(300, ge=10, description="Time between two ingest runs, seconds.")
    ingest_shards: int = Field(
        4, ge=1, le=64, description="Tasks that the due hosts are spread over in one run."
    )
    fetch_user_agent: str = Field(
        "Undertow/0.1 (+https://example.org/undertow; feed fetcher)",
        description="User-Agent of the fetcher; name a page about you.",
    )
    fetch_timeout_s: float = Field(30.0, gt=0, le=300, description="Whole time for one request, seconds.")
    fetch_connections: int = Field(64, ge=1, le=512, description="Requests under way at once in one task.")
    fetch_allow_private: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="host:port pairs on private networks that feeds may use, comma separated; others are refused.",
    )
    fetch_retry_after_scope: Literal["host", "feed"] = Field(
        "host", description="What a 429 holds back: as long as Retry-After says, else for 5 minutes."
    )
    parse_processes: int = Field(2, ge=1, le=64, description="Processes that parse feeds.")
    full_text: bool = Field(
        False, description="Fetch article pages of feeds marked full_text (needs the extra fulltext)."
    )

    # Model and scoring
    model_base: str = Field(
        "minilm-l6", description="Base encoder: minilm-l6 (pip package), a Hugging Face name or a local path."
    )
    model_device: str = Field("auto", description="auto, cpu, cuda, cuda:N or mps.")
    model_dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Arithmetic of the forward pass."
    )
    model_compile: bool = Field(
        False, description="torch.compile the forward pass (pays on GPUs and big backlogs)."
    )
    score_batch_stories: int = Field(
        512, ge=1, le=100_000, description="Stories that a worker claims at once."
    )
    score_run_stories: int = Field(20_000, ge=1, description="Stories that one scheduled run scores at most.")
    gpu_queue: str = Field(
        "default", description="Celery queue of scoring and training tasks; gpu in docker-compose.yml."
    )
    gpu_slots: int = Field(
        1,
        ge=1,
        le=64,
        description="Scoring tasks at once (Airflow pool gpu); a training runs beside them in a pool of its own.",
    )

    # Alerts
    desk_url: str = Field(
        "http://127.0.0.1:8070",
        description="Address of the desk as receivers reach it; links in messages. With https:// its cookies go over TLS only;"
        " any but http:// on loopback needs a login.",
    )
    smtp_host: str | None = Field(
        None, description="Mail server; without it email receivers use Airflow's smtp_default."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_user: str | None = Field(None, description="Login there.")
    smtp_password: SecretStr | None = Field(None, description="Password there.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="Encryption of the connection."
    )
    smtp_from: str = Field("undertow@localhost", description="Sender of mails.")
    slack_webhook_url: SecretStr | None = Field(None, description="Incoming webhook (no threads, no edits).")
    slack_bot_token: SecretStr | None = Field(
        None, description="Bot token xoxb-... (threads and edits); wins over the webhook."
    )
    slack_api_url: str = Field("https://slack.com/api/", description="Base address of Slack's API.")
    apprise_urls: SecretStr | None = Field(
        None, description="name=url pairs, comma separated, for Apprise receivers."
    )
    operator_receiver: str | None = Field(
        None, description="Receiver in alerts.toml that is told of feed health and model news."
    )

    # Desk
    desk_host: str = Field(
        "127.0.0.1",
        description="Address the desk listens on; anything but loopback without a proxy needs a login.",
    )
    desk_port: int = Field(8070, ge=1, le=65535, description="Its port.")
    desk_secret: SecretStr | None = Field(
        None, description="Key that signs links and sessions; made under UNDERTOW_HOME if missing."
    )
    desk_tls_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of proxies whose X-Forwarded-For and -Proto are believed, comma separated.",
    )
    desk_trusted_proxy: str | None = Field(
        None, description="Address of a proxy whose X-Forwarded-User and -Groups are believed."
    )

    # Airflow
    airflow_port: int = Field(8080, ge=1, le=65535, description="Port of Airflow's web server on loopback.")
    airflow_schedules: bool = Field(
        True, description="False: DAGs run only by hand or by each other's assets; the demo runs like that."
    )
    airflow_retry_delay_s: float = Field(
        30.0, ge=0, description="First delay before a task is tried again, seconds."
    )

    # Learning
    label_queue_mix: str = Field(
        "uncertain=40,alert=20,disputed=10,drift=10,suspect=10,random=10",
        description="Shares of the labelling queue by reason; random gives the unbiased estimate of accuracy.",
    )
    label_queue_articles: int = Field(
        100,
        ge=1,
        description="Articles that the labelling queue is filled up to; skipped ones, and disputed and suspect ones by their"
        " shares, wait besides.",
    )
    label_queue_days: int = Field(
        14,
        ge=1,
        description="How far back the queue looks for articles, and how long others are asked what one skipped, days.",
    )
    retrain_min_labels: int = Field(
        200, ge=1, description="New labels that make a scheduled retraining worth it."
    )
    retrain_approval: bool = Field(False, description="Ask a person in Airflow before a promotion.")
    retrain_start_from: Literal["champion", "base"] = Field(
        "champion", description="What a retraining starts from."
    )
    rescore_days: int = Field(90, ge=0, description="History re-scored after a promotion, days.")
    retrain_overlap_days: int = Field(
        7,
        ge=0,
        description="Time after a promotion in which the old version goes on scoring beside the new one, days.",
    )
    tracking: Literal["none", "tensorboard", "wandb", "mlflow"] = Field(
        "tensorboard",
        description="Where a retraining's curves go; tensorboard: files in retrain/RUN/curves of the home.",
    )

    @field_validator("fetch_allow_private", "desk_tls_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("desk_tls_proxies", mode="after")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            try:
                ipaddress.ip_network(part)
            except ValueError:  # a name would match no connection, and nobody would hear of it
                raise ValueError("write addresses or networks, as 172.18.0.1 or 10.1.0.0/16") from None
        return value

    @field_validator(*_CHECKS)
    @classmethod
    def _readable(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what those who use it cannot read: they would say so hours later, in a task."""
        try:
            if value is not None and info.field_name:
                _CHECKS[info.field_name](value.get_secret_value() if isinstance(value, SecretStr) else value)
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("home", "feeds_file", "companies_file", "alerts_file", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()


def load_settings(**overrides: Any) -> Settings:
    """The settings in force.

    Raises SettingsError with every mistake, one a line, unknown UNDERTOW_ names included.
    """
    env_file = _env_file(os.environ)
    mistakes = unknown_names({**_names_in(env_file), **os.environ})
    try:
        settings = Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        mistakes += [_say(detail) for detail in error.errors(include_input=False, include_url=False)]
    if mistakes:
        lines = "".join(f"\n  - {mistake}" for mistake in mistakes)
        raise SettingsError(f"{len(mistakes)} mistake{'s' * (len(mistakes) != 1)} in the settings:{lines}")
    return settings


def _env_file(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get(PREFIX + "HOME") or ".undertow").expanduser()
    return home / ".env" if (home / ".env").is_file() else Path(".env")


def _names_in(env_file: Path) -> dict[str, str]:
    """The names that the file sets, as the environment would have them; pydantic drops unknown ones without a word."""
    return {name.upper(): "" for name in dotenv_values(env_file, interpolate=False)}


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each UNDERTOW_ variable that is no setting, with the nearest name."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return [f"{name} is no setting{_nearest(name, known)}" for name in unknown]


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else "; .env.example lists them all"


def _say(detail: Any) -> str:
    # input is left out on purpose: it may be a secret
    name = PREFIX + "_".join(str(part) for part in detail["loc"]).upper()
    said = str(detail["msg"]).removeprefix("Value error, ")
    return said if said.startswith(name) else f"{name}: {said}"


def env_example() -> str:
    """The text of .env.example: every setting with its description and default."""
    lines = ["# Every setting of Undertow with its default. Copy to .env and change what you need.", ""]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = (
            ""
            if default is None or default == ()
            else str(default).lower()
            if isinstance(default, bool)
            else str(default)
        )
        lines += [f"# {field.description}", f"# {PREFIX}{name.upper()}={shown}", ""]
    return "\n".join(lines[:-1]) + "\n"
