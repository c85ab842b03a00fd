"""The HTTP annotations are grpc-gateway's too: its own generator takes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tools.generate import include_paths, own_protos

# The generator takes one package at a time; Debian's is older than `optional`, which only protos
# without annotations use.
ANNOTATED = [file for file in own_protos() if file.endswith("_rest.proto")]


@pytest.mark.parametrize("file", ANNOTATED)
def test_grpc_gateway_generates_a_gateway_from_our_protos(file: str, tmp_path: Path) -> None:
    missing = [
        f"{program} (Debian: {package})"
        for program, package in (
            ("protoc", "protobuf-compiler"),
            ("protoc-gen-grpc-gateway", "golang-grpc-gateway"),
        )
        if shutil.which(program) is None
    ]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    result = subprocess.run(
        [
            "protoc",
            *(f"--proto_path={path}" for path in include_paths()),
            # Our protos name no Go package: vumeter has no Go code.
            f"--grpc-gateway_out=M{file}=example.com/{Path(file).parent}:{tmp_path}",
            file,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    generated = [path.name.partition(".")[0] for path in tmp_path.rglob("*.pb.gw.go")]
    assert generated == [Path(file).stem]
