"""The certificate files, if there are any: whether they belong together, and how long they last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vumeter_server.commands.diagnosis.finding import Finding, problem, warning
from vumeter_server.commands.printing import time_text
from vumeter_server.runtime.settings import Settings
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.tls import tls_files
from vumeter_server.times.units import DAY_US, SECOND_US

CHECK: Final = "TLS"
EXPIRES_SOON_US: Final = 14 * DAY_US


def check_tls(settings: Settings, now_us: int) -> Iterator[Finding]:
    """Yield what is found of the certificate files that the settings name."""
    try:
        files = tls_files(settings)
        if files is None:
            yield Finding(check=CHECK, found="not used")
            return
        files.read()
        expires_us = expiry_of(files.certificate)
    except StartError as error:
        yield problem(CHECK, str(error), "see the section on TLS of docs/operations.md")
        return
    yield _expiry(files.certificate, expires_us, now_us)


def _expiry(certificate: Path, expires_us: int, now_us: int) -> Finding:
    renew = "renew it and replace the files: a running server reads them again"
    until = time_text(expires_us)
    if expires_us <= now_us:
        return problem(CHECK, f"{certificate} has expired at {until}", renew)
    if expires_us - now_us < EXPIRES_SOON_US:
        return warning(CHECK, f"{certificate} expires at {until}", renew)
    return Finding(check=CHECK, found=f"{certificate}, until {until}")


def expiry_of(certificate: Path) -> int:
    """Return when the first certificate of a file of PEM expires, microseconds since the epoch."""
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - only with TLS

    expires = load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return int(expires.timestamp()) * SECOND_US
