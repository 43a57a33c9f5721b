"""`make bench`: measure the rows, tell people, keep everything, draw the plot, write the page's table."""

import argparse
import os
import shutil
import sys

from benchmarks import load, machine, page, plot, report
from benchmarks.bench import Bench
from benchmarks.rows import holds, mock, record, single, size, start, usage
from benchmarks.servers import ROOT

ROWS = {"usage": usage, "record": record, "single": single, "size": size, "holds": holds, "mock": mock, "start": start}
OUTPUT = ROOT / "build/benchmarks"


def main():
    """Read what is wanted, and do it. An unmet target is shown as such and is no failure of the run."""
    wanted = _arguments()
    if wanted.page_only:
        page.write(report.read(OUTPUT), plot_too=True)
        return
    load.require_wrk()
    names = [name for name in wanted.rows.split(",") if name] or list(ROWS)
    if unknown := set(names) - set(ROWS):
        sys.exit(f"There is no row {', '.join(sorted(unknown))}. There are {', '.join(ROWS)}.")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    work = OUTPUT / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    bench = Bench(work, rounds=wanted.rounds, seconds=1 if wanted.short else 2, short=wanted.short)
    found = {
        "command": _command(wanted, names),
        "date": machine.now(),
        "short": wanted.short,
        "machine": machine.machine(work),
        "versions": machine.versions(),
        "rounds": wanted.rounds,
        "rows": [],
    }
    try:
        for name in names:
            found["rows"] += [row.to_json() for row in ROWS[name].measure(bench)]
        if bench.has_postgres:
            found["postgresql"] = bench.postgres.version()
    finally:
        bench.close()
        shutil.rmtree(work, ignore_errors=True)
    found["seconds"] = bench.elapsed
    found["skipped"] = bench.skipped
    report.write(found, OUTPUT)
    plot.draw(found, OUTPUT)
    print(report.table(found))
    if wanted.page:
        page.write(found, plot_too=True)


def _arguments():
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure Sendmeter beside its peers, in one run.",
        epilog="With make these are variables: make bench ROWS=usage,record BENCH_SHORT=1 BENCH=--page",
    )
    environment = os.environ
    parser.add_argument("--rows", default=environment.get("ROWS", ""), help=f"some of {', '.join(ROWS)}; all else")
    parser.add_argument("--rounds", type=int, default=0, help="how many rounds each side has (5; 3 in the short form)")
    parser.add_argument("--short", action="store_true", default=bool(environment.get("BENCH_SHORT")),
                        help="shorter rounds and smaller tables, to see that everything works")  # fmt: skip
    parser.add_argument("--page", action="store_true", help="write the results into docs/benchmarks.md, too")
    parser.add_argument("--page-only", action="store_true", help="write the last results there; measure nothing")
    wanted = parser.parse_args()
    wanted.rounds = wanted.rounds or (3 if wanted.short else 5)
    return wanted


def _command(wanted, names):
    parts = ["make bench"]
    parts += [f"ROWS={','.join(names)}"] if len(names) < len(ROWS) else []
    return " ".join([*parts, *(["BENCH_SHORT=1"] if wanted.short else [])])


if __name__ == "__main__":
    try:
        main()
    except load.MeasurementError as failure:
        sys.exit(f"FAILED: {failure}")
