"""Where mutants live: `build/mutants/PART`, a copy of the source that mutmut can work on, and what it is told.

mutmut leaves decorated functions alone, so `@property def cost` is `def cost`, then `cost = property(cost)`.
"""

import ast
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = {
    "domain": ["tests/domain"],
    # Not what starts processes of its own, which run no mutant, nor what holds a stopwatch.
    "services": [
        "tests/services",
        "tests/handlers/test_keys.py",
        "tests/handlers/test_organizations.py",
        "tests/handlers/test_providers.py",
        "tests/cli/test_db_copy_refused.py",
        "-knot processes and not under_a_second",
    ],
}
"""What is mutated, and the tests that it is tried with."""
# The two collect garbage, all that a forked process has got from its parent, after each mutant.
PLUGINS = ["tests.mutants.quick", "no:cacheprovider", "no:unraisableexception", "no:threadexception"]
TYPES = ["--no-warn-unused-ignores", "--output=json", "-p"]
KEPT = {"classmethod", "staticmethod"}


def folder_of(part: str) -> Path:
    """Name the folder of a part."""
    return ROOT / "build" / "mutants" / part


def lay(part: str, *, anew: bool) -> Path:
    """Make the folder of a part, or bring it up to date; what was found out is kept where it need not begin anew."""
    ground = folder_of(part)
    if anew:
        shutil.rmtree(ground, ignore_errors=True)
    for source in sorted([*ROOT.glob("sendmeter/**/*"), *ROOT.glob("handlers/**/*")]):
        if source.is_file() and "__pycache__" not in source.parts:
            _write(ground / source.relative_to(ROOT), _laid(source, part))
    for name in ("tests", "openapi.yaml", "pyproject.toml"):
        (ground / name).unlink(missing_ok=True)
        (ground / name).symlink_to(ROOT / name)
    _write(ground / "setup.cfg", _told(part).encode())
    return ground


def _write(path: Path, content: bytes) -> None:
    """Leave what is the same already: mutmut makes the mutants of a file anew where it is younger than those."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _laid(source: Path, part: str) -> bytes:
    content = source.read_bytes()
    is_mutated = part == "domain" and source.parent == ROOT / "sendmeter" / part
    return undecorated(content.decode()).encode() if is_mutated else content


def undecorated(code: str) -> str:
    """Write decorators of functions as calls that follow them."""
    lines = code.splitlines()
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    for function in sorted(found, key=lambda node: node.lineno, reverse=True):
        decorators = [ast.unparse(each) for each in function.decorator_list]
        if decorators and not KEPT.intersection(decorators):
            made = function.name
            for decorator in reversed(decorators):
                made = f"{decorator}({made})"
            lines.insert(function.end_lineno or 0, f"{' ' * function.col_offset}{function.name} = {made}")
            del lines[function.decorator_list[0].lineno - 1 : function.lineno - 1]
    return "\n".join(lines) + "\n"


def _told(part: str) -> str:
    """Write what mutmut is told."""
    lists = {
        "source_paths": ["sendmeter", "handlers"],
        "only_mutate": [f"sendmeter/{part}/*"],
        "also_copy": ["openapi.yaml"],
        "pytest_add_cli_args_test_selection": PARTS[part],
        "pytest_add_cli_args": ["-o", "tmp_path_retention_policy=none", *(f"-p{plugin}" for plugin in PLUGINS)],
    }
    if part != "domain":
        # With properties that are written as calls types are wrong everywhere; there is hardly one in services.
        lists["type_check_command"] = [sys.executable, "-m", "mypy", *TYPES, f"sendmeter.{part}"]
    told = {name: "".join(f"\n    {value}" for value in values) for name, values in lists.items()}
    # A mutant that goes on for ever is ended after this many times what its tests take.
    told |= {"timeout_multiplier": "3", "timeout_constant": "5", "use_git_change_detection": "false"}
    return "[mutmut]\n" + "".join(f"{name} = {value}\n" for name, value in told.items())
