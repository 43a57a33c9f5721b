"""The plot: how long a read takes, against how much was recorded."""

import matplotlib as mpl

mpl.use("svg")
# The same figures give the same file, and its letters stay letters.
mpl.rcParams.update({"svg.hashsalt": "sendmeter", "svg.fonttype": "none"})

from matplotlib import pyplot  # noqa: E402 - after the backend is chosen


def draw(found, *folders):
    """Draw p50 and p99 into each folder, as SVG and PNG, where the sizes were measured; give whether they were."""
    row = next((row for row in found["rows"] if row["name"] == "size"), None)
    if row is None:
        return False
    sizes = row["notes"]["sizes"]
    figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
    for metric, colour in (("p50_us", "#1f6feb"), ("p99_us", "#d1570a")):
        spreads = [row["sides"][name][metric] for name in sizes]
        middle = [each["median"] / 1000 for each in spreads]
        reach = [[(each["median"] - each["min"]) / 1000 for each in spreads],
                 [(each["max"] - each["median"]) / 1000 for each in spreads]]  # fmt: skip
        axes.errorbar(list(sizes.values()), middle, reach, marker="o", capsize=3, color=colour, label=metric[:3])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xticks(list(sizes.values()), [f"{size:,}" for size in sizes.values()])
    axes.minorticks_off()
    axes.set_xlabel("events recorded of the organization")
    axes.set_ylabel("milliseconds")
    axes.set_title("GET /organization/usage, one worker, 8 connections, SQLite", fontsize=10)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    for folder in folders:
        figure.savefig(folder / "latency.svg", metadata={"Date": None})
        figure.savefig(folder / "latency.png", dpi=150)
    pyplot.close(figure)
    return True
