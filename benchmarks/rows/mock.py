"""The mock beside Prism, on the same contract, answering the same documented example."""

from contextlib import ExitStack
from functools import partial

from benchmarks import servers
from benchmarks.bench import USAGE, same_answers
from benchmarks.load import wrk
from benchmarks.rounds import Row, Target, alternate

WARMING = 3
"""Seconds. V8 compiles what is run often; Prism has been seen to double its rate in its first seconds."""


def measure(bench):
    """Measure where Prism is installed."""
    if not servers.has_prism():
        bench.skipped.append("mock: Prism is not installed (it needs Node.js 20 and npm)")
        return []
    with bench.room("mock") as folder, ExitStack() as on:
        commands = {
            "sendmeter mock": servers.mock,
            "prism": servers.prism,
            "prism, not logging": servers.silent_prism,
        }
        running = [
            on.enter_context(servers.serving(folder, name, command_of, headers=servers.EXAMPLE))
            for name, command_of in commands.items()
        ]
        same_answers(running, USAGE, servers.EXAMPLE)
        load = partial(wrk, script="get.lua", path=USAGE, connections=8, headers=servers.EXAMPLE)
        for server in running:
            load(server, seconds=WARMING)
        sides = {each.name: lambda _, each=each: load(each, seconds=bench.seconds) for each in running}
        found = alternate(bench.rounds, sides, bench.say)
    targets = [Target("sendmeter mock", "prism", metric, least=2) for metric in ("per_second", "cpu_us")]
    targets += [Target("sendmeter mock", "prism, not logging", metric) for metric in ("per_second", "cpu_us")]
    title = "GET of a documented example from a mock, 8 connections"
    return [Row("mock", title, "requests", found, targets)]
