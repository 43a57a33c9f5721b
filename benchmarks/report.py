"""What was measured, as a table for people and as JSON with every round."""

import json

from benchmarks.rounds import HIGHER_IS_BETTER, NAMES

SHOWN = ("per_second", "cpu_us", "p50_us", "p99_us", "ms", "mib", "pss_mib", "uss_mib")
FIGURES = {"per_second": "{:,.0f}/s", "cpu_us": "{:,.0f} µs", "p50_us": "{:,.0f} µs", "p99_us": "{:,.0f} µs",
           "ms": "{:,.0f} ms", "mib": "{:,.1f} MiB", "pss_mib": "{:,.1f} MiB", "uss_mib": "{:,.1f} MiB"}  # fmt: skip
MARKS = {True: "met", False: "NOT MET", None: ""}


def write(found, folder):
    """Keep everything in results.json."""
    (folder / "results.json").write_text(json.dumps(found, indent=1) + "\n")


def read(folder):
    """Return what the last run kept."""
    return json.loads((folder / "results.json").read_text())


def table(found):
    """Write what people read on the terminal."""
    lines = [
        f"{found['command']}  {found['date']}  {found['seconds']:.0f} s, {found['rounds']} rounds: medians (min-max)"
    ]
    lines += [f"{found['machine']['processor']}, {found['machine']['cores']} cores, {found['machine']['system']}"]
    for row in found["rows"]:
        lines += ["", row["title"]]
        for side, metrics in row["sides"].items():
            lines.append(f"  {side:<18} " + "  ".join(
                f"{_name(name, row)} {figure(metrics[name], name)}" for name in SHOWN if name in metrics))  # fmt: skip
        lines += [f"    {comparison(each)}" for each in row["comparisons"]]
    lines += ["", *(f"left out - {each}" for each in found["skipped"])]
    return "\n".join(lines)


def comparison(each):
    """Say a ratio, what it was to be, and whether it is."""
    return (f"{MARKS[each['met']]:<8} {each['ours']} / {each['theirs']}, {NAMES[each['metric']]}: {ratio(each)}"
            f"   target {target(each)}")  # fmt: skip


def ratio(each):
    """Write a ratio with its spread."""
    return f"{each['ratio']:.2f} x ({each['ratio_min']:.2f}-{each['ratio_max']:.2f})"


def target(each):
    """Write what a ratio was to be."""
    if each["least"] is not None:
        return f"at least {each['least']:g} x"
    return "none" if each["most"] is None else f"at most {each['most']:g} x"


def figure(spread, metric):
    """Write a median with its spread."""
    form = FIGURES[metric]
    low = form.format(spread["min"]).split(maxsplit=1)[0].removesuffix("/s")
    high = form.format(spread["max"]).split(maxsplit=1)[0].removesuffix("/s")
    return f"{form.format(spread['median'])} ({low}-{high})"


def _name(metric, row):
    names = {"per_second": row["unit"], "cpu_us": "cpu", "p50_us": "p50", "p99_us": "p99", "ms": "first answer",
             "mib": "rss", "pss_mib": "pss", "uss_mib": "uss"}  # fmt: skip
    return names[metric]


assert set(NAMES) == set(HIGHER_IS_BETTER)
