"""The page's tables, written from what was measured, between two marks; the rest of the page is left as it is."""

import shutil

from benchmarks.report import figure, ratio, target
from benchmarks.rounds import NAMES
from benchmarks.servers import ROOT

PAGE = ROOT / "docs/benchmarks.md"
START, END = "<!-- measured -->", "<!-- /measured -->"
COLUMNS = ("per_second", "cpu_us", "p50_us", "p99_us", "ms", "mib", "uss_mib")
HEADS = {"per_second": "rate", "cpu_us": "processor", "p50_us": "p50", "p99_us": "p99", "ms": "first answer",
         "mib": "resident", "uss_mib": "its alone"}  # fmt: skip
MET = {True: "met", False: "**not met**", None: ""}


def write(found, *, plot_too):
    """Put the results into the page, and the plot beside it."""
    before, _, rest = PAGE.read_text().partition(START)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{START}\n\n{text(found)}\n\n{END}{after}")
    drawn = ROOT / "build/benchmarks/latency.svg"
    if plot_too and any(row["name"] == "size" for row in found["rows"]):
        shutil.copyfile(drawn, ROOT / "docs/latency.svg")


def text(found):
    """Write the machine, a table of all comparisons, and one of the figures of each row."""
    parts = [_machine(found), _comparisons(found), _unmet(found), *(_figures(row) for row in found["rows"])]
    parts += [f"Left out: {each}." for each in found["skipped"]]
    return "\n\n".join(parts)


def _machine(found):
    machine, postgresql = found["machine"], found.get("postgresql", {})
    names = {"sqlite": "SQLite", "python": "Python", "fastapi": "FastAPI", "sqlalchemy": "SQLAlchemy", "prism": "Prism",
             "node": "Node.js", "postgresql": "PostgreSQL", "sendmeter": "Sendmeter"}  # fmt: skip
    versions = found["versions"] | ({"postgresql": postgresql["server_version"]} if postgresql else {})
    listed = ", ".join(f"{names.get(name, name)} {value}" for name, value in versions.items() if value)
    return (
        f"`{found['command']}`, {found['date'][:10]}, {found['rounds']} rounds, {found['seconds'] / 60:.0f} minutes, on"
        f" {machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB, {machine['system']}; one"
        f" page made durable takes {machine['fsync_us']:,.0f} µs there.\n\n{listed}."
    )


def _comparisons(found):
    lines = ["| what | against | by | ratio (of single rounds) | target | |", "|---|---|---|---|---|---|"]
    for row in found["rows"]:
        for each in row["comparisons"]:
            more = "" if each["ours"] == "sendmeter" else f": {_shown(each['ours'])}"
            title = f"{row['title']}{more}"
            cells = [title, _shown(each["theirs"]), NAMES[each["metric"]], ratio(each), target(each), MET[each["met"]]]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _shown(side):
    for name, shown in {"sendmeter": "Sendmeter", "fastapi": "FastAPI", "prism": "Prism"}.items():
        side = side.replace(name, shown)
    return side


def _unmet(found):
    unmet = [(row, each) for row in found["rows"] for each in row["comparisons"] if each["met"] is False]
    lines = [
        f"* {row['title']}: {_shown(each['ours'])} against {_shown(each['theirs'])},"
        f" {NAMES[each['metric']]}: {each['ratio']:.2f} x, {target(each)} was wanted."
        for row, each in unmet
    ]
    return "\n".join([f"Not met are {len(unmet)}:", "", *lines]) if lines else "Every target is met."


def _figures(row):
    columns = [name for name in COLUMNS if name in next(iter(row["sides"].values()))]
    heads = [HEADS[name] if name != "per_second" else f"{row['unit']}" for name in columns]
    lines = [f"**{row['title']}**", "", f"| | {' | '.join(heads)} |", "|---" * (len(columns) + 1) + "|"]
    for side, metrics in row["sides"].items():
        lines.append(f"| {_shown(side)} | {' | '.join(figure(metrics[name], name) for name in columns)} |")
    return "\n".join(lines)
