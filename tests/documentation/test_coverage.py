"""Nothing that a caller or an operator can use is missing from the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from tests.documentation.walkthrough import steps_of

from vumeter_server import errors
from vumeter_server.cli import vumeter
from vumeter_server.runtime.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
DOCS = "\n".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))
SETTINGS = Settings.model_fields


def described() -> FileDescriptorSet:
    return FileDescriptorSet.FromString((ROOT / "generated" / "api.binpb").read_bytes())


def messages() -> dict[str, DescriptorProto]:
    return {
        f".{file.package}.{message.name}": message
        for file in described().file
        for message in file.message_type
    }


def methods() -> Iterator[tuple[str, MethodDescriptorProto]]:
    for file in described().file:
        if file.package.startswith("vumeter."):
            for service in file.service:
                for method in service.method:
                    yield f"{service.name}.{method.name}", method


def documented_paths() -> dict[str, tuple[str, str, MethodDescriptorProto]]:
    """Return verb, path with parameters in their documented spelling, and method, by its name."""
    found = {}
    for name, method in methods():
        rule = method.options.Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        if verb is None:
            continue
        path = getattr(rule, verb)
        for field in messages()[method.input_type].field:
            path = path.replace(f"{{{field.name}}}", f"{{{field.json_name}}}")
        found[name] = (verb.upper(), path, method)
    return found


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join(("vumeter", *path, name)), command


PATHS = documented_paths()
COMMANDS = dict(commands(vumeter))


@pytest.mark.parametrize("name", PATHS)
def test_every_path_is_described_in_the_docs(name: str) -> None:
    verb, path, method = PATHS[name]
    # With a trailing slash it is the same path.
    assert re.search(rf"{verb} {re.escape(path)}/?[`?\s]", DOCS)
    for field in messages()[method.input_type].field:
        if field.name != "body":
            assert re.search(rf"\b{field.json_name}\b", DOCS), field.json_name


@pytest.mark.parametrize("name", PATHS)
def test_every_path_is_asked_in_the_readme(name: str) -> None:
    _, path, _ = PATHS[name]
    variables: dict[str, str] = {}
    asked = "\n".join(step.code for step in steps_of(README))
    for variable, value in re.findall(r"^(?:export )?(\w+)=(http\S+)$", asked, re.MULTILINE):
        variables[variable] = value
    for variable, value in variables.items():
        asked = asked.replace(f"${variable}", value)
    pattern = re.sub(r"\\{\w+\\}", r"[^/\\s\"'?]+", re.escape(path))
    assert re.search(rf"://[^/\s]+{pattern}/?[\"'?\s]", asked), path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described(name: str) -> None:
    assert re.search(rf"\b{name}\b", DOCS)
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            option = max(parameter.opts, key=len)
            assert f"`{option}" in DOCS or f" {option}" in DOCS, option


@pytest.mark.parametrize("name", [name for name, _ in methods()])
def test_every_rpc_for_grpc_callers_is_named_in_the_docs(name: str) -> None:
    service, _, method = name.partition(".")
    if not service.endswith("RestService"):
        assert f"`{method}`" in DOCS


@pytest.mark.parametrize(
    "name", [name for name in dir(errors) if isinstance(getattr(errors, name), type)]
)
def test_every_text_of_an_error_is_in_the_docs(name: str) -> None:
    error = getattr(errors, name)
    if issubclass(error, errors.VumeterError):
        assert f"`{error.default_message}`" in DOCS


def table_of_settings() -> dict[str, tuple[str, str]]:
    """Return option and default by variable, as the README has them."""
    rows = re.findall(r"^\| `VUMETER_(\w+)` \|([^|]*)\|([^|]*)\|", README, re.MULTILINE)
    return {name: (option.strip(), default.strip()) for name, option, default in rows}


def test_the_table_of_settings_is_complete_and_in_order() -> None:
    assert sorted(table_of_settings()) == sorted(name.upper() for name in SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_default_that_is_documented(name: str) -> None:
    default = SETTINGS[name].default
    printed = str(default).lower() if isinstance(default, bool) else str(default)
    nothing = default is None or default in ("", ())
    assert table_of_settings()[name.upper()][1] == ("" if nothing else f"`{printed}`")


def test_a_setting_has_the_option_that_is_documented() -> None:
    options = {
        option
        for name in ("vumeter up", "vumeter serve")
        for parameter in COMMANDS[name].params
        if not getattr(parameter, "hidden", False)
        for option in parameter.opts
    }
    assert {option.strip("`") for option, _ in table_of_settings().values() if option} == options


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
