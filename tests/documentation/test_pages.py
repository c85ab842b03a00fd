"""The pages hold together: links resolve, names exist, and the words are the trade's."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from tests.documentation.pages import DOCS, PAGES, ROOT, anchors, prose, spans, without_blocks
from tests.documentation.words import WORDS, unwanted

from vumeter_server.cli import vumeter
from vumeter_server.runtime import settings
from vumeter_server.sqlite import open_database

SERVER = ROOT / "server" / "vumeter_server"
FAMILIES = ("custom_metrics", "live_metrics", "simulation")
# Read by those who ask a server: commands, and the client for agents.
CLIENT_VARIABLES = {
    *("VUMETER_API_KEY", "VUMETER_SECRET_KEY"),
    *("VUMETER_URL", "VUMETER_GRPC", "VUMETER_KEY", "VUMETER_AGENT_ID", "VUMETER_ENVIRONMENT_ID"),
    *("VUMETER_CA_FILE", "VUMETER_CLIENT_CERT", "VUMETER_CLIENT_KEY"),
}
# A changelog may name what is gone.
CURRENT = [page for page in PAGES if page != "CHANGELOG.md"]

# Code spans and blocks are not looked at: a name stays as it is spelled.
EXCEPTIONS = {
    # The glossary sets the words of others beside ours.
    ("docs/glossary.md", "dictionary"),
}


def commands_in(text: str) -> list[tuple[str, str]]:
    """Return what follows `vumeter` wherever a page names a command: two words."""
    code = "\n".join([*spans(text), *re.findall(r"^ {4}vumeter .*$", text, re.MULTILINE)])
    code += "\n".join(re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL))
    return re.findall(
        r"(?:^|[ /(])vumeter ([a-z][a-z-]*)\b(?: ([a-z][a-z-]*)\b)?", code, re.MULTILINE
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(PAGES[page])):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text()), target


def test_the_index_links_every_page() -> None:
    linked = {
        (DOCS / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\(([^)\s]+)\)", (DOCS / "index.md").read_text())
    }
    assert set(DOCS.rglob("*.md")) - linked == {DOCS / "index.md"}


def test_the_readme_links_the_index() -> None:
    assert "](docs/index.md)" in PAGES["README.md"]


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_exists(page: str) -> None:
    names = {
        name
        for span in spans(PAGES[page])
        for name in re.findall(r"(?<![/\w.-])[\w<>.-]+/[\w<>./-]*|\w+\.(?:py|yaml|md|toml)\b", span)
    }
    # A bare name such as store.py stands for the file of each family. `make setup` makes .venv/.
    named = {name for name in names if "/" in name or (SERVER / name).exists()} - {".venv/"}
    assert named
    paths = {
        name.replace("<family>", family)
        for name in named
        for family in (FAMILIES if "<family>" in name else ("",))
    }
    missing = {path for path in paths if not any((at / path).exists() for at in (ROOT, SERVER))}
    assert not missing


def test_the_page_on_architecture_names_every_room() -> None:
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SERVER.iterdir()
        if path.name not in ("__init__.py", "__pycache__")
    }
    assert "api/" in rooms
    assert rooms - set(spans(PAGES["docs/architecture.md"])) == set()


def test_the_page_on_formats_names_every_table(tmp_path: Path) -> None:
    tables = open_database(tmp_path / "vumeter.db").read(
        lambda connection: connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    )
    assert ("api_keys",) in tables
    assert {name for (name,) in tables} - set(spans(PAGES["docs/formats.md"])) == set()


TYPICAL_CHANGES = (
    "a field of a point",
    "another percentile",
    "a parameter of `daily`",
    "retention",
    "a role",
    "an event type",
    "a rounding",
    "a second store",
    "a command",
    "the status of an error",
)


@pytest.mark.parametrize("change", TYPICAL_CHANGES)
def test_for_a_typical_change_the_rooms_to_touch_are_named(change: str) -> None:
    (row,) = re.findall(
        rf"^\| {re.escape(change)} \| (.+) \|$", PAGES["docs/architecture.md"], re.MULTILINE
    )
    assert re.search(r"`[\w<>/]+(/|\.py)`", row)


@pytest.mark.parametrize("page", CURRENT)
def test_every_setting_that_is_named_exists(page: str) -> None:
    source = Path(settings.__file__).read_text()
    for name in set(re.findall(r"(?<!_)VUMETER_[A-Z_]+[A-Z]", PAGES[page])) - CLIENT_VARIABLES:
        field = name.removeprefix("VUMETER_").lower()
        # A setting that was renamed is known by its old name for a while.
        assert field in settings.Settings.model_fields or name in source, name


@pytest.mark.parametrize("page", CURRENT)
def test_every_command_that_is_named_exists(page: str) -> None:
    context = click.Context(vumeter)
    for first, second in commands_in(PAGES[page]):
        command = vumeter.get_command(context, first)
        assert command is not None, first
        if isinstance(command, click.Group) and second:
            assert command.get_command(context, second) is not None, f"{first} {second}"


def test_commands_are_found_in_what_is_shown() -> None:
    found = [each for page in CURRENT for each in commands_in(PAGES[page])]
    assert ("keys", "rotate") in found
    assert ("serve", "") in found


@pytest.mark.parametrize("page", PAGES)
def test_the_words_are_those_of_the_trade(page: str) -> None:
    found = [
        f"{line}: {word!r}, say {instead!r}"
        for line, word, instead in unwanted(prose(PAGES[page]))
        if (page, word) not in EXCEPTIONS
    ]
    assert not found


def test_the_list_of_words_finds_them() -> None:
    text = prose("Points are sealed.\n`vumeter db seal` is code.\n10,000 points a call.\n")
    found = [word for word in WORDS if re.search(rf"\b(?:{word})\b", text)]
    assert found == [next(iter(WORDS)), list(WORDS)[-1]]
