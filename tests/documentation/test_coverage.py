"""Nothing that a caller or an operator can use is missing from the documentation.

Each thing has a place: a path on the page of its family, a command in a section that names it, an
error in its row of the table. A word somewhere in the docs is not enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from tests.documentation.pages import DOCS, PAGES, README, ROOT, sections
from tests.documentation.walkthrough import steps_of

from vumeter_server import errors
from vumeter_server.api.error_table import status_code
from vumeter_server.cli import vumeter
from vumeter_server.runtime.settings import Settings

SETTINGS = Settings.model_fields
FAMILY_PAGES = {
    "vumeter.access.v1": "docs/credentials.md",
    "vumeter.custom_metrics.v1": "docs/custom-metrics.md",
    "vumeter.dashboard.v1": "docs/dashboard.md",
    "vumeter.live_metrics.v1": "docs/live-metrics.md",
    "vumeter.openapi.v1": "docs/openapi.md",
    "vumeter.otlp.v1": "docs/opentelemetry.md",
    "vumeter.simulation.v1": "docs/simulation.md",
}
# Other pages name commands too, but do not describe them.
COMMAND_PAGES = (
    "docs/credentials.md",
    "docs/operations.md",
    "docs/opentelemetry.md",
    "docs/scale.md",
    "docs/simulation.md",
)


def described() -> FileDescriptorSet:
    return FileDescriptorSet.FromString((ROOT / "generated" / "api.binpb").read_bytes())


def messages() -> dict[str, DescriptorProto]:
    return {
        f".{file.package}.{message.name}": message
        for file in described().file
        for message in file.message_type
    }


def methods() -> Iterator[tuple[str, str, MethodDescriptorProto]]:
    """Return package, service and name, and the method."""
    for file in described().file:
        if file.package.startswith("vumeter."):
            for service in file.service:
                for method in service.method:
                    yield file.package, f"{service.name}.{method.name}", method


MESSAGES = messages()


def documented_paths() -> dict[str, tuple[str, str, str, list[str]]]:
    """Return page, verb, path in its documented spelling and URL parameters, by a method's name."""
    found = {}
    for package, name, method in methods():
        rule = method.options.Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        if verb is None:
            continue
        path = getattr(rule, verb)
        parameters = []
        for field in MESSAGES[method.input_type].field:
            if f"{{{field.name}}}" in path:
                path = path.replace(f"{{{field.name}}}", f"{{{field.json_name}}}")
            elif field.name != rule.body and rule.body != "*":
                parameters.append(field.json_name)
        found[name] = (FAMILY_PAGES[package], verb.upper(), path, parameters)
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
TYPED_METHODS = [
    (package, name.partition(".")[2])
    for package, name, _ in methods()
    if not name.partition(".")[0].endswith("RestService")
]
ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type)
    and issubclass(error, errors.VumeterError)
    and error is not errors.RetryableError
]


def options_of(command: click.Command) -> list[str]:
    return [
        max(parameter.opts, key=len)
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
    ]


