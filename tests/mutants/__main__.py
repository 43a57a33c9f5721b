"""Try the tests with mutants of the source, and print each that lives without a reason: `make mutants`."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants import ground, survivors

AGAIN = bool(os.environ.get("MUTANTS_AGAIN"))
"""Try those alone that lived without a reason when this was run last, and those of functions changed since."""
MEMORY = Path("/dev/shm")
"""Where the tests' databases are kept, if it is there: each mutant makes some."""
CHILDREN = os.environ.get("MUTANTS_CHILDREN", "2")


def main(parts):
    """Return 1 where a mutant lives without a reason, or a reason has no mutant."""
    totals: Counter[str] = Counter()
    missing = []
    for part in parts:
        if AGAIN:
            _forget_living(part)
        folder = ground.lay(part, anew=not AGAIN)
        command = [sys.executable, "tests/mutants/kinds.py", "run", "--max-children", CHILDREN]
        with TemporaryDirectory(prefix="mutants-", dir=MEMORY if MEMORY.is_dir() else None) as files:
            environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": files}
            subprocess.run(command, cwd=folder, check=True, env=os.environ | environment)
        counts, living = survivors.read(folder)
        missing += _compared(part, living)
        totals.update(counts)
        _say(f"{part}: {_summary(counts)}")
    for said in missing:
        _say(said)
    _say(f"all: {_summary(totals)}; {len(missing)} to be looked at")
    return bool(missing)


def _forget_living(part):
    """Let mutmut try what it found to live, with the tests of now; what was killed is, until its source changes."""
    folder = ground.folder_of(part)
    known_reasons = survivors.reasons(part)
    excused = {mutant.name for mutant in survivors.read(folder)[1] if mutant.told in known_reasons}
    (folder / "mutants/mutmut-stats.json").unlink(missing_ok=True)
    for meta in folder.glob("mutants/sendmeter/**/*.meta"):
        known = json.loads(meta.read_text())
        codes = known["exit_code_by_key"]
        stay = {name: code for name, code in codes.items() if code == 1 or name in excused}
        known["exit_code_by_key"] = dict.fromkeys(codes) | stay
        meta.write_text(json.dumps(known))


def _compared(part, living):
    reasons = survivors.reasons(part)
    lives = {mutant.told for mutant in living}
    new = [f"{mutant.status}: {_quoted(mutant.told)}" for mutant in living if mutant.told not in reasons]
    return new + [f"has a reason, and does not live: {_quoted(told)}" for told in reasons if told not in lives]


def _quoted(told):
    """Quote for `reasons.toml`."""
    return f"{json.dumps(told, ensure_ascii=False)},"


def _summary(counts):
    return f"{sum(counts.values())} mutants, " + ", ".join(
        f"{count} {status}" for status, count in counts.most_common()
    )


def _say(text):
    print(text, flush=True)  # noqa: T201 - what this is for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(ground.PARTS)))
