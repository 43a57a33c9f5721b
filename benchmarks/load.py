"""Load: wrk for as many requests as a time allows, clients of our own for just those requests that are given."""

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

from benchmarks.rounds import Round

FOLDER = Path(__file__).parent
MARK = "wrk-summary "


class MeasurementError(Exception):
    """Something was not as it must be for a figure to count."""


def require_wrk():
    """Return how to get wrk where there is none."""
    if shutil.which("wrk") is None:
        print("The benchmarks need wrk: apt-get install wrk", flush=True)
        raise SystemExit(2)


def ask(port, method, path, headers, body=None):
    """Send one request; give the status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def wrk(server, script, path, *, seconds, connections, headers, arguments=()):
    """Load a server for a time with so many connections; each answer must be a success."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", FOLDER / "lua" / script]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += [f"http://127.0.0.1:{server.port}{path}", "--", *arguments]
    before = server.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60, cwd=FOLDER.parent)
    cpu_seconds = server.cpu_seconds() - before
    marked = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not marked:
        raise MeasurementError(f"wrk failed: {done.stdout}{done.stderr}")
    found = json.loads(marked[0].removeprefix(MARK))
    if found["errors"] or not found["requests"]:
        raise MeasurementError(
            f"{server.name}: {found['errors']} of {found['requests']} requests failed: {found}\n{server.said()}"
        )
    return Round(found["requests"], found["microseconds"] / 1e6, cpu_seconds, found["p50_us"], found["p99_us"])


def post_all(server, path, bodies, *, connections, headers, units=1, expected=(200, 201)):
    """Post all bodies, each once, over so many connections that each wait for their answer.

    Gives the round, in which each body counts as so many units, and how often each status came.
    """
    fields = {"Host": "127.0.0.1", "Content-Type": "application/json", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    requests = [f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    before = server.cpu_seconds()
    started = time.perf_counter()
    answers = asyncio.run(_send(server.port, requests, connections))
    seconds = time.perf_counter() - started
    cpu_seconds = server.cpu_seconds() - before
    statuses = Counter(status for status, _, _ in answers)
    if not set(statuses) <= set(expected):
        wrong = next(body for status, _, body in answers if status not in expected)
        raise MeasurementError(f"{server.name}: statuses {dict(statuses)}: {wrong[:500]}\n{server.said()}")
    taken = sorted(each for _, each, _ in answers)
    p50, p99 = (taken[int(part * (len(taken) - 1))] * 1e6 for part in (0.5, 0.99))
    return Round(len(bodies) * units, seconds, cpu_seconds, p50, p99), statuses


async def _send(port, requests, connections):
    waiting = iter(requests)
    answers = []

    async def client():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        for request in waiting:
            started = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            _, found, length = head.partition(b"content-length:")
            if not found:
                raise MeasurementError(f"an answer without a length: {head!r}")
            body = await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
            answers.append((int(head.split(b" ", 2)[1]), time.perf_counter() - started, body))
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(client())
    return answers


def settle_disk():
    """Write down what is waiting to be: it would be written during a round."""
    os.sync()
