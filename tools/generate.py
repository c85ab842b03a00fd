"""Write `generated/`: Python modules, Envoy's descriptor set, the OpenAPI document, and pages.

Google's protos (`google/api`, `google/rpc`) come from the googleapis-common-protos wheel, the
well-known types from grpcio-tools, so that `protos/` holds nothing but vumeter's own. Both are
installed apart from the server, in build/generate-venv: see tools/requirements.in.

Usage:
    python tools/generate.py                 write generated/
    python tools/generate.py --check         list what differs, exit 1 if anything does
    python tools/generate.py --lint-image F  write a descriptor set with comments, for `buf lint`
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = ROOT / "generated"
DESCRIPTOR_SET = "api.binpb"

# What makes a package of the stubs; written by hand.
PACKAGING = ("README.md", "pyproject.toml")

# The transcoder prints only those error details whose types it finds in the descriptor set.
ERROR_PROTOS = ("google/rpc/error_details.proto", "google/rpc/status.proto")


def include_paths() -> list[Path]:
    """Return the directories that imports are looked up in, our own first."""
    common = directory_of("google.rpc").parent.parent
    return [PROTOS, common, directory_of("grpc_tools") / "_proto"]


def directory_of(package: str) -> Path:
    """Return where an installed package lies; protos lie beside its modules."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: run make generate")
    return Path(next(iter(spec.submodule_search_locations)))


def own_protos() -> list[str]:
    """Return vumeter's proto files relative to `protos/`, in a fixed order, as protoc keeps it."""
    return sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))


def run_protoc(*arguments: str) -> None:
    """Run protoc in this process.

    Raises:
        SystemExit: protoc failed; it has said why on stderr.
    """
    # It is installed where stubs are generated; tests read this module without it.
    from grpc_tools import protoc  # noqa: PLC0415

    includes = [f"--proto_path={path}" for path in include_paths()]
    status = protoc.main(["protoc", *includes, *arguments])
    if status != 0:
        raise SystemExit(status)


def generate(target: Path) -> None:
    """Write everything that belongs into `generated/` below `target`, which must be empty."""
    protos = own_protos()
    run_protoc(
        f"--python_out={target}",
        f"--pyi_out={target}",
        f"--grpc_python_out={target}",
        *protos,
    )
    # Says that the stubs are annotated (PEP 561).
    (target / "vumeter" / "py.typed").touch()
    run_protoc(
        "--include_imports",
        f"--descriptor_set_out={target / DESCRIPTOR_SET}",
        *protos,
        *ERROR_PROTOS,
    )
    # Run as a script, this folder is where modules are looked up.
    sys.path.append(str(ROOT))
    from tools.dashboard import build_dashboard  # noqa: PLC0415
    from tools.docs_page import build_docs_page  # noqa: PLC0415
    from tools.openapi.document import build_document  # noqa: PLC0415

    (target / "openapi.json").write_text(build_document(commented_descriptors()), encoding="utf-8")
    build_docs_page(target / "docs")
    try:
        build_dashboard(target / "dashboard")
    except ImportError:
        if sys.platform == "linux":
            raise
        print("no tdewolff-minify: generated/dashboard is left as it is", file=sys.stderr)
        shutil.copytree(GENERATED / "dashboard", target / "dashboard", dirs_exist_ok=True)


def commented_descriptors() -> bytes:
    """Return the descriptor set of our protos with comments."""
    with tempfile.TemporaryDirectory() as temporary:
        image = Path(temporary) / "image.binpb"
        write_lint_image(image)
        return image.read_bytes()


def write_lint_image(target: Path) -> None:
    """Write a descriptor set of our protos with comments and positions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run_protoc(
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={target}",
        *own_protos(),
    )


def files_below(directory: Path) -> set[str]:
    """Return the generated files below `directory`, relative to it, without Python's caches."""
    return {
        name
        for path in directory.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        if (name := path.relative_to(directory).as_posix()) not in PACKAGING
    }


def differences(fresh: Path) -> list[str]:
    """Return a line for each file in which `generated/` is not what `fresh` holds."""
    wanted, found = files_below(fresh), files_below(GENERATED)
    lines = [f"missing: generated/{name}" for name in sorted(wanted - found)]
    lines += [f"not generated by anything: generated/{name}" for name in sorted(found - wanted)]
    lines += [
        f"out of date: generated/{name}"
        for name in sorted(wanted & found)
        if not filecmp.cmp(fresh / name, GENERATED / name, shallow=False)
    ]
    return lines


def main() -> int:
    """Generate, or check what was generated; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--lint-image", type=Path, metavar="FILE", help="write only this image")
    options = parser.parse_args()
    if options.lint_image:
        write_lint_image(options.lint_image.resolve())
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        generate(fresh)
        changed = differences(fresh)
        if options.check:
            for line in changed:
                print(line, file=sys.stderr)
            if changed:
                print(
                    "generated/ differs from protos/, openapi/ or dashboard/: run make generate",
                    file=sys.stderr,
                )
            return 1 if changed else 0
        for name in files_below(GENERATED):
            (GENERATED / name).unlink()
        shutil.copytree(fresh, GENERATED, dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
