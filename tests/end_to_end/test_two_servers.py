"""A second server on a file: it does not start, by whatever name, and the first goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands.command import try_vumeter
from tests.end_to_end.callers import Caller
from tests.end_to_end.recorders import TEN_YEARS
from tests.stack import ADMIN_TOKEN, Stack

PATH = "/v1/custom-metrics"
POINT = {"points": [{"name": "turns"}]}


@pytest.mark.parametrize("link", [False, True], ids=["by its name", "by a link"])
@pytest.mark.parametrize("command", ["serve", "up"])
def test_a_second_server_does_not_start_and_the_first_goes_on(
    stack: Stack, owner: Caller, tmp_path: Path, command: str, link: bool
) -> None:
    path = stack.db_path
    if link:
        path = tmp_path / "link.db"
        path.symlink_to(stack.db_path)
    assert owner.post(PATH, POINT).status == 200
    ports = ["--grpc-port", "0", *(["--rest-port", "0"] if command == "up" else [])]
    second = try_vumeter(command, *ports, db=path, VUMETER_ADMIN_TOKEN=ADMIN_TOKEN)
    assert second.returncode == 2
    assert second.stdout == ""
    assert "Traceback" not in second.stderr
    assert second.stderr.splitlines()[-1].endswith(f"{path} is already served by another process")
    assert owner.post(PATH, POINT).status == 200
    assert owner.get(PATH + "/aggregate", **TEN_YEARS).body == {"data": {"turns": 2}}
