"""Servers as their users start them, each a process of its own on a free port."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.load import MeasurementError, ask

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PRISM = ROOT / "benchmarks/prism/node_modules/@stoplight/prism-cli/dist/index.js"
START_SECONDS = 60
EXAMPLE = {"Authorization": "Bearer any-token", "Prefer": "example=busy"}
"""What asks a mock for a documented example."""


@dataclass
class Server:
    """A server that runs: its process, with all that it started."""

    name: str
    port: int
    process: psutil.Process
    log: Path
    start_seconds: float

    @property
    def processes(self):
        """List the server's process and those that it started."""
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self):
        """Return what the server took of the processors until now: user and system time, in all of its processes."""
        times = [each.cpu_times() for each in self.processes]
        return sum(each.user + each.system for each in times)

    def said(self):
        """Return the end of what the server logged."""
        return self.log.read_text()[-3000:]

    def memory(self):
        """Return the memory that is the server's, in MiB: resident, its own share of it, and what is its alone."""
        found = [each.memory_full_info() for each in self.processes]
        return {f"{name}_mib": sum(getattr(each, name) for each in found) / 2**20 for name in ("rss", "pss", "uss")}


def product(port, database, workers=1):
    """Name the command that starts Sendmeter: all settings are the defaults, both validations are on."""
    more = ["--workers", str(workers)] if workers > 1 else []
    return [BIN / "sendmeter", "serve", "--port", str(port), "--database", database.url, *more], {}


def fastapi(port, database, workers=1):
    """Name the command that starts the peer on FastAPI."""
    more = ["--workers", str(workers)] if workers > 1 else []
    return [*_uvicorn("fastapi_app", port), *more], {"BENCHMARK_DATABASE": database.url}


def connexion(port, database):
    """Name the command that starts connexion as it comes."""
    return _uvicorn("connexion_app", port), {"BENCHMARK_DATABASE": database.url}


def mock(port):
    """Name the command that starts Sendmeter's mock."""
    return [BIN / "sendmeter", "mock", "--port", str(port)], {}


def prism(port):
    """Name the command that starts Prism on our contract as it comes: it logs each request, as the mock does."""
    return [shutil.which("node"), PRISM, "mock", "--port", str(port), ROOT / "openapi.yaml"], {}


def silent_prism(port):
    """Name the command that starts Prism without a log."""
    command, variables = prism(port)
    return [*command, "--verboseLevel", "silent"], variables


def has_prism():
    """Return whether Prism is installed; `make bench` does that where there is npm."""
    return PRISM.exists() and shutil.which("node") is not None


def _uvicorn(peer, port):
    return [sys.executable, "-m", "uvicorn", f"benchmarks.peers.{peer}:app", "--port", str(port), "--loop", "uvloop",
            "--http", "httptools", "--ws", "none", "--no-access-log", "--log-level", "warning"]  # fmt: skip


@contextmanager
def serving(folder, name, command_of, *arguments, headers, workers=1):
    """Start a server, wait for its first answer, and stop it when the block ends."""
    port = free_port()
    command, variables = command_of(port, *arguments, **({"workers": workers} if workers > 1 else {}))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SENDMETER_")}
    log = Path(folder) / f"{command_of.__name__}.log"
    with log.open("ab") as output:
        started = time.perf_counter()
        popen = subprocess.Popen(
            command, cwd=ROOT, env=environment | variables, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    try:
        _first_answer(popen, port, headers, log)
        yield Server(name, port, psutil.Process(popen.pid), log, time.perf_counter() - started)
    finally:
        _stop(popen)


def free_port():
    """Find a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _first_answer(popen, port, headers, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if popen.poll() is not None:
            raise MeasurementError(f"{popen.args[0]} ended: {log.read_text()[-2000:]}")
        try:
            status, body = ask(port, "GET", "/organization/usage", headers)
        except OSError:
            time.sleep(0.002)
        else:
            if not 200 <= status < 300:
                raise MeasurementError(f"{popen.args[0]} answered {status}: {body[:500]}")
            return
    raise MeasurementError(f"{popen.args[0]} did not answer within {START_SECONDS} s: {log.read_text()[-2000:]}")


def _stop(popen):
    popen.terminate()
    try:
        popen.wait(30)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
