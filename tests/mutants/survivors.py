"""What became of the mutants: read from what mutmut wrote, and held against the reasons in `reasons.toml`."""

import json
import os
import tomllib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

REASONS = Path(__file__).with_name("reasons.toml")
LIVE = ("survived", "no tests", "suspicious", "not checked", "segfault")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutant of a file of `sendmeter/`. `told` names it by what it changes, so that it is known when lines move."""

    name: str
    file: str
    status: str
    told: str


def read(ground: Path) -> tuple[Counter[str], list[Mutant]]:
    """Count a part's mutants by what became of them, and tell of those that live."""
    counts: Counter[str] = Counter()
    living = []
    with _in(ground):
        for meta in sorted(Path("mutants/sendmeter").rglob("*.meta")):
            file = Path(*meta.parts[1:]).with_suffix("")
            for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
                status = status_by_exit_code[code]
                counts[status] += 1
                if status in LIVE:
                    living.append(Mutant(name, str(file), status, _told(name, file)))
    return counts, living


def reasons(part: str) -> dict[str, str]:
    """Return the reason of each mutant of a part that may live."""
    known = tomllib.loads(REASONS.read_text())["reasons"]
    return {told: each["why"] for each in known for told in each["mutants"] if told.startswith(f"{part}/")}


def _told(name: str, file: Path) -> str:
    function, of_class = orig_function_and_class_names_from_key(name)
    lines = get_diff_for_mutant(name, path=file).splitlines()[2:]
    was, now = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    where = f"{of_class}.{function}" if of_class else function
    return f"{Path(*file.parts[1:])} {where}: {was} → {now}"


@contextmanager
def _in(folder: Path):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
