"""The command line: help everywhere, one line for what went wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest

from vumeter_server.cli import main, vumeter


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
        (["metres"], "vumeter: No such command 'metres'."),
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


def test_help_does_not_load_the_server() -> None:
    code = (
        "import sys; sys.argv = ['vumeter', '--help']\n"
        "from vumeter_server.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'grpc', 'vumeter_server.app'} & sys.modules.keys()), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.stderr == "[]\n"
