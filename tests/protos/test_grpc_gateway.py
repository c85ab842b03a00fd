"""grpc-gateway reads the HTTP annotations too: the README's command, word for word."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tools.generate import own_protos

ROOT = Path(__file__).resolve().parent.parent.parent
WELL_KNOWN = Path("google/protobuf/struct.proto")

# Debian's generator is older than `optional`, which only protos without annotations use.
ANNOTATED = [file for file in own_protos() if file.endswith("_rest.proto")]


def readme_commands() -> str:
    """Return what the README's block about grpc-gateway types, without the prompts."""
    blocks = re.findall(r"^```console\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    (block,) = [block for block in blocks if "--grpc-gateway_out" in block]
    return re.sub(r"^\$ ", "", block, flags=re.MULTILINE)


def missing_packages() -> list[str]:
    protoc = shutil.which("protoc")
    includes = Path(protoc).parent.parent / "include" if protoc else Path("/nowhere")
    return [
        f"{what} (Debian: {package})"
        for what, package, is_there in (
            ("protoc", "protobuf-compiler", protoc),
            (f"{WELL_KNOWN}", "libprotobuf-dev", (includes / WELL_KNOWN).exists()),
            (
                "protoc-gen-grpc-gateway",
                "golang-grpc-gateway",
                shutil.which("protoc-gen-grpc-gateway"),
            ),
        )
        if not is_there
    ]


@pytest.mark.parametrize("file", ANNOTATED)
def test_the_command_of_the_readme_generates_a_gateway(file: str, tmp_path: Path) -> None:
    if missing := missing_packages():
        pytest.skip(f"not installed: {', '.join(missing)}")
    commands = readme_commands()
    printed = "custom_metrics/v1/custom_metrics_rest.proto"
    assert commands.count(printed) == 1
    # Run where a reader runs it, but for where it writes.
    (tmp_path / "protos").symlink_to(ROOT / "protos")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    done = subprocess.run(
        ["bash", "-euc", commands.replace(printed, file.removeprefix("vumeter/"))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    generated = [path.name.partition(".")[0] for path in tmp_path.rglob("build/**/*.pb.gw.go")]
    assert generated == [Path(file).stem]
