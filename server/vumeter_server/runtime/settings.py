"""The settings of the product, from the environment and the command line."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from vumeter_server.runtime.limits import DEFAULT_LIMITS, RANGES, Limits
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import (
    SqliteAddress,
    StoreAddress,
    parse_store_address,
)
from vumeter_server.times.steps import STEP_PROBLEM, parse_step, read_step

ADMIN_TOKEN_CHARACTERS = 32
METRICS_PORT = 9464
DEFAULT_DB = Path("data/vumeter.db")

RENAMED: Mapping[str, str] = {
    "VUMETER_SEAL_AT_POINTS": "VUMETER_FLUSH_AT_POINTS",
    "VUMETER_LAUNCH_ID": "VUMETER_EPOCH_ID",
    "VUMETER_WRITER": "VUMETER_WRITER_ADDRESS",
}
"""Old names of settings and what they are called now. The old ones work in this release only."""

_log = structlog.get_logger(__name__)

_COLLECTOR = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/?\Z")
_ORIGIN = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?\Z")


def _limit(name: str) -> Any:
    least, most = RANGES[name]
    return Field(default=getattr(DEFAULT_LIMITS, name), ge=least, le=most)


class Settings(BaseSettings):
    """Settings; each is read from `VUMETER_<NAME>`, and the command line goes before it."""

    model_config = SettingsConfigDict(env_prefix="VUMETER_", frozen=True)

    db: Path = DEFAULT_DB
    """The database file, unless `store` names another store."""
    store: str = ""
    """Where everything is stored: `sqlite:///PATH`, or `clickhouse://USER@HOST,…/DATABASE`. Empty,
    it is the file `db`. See `runtime.store_address`."""
    store_password: SecretStr | None = None
    """The password that ClickHouse is signed in to with."""
    store_password_file: Path | None = None
    """A file that holds it, in place of `store_password`."""
    host: str = "127.0.0.1"
    """Where REST and gRPC listen."""
    tls_cert: Path | None = None
    """The certificate of both ports, in PEM; without it nothing is encrypted."""
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """The authorities whose certificates clients must have; without it they need none."""
    insecure: bool = False
    """Whether to listen beyond loopback without TLS."""
    grpc_port: int = Field(default=50051, ge=0, le=65535)
    """0 lets the system choose, for either port."""
    rest_port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    """Server processes behind Envoy; the first one writes."""
    admin_token: SecretStr | None = Field(default=None, min_length=ADMIN_TOKEN_CHARACTERS)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Exact origins that browsers may call from, comma-separated; CORS is off without."""
    reflection: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    access_log: bool = True
    """Whether Envoy writes a line of JSON for each request to stdout, or to `access_log_file`."""
    access_log_file: Path | None = None
    envoy_concurrency: int = Field(default=1, ge=1, le=64)
    """Envoy's worker threads."""
    envoy_admin_port: int | None = Field(default=None, ge=0, le=65535)
    """A loopback port for Envoy's admin interface; without, a socket only this user can open."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | Literal["off"] = METRICS_PORT
    """Where the server's own metrics are, for Prometheus; 0 lets the system choose."""
    metrics_host: str = "127.0.0.1"
    metrics_by_tenant: bool = True
    """Whether own metrics have live metrics by tenant; otherwise those of all together."""
    traces_endpoint: str = ""
    """Where traces go: a collector that takes OTLP over gRPC, http:// or https://; off if empty."""
    retention_days: int = Field(default=400, ge=1)
    call_ttl: str = "4h"
    """How long nothing may be heard of a call before it is closed."""
    flush_at_points: int = Field(default=65_536, ge=1)
    """How many of an organization's newest custom metric points stay in the write-ahead log of
    batches; beyond that they are flushed into columns."""
    query_timeout_seconds: float = Field(default=10, gt=0)
    limit_requests_per_second: int = _limit("requests_per_second")
    """The limits of organizations that have none of their own; a rate of 0 is no limit."""
    limit_points_per_second: int = _limit("points_per_second")
    limit_metrics: int = _limit("metrics")
    limit_label_sets: int = _limit("label_sets")
    limit_label_values: int = _limit("label_values")
    writer_address: str = ""
    """host:port of the process that writes, for a process that only answers queries; set by
    `vumeter up`."""
    epoch_id: str = ""
    """The id of this start of the service, the same in all of its processes; the live totals since
    the start are counted under it. `vumeter up` creates one."""
    worker: int = Field(default=1, ge=1, le=64)
    """The number of this process among those of `vumeter up`, which sets it."""
    metrics_socket: str = ""
    """Where this process shows its metrics to `vumeter up`, which sets it."""
    internal_socket: str = ""
    """Where this process takes calls of `vumeter up`, which sets it; used with TLS only."""
    demo: bool = False

    @property
    def has_own_metrics(self) -> bool:
        """Whether the work of this process is counted for somebody who scrapes it."""
        return bool(self.metrics_socket) or self.metrics_port_or_any is not None

    @property
    def metrics_port_or_any(self) -> int | None:
        """The port of own metrics, None if they are off.

        A server whose gRPC port the system chooses gets any port here too, unless one was set.
        """
        if self.metrics_port == "off":
            return None
        is_set = "metrics_port" in self.model_fields_set
        return 0 if not is_set and self.grpc_port == 0 else self.metrics_port

    @property
    def default_limits(self) -> Limits:
        """The limits of organizations that have none of their own."""
        return Limits(**{name: getattr(self, f"limit_{name}") for name in RANGES})

    @model_validator(mode="before")
    @classmethod
    def _take_db_from_store(cls, values: dict[str, Any]) -> dict[str, Any]:
        with contextlib.suppress(ValueError):
            named = parse_store_address(str(values.get("store", "")))
            if isinstance(named, SqliteAddress):
                return {"db": named.path} | values
        return values

    @field_validator("store")
    @classmethod
    def _check_store(cls, text: str, info: ValidationInfo) -> str:
        db = info.data.get("db", DEFAULT_DB)
        if text and db not in (DEFAULT_DB, getattr(parse_store_address(text), "path", None)):
            raise ValueError("and VUMETER_DB name different stores: set one of them")
        return text

    @field_validator("store_password_file")
    @classmethod
    def _check_password_file(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and info.data.get("store_password") is not None:
            raise ValueError("and VUMETER_STORE_PASSWORD are both set: set one of them")
        return path

    @property
    def store_address(self) -> StoreAddress:
        """What `store` names, or the file `db`."""
        return parse_store_address(self.store) if self.store else SqliteAddress(path=self.db)

    @field_validator("tls_cert", "tls_key", "tls_client_ca", mode="before")
    @classmethod
    def _take_empty_as_none(cls, value: Any) -> Any:
        return value or None

    @field_validator("traces_endpoint")
    @classmethod
    def _check_traces_endpoint(cls, url: str) -> str:
        if url and not _COLLECTOR.match(url):
            raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
        return url

    @field_validator("call_ttl")
    @classmethod
    def _check_call_ttl(cls, text: str) -> str:
        if read_step(text) is None:
            raise ValueError(STEP_PROBLEM)
        return text

    @property
    def call_ttl_us(self) -> int:
        """`call_ttl` in microseconds."""
        return parse_step(self.call_ttl, default=self.call_ttl)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.match(origin):
                raise ValueError(f"{origin} is not an exact origin such as https://app.example.com")
        return origins


def load_settings(**given: Any) -> Settings:
    """Read the settings; what is given and not None goes before the environment.

    Raises StartError with one line, which never holds a secret, if one of them is not valid.
    """
    named: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "db" in named:
        # The command line goes before the environment.
        named["store"] = ""
    try:
        return Settings(**(_from_old_names() | named))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0])
        if name == "admin_token":
            reason = f"must have at least {ADMIN_TOKEN_CHARACTERS} characters"
        else:
            reason = first["msg"].removeprefix("Value error, ")
        raise StartError(f"VUMETER_{name.upper()}: {reason}") from None


