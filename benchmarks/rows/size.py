"""Reading usage of an organization with few events, and with very many."""

from benchmarks import data, servers
from benchmarks.bench import USAGE
from benchmarks.load import settle_disk, wrk
from benchmarks.rounds import Row, Target, alternate

SIZES = (5_000, 50_000, 500_000, 5_000_000)


def measure(bench):
    """Measure each size; the largest is left out in the short form."""
    sizes = {f"{size:,} events": size for size in (SIZES[:-1] if bench.short else SIZES)}
    with bench.room("size") as folder:
        whole = data.create(f"sqlite:///{folder}/growing.db")
        databases = {}
        for name, size in sizes.items():
            bench.say(f"sqlite: {name}")
            databases[name] = data.copy(data.lay(whole, size), folder / f"{size}.db")
        settle_disk()
        sides = {name: _reading(bench, folder, name, database) for name, database in databases.items()}
        found = alternate(bench.rounds, sides, bench.say)
    smallest, *_, largest = sizes
    targets = [Target(largest, smallest, metric, most=1.1) for metric in ("p50_us", "cpu_us")]
    title = "GET usage with many events recorded, sqlite, 8 connections"
    return [Row("size", title, "requests", found, targets, {"sizes": sizes})]


def _reading(bench, folder, name, database):
    """Read from a server of its own in each round: one process may be slower than the next all its life."""

    def read(_number):
        with bench.serving(folder, name, servers.product, database) as server:
            options = {"connections": 8, "headers": database.headers}
            wrk(server, "get.lua", USAGE, seconds=1, **options)
            return wrk(server, "get.lua", USAGE, seconds=bench.seconds, **options)

    return read
