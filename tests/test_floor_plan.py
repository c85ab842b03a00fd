"""The floor plan: a newcomer finds a room by its name, and rooms stay small and one-way."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import vumeter_server

SERVER = Path(vumeter_server.__file__).parent
ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 300
FAMILY = {
    "model.py",
    "validation.py",
    "aggregation.py",
    "ingest.py",
    "query.py",
    "store.py",
    "grpc_api.py",
    "rest_api.py",
    "sqlite",
}
FAMILIES = {
    "custom_metrics": FAMILY,
    # Calls are folded from events; nothing else is aggregated.
    "live_metrics": FAMILY - {"aggregation.py"} | {"fold.py"},
    "simulation": FAMILY,
}
CUSTOM_METRICS_ROOMS = {
    "store.py",
    "formats",
    "ingest",
    "cache",
    "rollups",
    "query",
    "maintenance",
}
SAME_MEANING = {
    "Recording": "the use case of recording, in `ingest.py` of each family",
}
"""Names of classes that stand in several modules and mean the same in each, with the reason."""

MODULES = {path.relative_to(SERVER): ast.parse(path.read_text()) for path in SERVER.rglob("*.py")}
SQLITE = Path("custom_metrics") / "sqlite"
NAMES = {path.name for path in (SERVER / SQLITE).iterdir()}


@pytest.mark.parametrize(("family", "modules"), FAMILIES.items(), ids=FAMILIES.keys())
def test_each_family_has_the_same_modules(family: str, modules: set[str]) -> None:
    assert modules - {path.name for path in (SERVER / family).iterdir()} == set()


def test_the_store_of_custom_metrics_has_its_seven_rooms() -> None:
    assert NAMES - {"__init__.py", "__pycache__"} == CUSTOM_METRICS_ROOMS


@pytest.mark.parametrize("name", ["sqlite", "clickhouse"])
def test_nothing_above_the_contract_of_a_store_names_it(name: str) -> None:
    found = [
        str(path)
        for path in MODULES
        if path.parts[0] in (*FAMILIES, "access") and name not in path.parts
        if name in (SERVER / path).read_text().lower()
    ]
    assert found == []


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {str(path): len((SERVER / path).read_text().splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("folder", ["bench", "clients", "examples", "tests", "tools"])
def test_no_module_outside_of_the_server_is_longer_either(folder: str) -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_no_test_module_holds_what_others_use() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {statement.module}"
        for path in (ROOT / "tests").rglob("*.py")
        for statement in ast.walk(ast.parse(path.read_text()))
        if isinstance(statement, ast.ImportFrom) and statement.module
        if statement.module.startswith("tests.")
        if statement.module.rpartition(".")[2].startswith("test_")
    ]
    assert found == []


def test_nothing_hides_in_an_init() -> None:
    """At most a docstring, imports and the list of what is exported."""
    hidden = [
        f"{path}:{statement.lineno}"
        for path, module in MODULES.items()
        if path.name == "__init__.py"
        for statement in module.body
        if not isinstance(statement, ast.Import | ast.ImportFrom)
        and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        and not (isinstance(statement, ast.Assign) and _names(statement) == ["__all__"])
    ]
    assert hidden == []


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(set)
    for path, module in MODULES.items():
        for statement in ast.walk(module):
            if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
                places[statement.name].add(str(path))
    assert {
        name: sorted(found)
        for name, found in places.items()
        if len(found) > 1 and name not in SAME_MEANING
    } == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside of functions count too."""
    names = {_name(path): module for path, module in MODULES.items()}
    graph = {
        name: {
            next((each for each in (found, found.rpartition(".")[0]) if each in names), name)
            for found in _imported_names(module)
        }
        - {name}
        for name, module in names.items()
    }
    assert graph["vumeter_server.cli"]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_rooms_of_the_store_of_custom_metrics_import_one_way() -> None:
    rooms: dict[str, set[str]] = defaultdict(set)
    for path, module in MODULES.items():
        if path.is_relative_to(SQLITE) and path.name != "__init__.py":
            rooms[_room(path)] |= {_room(found) for found in _imported(module)} - {_room(path)}
    assert "query" in rooms
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle between rooms: {' -> '.join(error.args[1])}")


def _room(path: Path) -> str:
    return Path(path.relative_to(SQLITE).parts[0]).stem


def _imported(module: ast.Module) -> Iterator[Path]:
    """Yield the modules of this store that a module imports, at the top or inside of functions."""
    prefix = ["vumeter_server", *SQLITE.parts]
    for name in _imported_names(module):
        parts = name.split(".")
        # What the package itself exports is of no room.
        if parts[: len(prefix)] == prefix and {parts[3], f"{parts[3]}.py"} & NAMES:
            yield Path(*parts[1:])


def _imported_names(module: ast.Module) -> Iterator[str]:
    """Yield what a module imports, a name of another module with that module in front."""
    for statement in ast.walk(module):
        if isinstance(statement, ast.ImportFrom) and statement.module:
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        elif isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)


def _name(path: Path) -> str:
    """Return the name of a module, of a package without `__init__`."""
    return ".".join(("vumeter_server", *path.with_suffix("").parts)).removesuffix(".__init__")


def _names(statement: ast.Assign) -> list[str]:
    return [ast.unparse(target) for target in statement.targets]
