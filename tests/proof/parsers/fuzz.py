"""`make fuzz-parsers`: a coverage-guided fuzzer (atheris) on each parser, in a process of its own, two at once.

FUZZ_SECONDS is how long on each (60), FUZZ_PARSERS names some of them ("money cursors"), FUZZ_INPUT is one input that
is run again, and SEED repeats a run (a random one where it is left out). What was learned about a parser's branches is
kept under build/fuzz-parsers/; what broke it goes into its corpus, which `make test` runs from then on.
"""

import hashlib
import os
import random
import re
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build" / "fuzz-parsers"
CORPUS = Path(__file__).parent / "corpus"
SECONDS = int(os.environ.get("FUZZ_SECONDS") or 60)
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 2**31))
AT_ONCE = 2
LONGEST_INPUT, MOST_MIB, LONGEST_SECONDS = 4_096, 1_500, 10
FINDING = "FINDING "


@dataclass
class Fuzzed:
    """What came of fuzzing one parser."""

    name: str
    executions: int = 0
    edges: int = 0
    features: int = 0
    seconds: float = 0
    findings: tuple[str, ...] = ()
    failed: bool = False

    def __str__(self):
        speed = self.executions / max(self.seconds, 1)
        return (
            f"{self.name:<13}{self.executions:>12,}{speed:>10,.0f}{self.seconds:>9.0f}{self.edges:>8,}"
            f"{self.features:>10,}{len(self.findings):>10}{'  failed' * self.failed}"
        )


def watch(name):
    """Fuzz a parser in a process, tell how it gets on, and give what came of it."""
    folder = BUILD / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.proof.parsers.fuzz", name]
    started, told_at, log = time.monotonic(), 0.0, folder / "log.txt"
    fuzzed, findings = Fuzzed(name), []
    with log.open("w") as kept, subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "SEED": str(SEED)},
    ) as process:  # fmt: skip
        # libFuzzer looks at its own clock between two inputs: one that never ends would hold everything up.
        killer = threading.Timer(SECONDS * 2 + 60, process.kill)
        killer.start()
        for line in process.stdout:
            kept.write(line)
            findings += re.findall(rf"^{FINDING}(.*)", line)
            findings += re.findall(r"Test unit written to (\S+)", line)
            _count(fuzzed, line)
            fuzzed.seconds = time.monotonic() - started
            if fuzzed.seconds - told_at > 10:
                told_at = fuzzed.seconds
                sys.stderr.write(f"{name}: {fuzzed.executions:,} executions, {fuzzed.features:,} features\n")
        killer.cancel()
    fuzzed.findings, fuzzed.failed = tuple(dict.fromkeys(findings)), process.returncode != 0
    return fuzzed


def _count(fuzzed, line):
    if found := re.search(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+)", line):
        fuzzed.executions, fuzzed.edges, fuzzed.features = map(int, found.groups())
    if found := re.search(r"stat::number_of_executed_units: +(\d+)", line):
        fuzzed.executions = int(found[1])


def run(names):
    """Fuzz parsers, two at once; tell of each, and give what the process ends with: 1 where something was found."""
    sys.stderr.write(f"Fuzzing {len(names)} parsers for {SECONDS} s each, SEED={SEED}\n")
    with ThreadPoolExecutor(AT_ONCE) as at_once:
        done = list(at_once.map(watch, names))
    heads = ("parser", "executions", "a second", "seconds", "edges", "features", "findings")
    sys.stdout.write("{:<13}{:>12}{:>10}{:>9}{:>8}{:>10}{:>10}\n".format(*heads))
    for fuzzed in done:
        sys.stdout.write(f"{fuzzed}\n")
    for fuzzed in done:
        for path in fuzzed.findings:
            again = f"make fuzz-parsers FUZZ_PARSERS={fuzzed.name} FUZZ_INPUT={path}"
            sys.stdout.write(f"\n{fuzzed.name}: {path}\nRun it again: {again}\n")
        if fuzzed.failed:
            sys.stdout.write(f"\n{fuzzed.name} ended early: {BUILD / fuzzed.name / 'log.txt'} says why.\n")
    return int(any(fuzzed.findings or fuzzed.failed for fuzzed in done))


def fuzz(name):
    """Fuzz one parser, in this process, until its time is over."""
    import atheris

    watched, not_watched = ["sendmeter", "tests.proof.parsers", "email", "urllib"], ["tests.integrations", "tests.live"]
    with atheris.instrument_imports(include=watched, exclude=not_watched):
        from tests.proof.parsers.registry import PARSERS
    parser, folder = PARSERS[name], BUILD / name
    _begin(folder, parser)
    places = set()

    def one(data):
        try:
            parser.check(data)
        except Exception as error:
            place = _place(error)
            if place not in places:
                places.add(place)
                path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
                path.write_bytes(data)
                traceback.print_exc()
                sys.stderr.write(f"{FINDING}{path.relative_to(ROOT)}\n")

    options = [
        f"-max_total_time={SECONDS}", f"-seed={SEED}", f"-max_len={LONGEST_INPUT}", f"-rss_limit_mb={MOST_MIB}",
        f"-timeout={LONGEST_SECONDS}", "-print_final_stats=1",
        f"-artifact_prefix={CORPUS / name}/",
    ]  # fmt: skip
    options += [f"-dict={folder / 'words.txt'}"] if parser.tokens else []
    atheris.Setup([name, *options, str(folder / "corpus"), str(folder / "seeds"), str(CORPUS / name)], one)
    atheris.Fuzz()


def _begin(folder, parser):
    """Write what a parser begins with where libFuzzer reads it."""
    (CORPUS / folder.name).mkdir(exist_ok=True)
    (folder / "seeds").mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds):
        (folder / "seeds" / f"{number}").write_bytes(seed)
    words = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in parser.tokens if word)
    (folder / "words.txt").write_text("".join(f'"{word}"\n' for word in words))


def _place(error):
    """Tell where something was found: what breaks at one place is told once."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error), last.filename, last.lineno


def again(name, path):
    """Run one input again, without atheris."""
    from tests.proof.parsers.registry import PARSERS

    PARSERS[name].check(Path(path).read_bytes())
    sys.stdout.write(f"{name} holds what it promises for {path}.\n")


def main():
    from tests.proof.parsers.registry import PARSERS

    names = os.environ.get("FUZZ_PARSERS", "").split() or list(PARSERS)
    if unknown := set(names) - PARSERS.keys():
        sys.exit(f"There is no parser {', '.join(sorted(unknown))}: it is one of {', '.join(PARSERS)}.")
    if path := os.environ.get("FUZZ_INPUT"):
        return again(names[0], path)
    return run(names)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fuzz(sys.argv[1])
    else:
        sys.exit(main())
