"""What the server can be told, from the environment and the command line."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one server process; each is read from `VUMETER_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="VUMETER_", frozen=True)

    db: Path = Path("data/vumeter.db")
    host: str = "127.0.0.1"
    grpc_port: int = Field(default=50051, ge=0, le=65535)
    rest_port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    admin_token: SecretStr | None = Field(default=None, min_length=32)
    cors_origins: str = ""
    reflection: bool = True
    log_level: str = "info"
    retention_days: int = Field(default=400, ge=1)
    call_ttl: str = "4h"
    query_timeout_seconds: float = Field(default=10, gt=0)
    launch_id: str = ""
    demo: bool = False
