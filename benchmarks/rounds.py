"""Rounds of load that alternate between the sides, and what they come to: medians, spread, ratios."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median

HIGHER_IS_BETTER = {"per_second": True, "cpu_us": False, "p50_us": False, "p99_us": False, "ms": False, "mib": False}
NAMES = {
    "per_second": "rate",
    "cpu_us": "processor time",
    "p50_us": "latency, p50",
    "p99_us": "latency, p99",
    "ms": "time to first answer",
    "mib": "resident memory",
}


@dataclass(frozen=True, slots=True)
class Round:
    """What one side did in one round: how many requests or events, in what time, with how much of the processor."""

    done: int
    seconds: float
    cpu_seconds: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None

    @property
    def metrics(self):
        """Return the figures that sides are compared by."""
        found = {"per_second": self.done / self.seconds, "done": self.done, "seconds": self.seconds}
        if self.cpu_seconds is not None:
            found["cpu_us"] = self.cpu_seconds / self.done * 1e6
        if self.p50_us is not None:
            found |= {"p50_us": self.p50_us, "p99_us": self.p99_us}
        return found


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is to come to: ours against a peer's, by one metric.

    The ratio says how many times as good ours is; `most` says instead how many times as much it may take at the most.
    None of both: the ratio is told and nothing is asked of it.
    """

    ours: str
    theirs: str
    metric: str
    least: float | None = None
    most: float | None = None

    def result(self, sides):
        """Compare the medians, and tell the spread of what single rounds would have said."""
        ours, theirs = sides[self.ours][self.metric], sides[self.theirs][self.metric]
        as_much = HIGHER_IS_BETTER[self.metric] or self.most is not None
        upper, lower = (ours, theirs) if as_much else (theirs, ours)
        ratio = median(upper) / median(lower)
        single = [one / other for one, other in zip(upper, lower, strict=True)]
        met = None
        if self.least is not None:
            met = ratio >= self.least
        elif self.most is not None:
            met = ratio <= self.most
        return {**asdict(self), "ratio": ratio, "ratio_min": min(single), "ratio_max": max(single), "met": met}


@dataclass(slots=True)
class Row:
    """One thing that was measured: every round of every side, and what that is compared with."""

    name: str
    title: str
    unit: str
    sides: dict[str, list[Mapping[str, float]]]
    targets: list[Target]
    notes: dict[str, object] = field(default_factory=dict)

    def to_json(self):
        """Write everything that was seen: all rounds, their medians and spread, and the ratios."""
        columns = {
            side: {metric: [each[metric] for each in rounds] for metric in rounds[0]}
            for side, rounds in self.sides.items()
        }
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "sides": {side: {metric: _spread(values) for metric, values in metrics.items()}
                      for side, metrics in columns.items()},
            "comparisons": [target.result(columns) for target in self.targets],
            "notes": self.notes,
        }  # fmt: skip


def _spread(values):
    return {"median": median(values), "min": min(values), "max": max(values), "rounds": list(values)}


def alternate(count: int, sides: Mapping[str, Callable[[int], Round]], progress: Callable[[str], None]):
    """Let each side do its round, one after the other, as often as `count` says; the first tells what came of it."""
    found = {name: [] for name in sides}
    for number in range(count):
        for name, side in sides.items():
            metrics = side(number).metrics
            found[name].append(metrics)
            progress(f"round {number + 1} of {count}: {name} {told(metrics)}")
    return found


def told(metrics):
    """Say a round in a line."""
    units = {"per_second": "{:,.0f}/s", "cpu_us": "{:,.0f} µs of processor", "p50_us": "p50 {:,.0f} µs",
             "p99_us": "p99 {:,.0f} µs", "ms": "{:,.0f} ms", "mib": "{:,.1f} MiB"}  # fmt: skip
    return ", ".join(units[name].format(value) for name, value in metrics.items() if name in units)
