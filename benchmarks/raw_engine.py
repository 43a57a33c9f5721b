"""The raw engine, as a process of its own that is given bodies to work through."""

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import MeasurementError, settle_disk
from benchmarks.rounds import Round
from benchmarks.servers import ROOT


@dataclass
class RawEngine:
    """A process that is connected to a database, and does what it is given."""

    popen: subprocess.Popen
    file: Path

    def work(self, what, bodies, *, units=1, seconds=None):
        """Let it do the work of some bodies; with `seconds`, of as many as it can."""
        self.file.write_bytes(b"\n".join(bodies))
        settle_disk()
        told = self._asked({"what": what, "file": str(self.file), "seconds": seconds})
        if seconds is not None and told["done"] == len(bodies):
            raise MeasurementError("the raw engine had too few bodies")
        return Round(**told | {"done": told["done"] * units})

    def _asked(self, command):
        self.popen.stdin.write(json.dumps(command) + "\n")
        self.popen.stdin.flush()
        line = self.popen.stdout.readline()
        if not line:
            raise MeasurementError(f"the raw engine ended: {self.popen.stderr.read()}")
        return json.loads(line)


@contextmanager
def connected(database, folder):
    """Start it; it stays connected until the block ends."""
    command = [sys.executable, "-m", "benchmarks.peers.raw", database.url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as popen:
        try:
            yield RawEngine(popen, folder / "bodies.ndjson")
        finally:
            popen.stdin.close()
            popen.wait(60)