def is_named(word: str, text: str) -> bool:
    """Whether a text names a parameter or an option: in a code span or in a command."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def test_there_is_something_to_look_for() -> None:
    assert len(PATHS) >= 15
    assert len(COMMANDS) >= 15
    assert len(TYPED_METHODS) >= 20
    assert len(ERRORS) >= 8
    assert sum(len(parameters) for *_, parameters in PATHS.values()) >= 30


@pytest.mark.parametrize("name", PATHS)
def test_every_path_and_its_parameters_are_described_on_the_page_of_its_family(name: str) -> None:
    page, verb, path, parameters = PATHS[name]
    # With a trailing slash it is the same path.
    pattern = re.compile(rf"{re.escape(path)}/?[`?\s\"]")
    found = [each for each in sections(PAGES[page]) if pattern.search(each.text)]
    assert any(re.search(rf"{verb} {pattern.pattern}", each.text) for each in found)
    # The table at the top of a page names paths only.
    described = "\n".join(each.text for each in found[1:]) or found[0].text
    for parameter in parameters:
        assert re.search(rf"[`?&{{]{parameter}[`=}}]", described), parameter


# Nobody sends these by hand: LiveKit's workers do.
SENT_BY_WORKERS = {f"OtlpRestService.Discard{each}" for each in ("Traces", "Logs", "Recordings")}


FOR_BROWSERS = {"AccessRestService.SignIn"} | {
    f"{service}.{method}"
    for service in ("DashboardRestService", "OpenApiRestService")
    for method in ("GetPage", "GetAsset")
}


@pytest.mark.parametrize("name", sorted(PATHS.keys() - SENT_BY_WORKERS - FOR_BROWSERS))
def test_every_path_is_asked_in_the_readme(name: str) -> None:
    _, _, path, _ = PATHS[name]
    asked = "\n".join(step.code for step in steps_of(README))
    variables = re.findall(r"(?:^export |^| )(\w+)=(\S+)", asked, re.MULTILINE)
    # It is set by `vumeter env`.
    variables.append(("VUMETER_URL", "http://127.0.0.1:8080"))
    # One variable is made of another.
    for _ in range(2):
        for variable, value in variables:
            asked = asked.replace(f"${variable}/", f"{value}/").replace(
                f'${variable}"', f'{value}"'
            )
    pattern = re.sub(r"\\{\w+\\}", r"[^/\\s\"'?]+", re.escape(path))
    assert re.search(rf"://[^/\s]+{pattern}/?[\"'?\s]", asked), path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_its_options_are_described_in_one_place(name: str) -> None:
    places = [
        section.with_parents
        for page in COMMAND_PAGES
        for section in sections(PAGES[page])
        if is_named(name, section.text)
    ]
    missing = [
        [option for option in options_of(COMMANDS[name]) if not is_named(option, place)]
        for place in places
    ]
    assert [] in missing, missing


@pytest.mark.parametrize(("package", "method"), TYPED_METHODS)
def test_every_rpc_for_grpc_callers_is_named_on_the_page_of_its_family(
    package: str, method: str
) -> None:
    assert f"`{method}`" in PAGES[FAMILY_PAGES[package]]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_a_row_with_its_code_and_its_text(error: type[errors.VumeterError]) -> None:
    code = status_code(error())
    rows = [
        row
        for row in (DOCS / "errors.md").read_text().splitlines()
        if row.startswith(f"| {code.name} {code.value[0]} |")
    ]
    assert any(f"`{error.default_message}`" in row.split("|")[4] for row in rows), rows


def table_of_settings() -> dict[str, tuple[str, str]]:
    """Return option and default by variable, as the README has them."""
    rows = re.findall(r"^\| `VUMETER_(\w+)` \|([^|]*)\|([^|]*)\|", README, re.MULTILINE)
    return {name: (option.strip(), default.strip()) for name, option, default in rows}


def test_the_table_of_settings_is_complete_and_in_order() -> None:
    assert list(table_of_settings()) == [name.upper() for name in SETTINGS]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_default_that_is_documented(name: str) -> None:
    default = SETTINGS[name].default
    printed = str(default).lower() if isinstance(default, bool) else str(default)
    nothing = default is None or default in ("", ())
    assert table_of_settings()[name.upper()][1] == ("" if nothing else f"`{printed}`")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_option_that_is_documented(name: str) -> None:
    options = {
        option
        for command in ("vumeter up", "vumeter serve")
        for option in options_of(COMMANDS[command])
    }
    option = f"--{name.replace('_', '-')}"
    documented = table_of_settings()[name.upper()][0]
    assert documented == (f"`{option}`" if option in options else "")


def test_every_option_of_a_server_is_a_setting() -> None:
    options = {*options_of(COMMANDS["vumeter up"]), *options_of(COMMANDS["vumeter serve"])}
    assert options <= {f"--{name.replace('_', '-')}" for name in SETTINGS}


def test_what_is_installed_for_tests_is_in_the_table_of_what_they_need() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    lists = re.findall(r"packages\+?=\(([^)]*)\)|apt-get download -qq (\S+)", script)
    packages = {name for each in lists for names in each for name in names.split()}
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    needs = guide.partition("## What tests need")[2].partition("\n## ")[0]
    assert packages, "none are found"
    assert {name for name in packages if f"`{name}`" not in needs} == set()
    assert {path for path in re.findall(r"tests/[\w/.]+", needs) if not (ROOT / path).exists()} == (
        set()
    )