def read_store_password(settings: Settings) -> str:
    """Return the password of the store, "" if there is none.

    Raises StartError if its file cannot be read or holds none.
    """
    if settings.store_password is not None:
        return settings.store_password.get_secret_value()
    if settings.store_password_file is None:
        return ""
    try:
        # An editor ends a file with a line end.
        password = settings.store_password_file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise StartError(f"VUMETER_STORE_PASSWORD_FILE cannot be read: {reason}") from None
    if not password:
        raise StartError("VUMETER_STORE_PASSWORD_FILE is empty")
    return password


def _from_old_names() -> dict[str, str]:
    """Return the settings that the environment has under an old name only."""
    return {
        new.removeprefix("VUMETER_").lower(): os.environ[old]
        for old, new in RENAMED.items()
        if old in os.environ and new not in os.environ
    }


def warn_of_old_names() -> None:
    """Log a warning for each old name in the environment; once for all processes of a start."""
    for old, new in RENAMED.items():
        if old in os.environ:
            _log.warning("setting_renamed", old_name=old, new_name=new)


def require_admin_token(settings: Settings) -> str:
    """Return the admin token.

    Raises StartError if there is none: without it nobody could be let in to the live metrics, and a
    default would let in everybody.
    """
    if settings.admin_token is None:
        raise StartError(
            f"VUMETER_ADMIN_TOKEN is not set: give it at least {ADMIN_TOKEN_CHARACTERS} characters"
        )
    return settings.admin_token.get_secret_value()
