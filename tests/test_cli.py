"""The command line: help everywhere, one line for what went wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest

from vumeter_server.cli import COMMANDS, main, vumeter


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["vumeter", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("path", list(commands(vumeter)), ids=" ".join)
def test_every_command_explains_itself_and_its_options(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*path, "--help", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.startswith("Usage: ")
    command: click.Command = vumeter
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands.get(name) or command.get_command(click.Context(command), name)  # type: ignore[assignment]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.name


def test_the_version_is_that_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--version", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == f"vumeter, version {version('vumeter')}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["elephants"], "vumeter: No such command 'elephants'."),
        (["metres"], "vumeter: No such command 'metres'. Did you mean 'metrics'?"),
        (["key", "list"], "vumeter: No such command 'key'. Did you mean 'keys'?"),
        (["keys", "lst"], "vumeter keys: No such command 'lst'. Did you mean 'list'?"),
        (["up", "--rest-prt", "1"], "vumeter up: No such option '--rest-prt'."),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_status_2(
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*arguments, monkeypatch=monkeypatch) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(line.rstrip("."))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_the_one_of_its_help(name: str) -> None:
    command = vumeter.get_command(click.Context(vumeter), name)
    assert command is not None
    assert command.get_short_help_str(limit=1_000) == COMMANDS[name].summary


@pytest.mark.parametrize("path", list(commands(vumeter)), ids=" ".join)
def test_no_summary_is_cut(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*path, "--help", monkeypatch=monkeypatch) == 0
    _, _, listed = capsys.readouterr().out.partition("\nCommands:\n")
    assert "..." not in listed


def test_help_does_not_load_the_server() -> None:
    code = (
        "import sys; sys.argv = ['vumeter', '--help']\n"
        "from vumeter_server.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'numpy', 'pydantic', 'sqlite_utils', 'vumeter_server.app'}\n"
        "commands = [m for m in sys.modules if m.startswith('vumeter_server.commands.')]\n"
        "print(sorted(heavy & sys.modules.keys()), commands, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.stderr == "[] ['vumeter_server.commands.group']\n"
