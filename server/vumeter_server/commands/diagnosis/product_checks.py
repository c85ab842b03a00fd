"""What the product brings along and how it is set up: SQLite, settings, descriptor set, Envoy."""

from __future__ import annotations

import importlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vumeter_server.commands.diagnosis.finding import Finding, problem, warning
from vumeter_server.runtime.addresses import Address
from vumeter_server.runtime.settings import RENAMED, Settings, load_settings, require_admin_token
from vumeter_server.runtime.start_error import StartError
from vumeter_server.sqlite.library import SQLITE_VERSION, has_wal_reset_fault

ENVOY_TIMEOUT_SECONDS: Final = 30.0
REINSTALL: Final = "install vumeter again"


def check_product(db: Path | None) -> Iterator[Finding]:
    """Yield what is found of the product itself; `db` is None if it is no file that is used."""
    if db is not None:
        yield _sqlite(SQLITE_VERSION)
    yield _settings(db)
    yield _descriptor_set()
    yield _envoy()


def _sqlite(version: str) -> Finding:
    check = "SQLite"
    if has_wal_reset_fault(version):
        return problem(
            check,
            f"{version} can lose a commit when another process checkpoints at that moment",
            "install pysqlite3 0.6.1 or later, or SQLite 3.51.3 or later",
        )
    return Finding(check=check, found=version)


def settings_of(db: Path | None) -> Settings | None:
    """Return the settings of this environment, None if one of them is not valid."""
    try:
        return load_settings(db=db)
    except StartError:
        return None


def _settings(db: Path | None) -> Finding:
    check = "settings"
    try:
        settings = load_settings(db=db)
    except StartError as error:
        return problem(check, str(error), "set it as the README says, or take it away")
    if old := [name for name in RENAMED if name in os.environ]:
        return warning(check, f"{old[0]} is now called {RENAMED[old[0]]}", "use the new name")
    try:
        require_admin_token(settings)
    except StartError:
        return warning(
            check, "VUMETER_ADMIN_TOKEN is not set here", "a server needs it in its environment"
        )
    return Finding(check=check, found="valid")


def _descriptor_set() -> Finding:
    from google.protobuf.descriptor_pb2 import (  # noqa: PLC0415 - help waits for no protobuf
        FileDescriptorProto,
        FileDescriptorSet,
    )

    from vumeter_server.edge.config import edge_files  # noqa: PLC0415

    check = "descriptor set"
    try:
        path = edge_files().descriptor_set
        found = FileDescriptorSet.FromString(path.read_bytes())
    except Exception as error:  # a file that is damaged fails in ways of its own
        return problem(check, f"cannot be read: {type(error).__name__}", REINSTALL)
    methods = 0
    for file in found.file:
        if not file.package.startswith("vumeter."):
            continue
        module = importlib.import_module(
            file.name.removesuffix(".proto").replace("/", ".") + "_pb2"
        )
        known = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(known)
        if _shape(file) != _shape(known):
            return problem(
                check, f"{path}: {file.name} is not the one that the server has", REINSTALL
            )
        methods += sum(len(service.method) for service in file.service)
    return Finding(check=check, found=f"{path}, {methods} methods")


def _shape(file: object) -> object:
    """Return services and messages of a file, without what only one of two compilers writes."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto  # noqa: PLC0415

    assert isinstance(file, FileDescriptorProto)
    return (
        [
            (service.name, [(m.name, m.input_type, m.output_type) for m in service.method])
            for service in file.service
        ],
        [
            (message.name, [(field.name, field.number, field.type) for field in message.field])
            for message in file.message_type
        ],
    )


def _envoy() -> Finding:
    check = "Envoy"
    try:
        from vumeter_server.edge.config import EdgeConfig, edge_files, render  # noqa: PLC0415
        from vumeter_server.edge.program import envoy_program  # noqa: PLC0415

        program = envoy_program()
        config = render(
            edge_files(),
            EdgeConfig(
                listen=Address(host="127.0.0.1", port=0),
                upstreams=[Address(host="127.0.0.1", port=50051)],
            ),
        )
        with tempfile.TemporaryDirectory(prefix="vumeter-doctor-") as directory:
            file = Path(directory) / "envoy.json"
            file.write_text(config)
            version = _run([program, "--version"]).rpartition("version: ")[2].split("/")
            _run([program, "--mode", "validate", "--config-path", str(file)])
    except StartError:
        return warning(check, "not installed", "`vumeter serve` needs none: bring your own")
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
        return problem(check, f"refuses its configuration: {last}", REINSTALL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return problem(check, f"does not run: {type(error).__name__}", REINSTALL)
    return Finding(check=check, found=version[1] if len(version) > 1 else "runs")


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - the program that the package brings
        command, capture_output=True, text=True, check=True, timeout=ENVOY_TIMEOUT_SECONDS
    )
    return done.stdout
