"""Eight processes that ask for holds at once, each with a store of its own; started once, for many rounds."""

import multiprocessing
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sendmeter.domain.events import UsageEvent
from sendmeter.domain.holds import Asked
from sendmeter.errors import Unavailable, UsageLimitExceeded
from sendmeter.services import corrections, events, holds
from sendmeter.store import Store

RACERS, HOLDS_EACH = 8, 200
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Task:
    """A round: what is asked for, and what else goes on. Quantities and costs are drawn anew for each hold."""

    organization_number: int
    channels: tuple[str, ...]
    quantities: tuple[int, ...] = (1,)
    estimate: str | None = None
    recorded: str | None = None
    ending: bool = False


@dataclass
class Outcome:
    """What one process did: quantities that were admitted and refused, and what was done with the admitted ones."""

    admitted: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    settled: int = 0
    released: int = 0
    voided: int = 0
    recorded: int = 0


def patiently(work, *arguments, **options):
    """Ask again where the database has no time: as callers are told to by a 503."""
    while True:
        try:
            return work(*arguments, **options)
        except Unavailable:
            continue


def race(store, task, name):
    chance, outcome = random.Random(f"{task.organization_number} {name}"), Outcome()
    for count in range(HOLDS_EACH):
        hold_id, quantity = f"{name}-{count}", chance.choice(task.quantities)
        asked = {"id": hold_id, "channel": chance.choice(task.channels), "quantity": quantity}
        asked |= {"estimatedCost": task.estimate} if task.estimate else {}
        try:
            patiently(holds.place, store, task.organization_number, Asked.from_json(asked), NOW)
        except UsageLimitExceeded:
            outcome.refused.append(quantity)
        else:
            outcome.admitted.append(quantity)
            if task.ending:
                end(store, task, hold_id, outcome, chance)
        if task.recorded and count % 10 == 0:
            record(store, task, f"plain-{hold_id}", outcome)
    return outcome


def end(store, task, hold_id, outcome, chance):
    """Settle some holds as they were placed, take some of those back, release some, and leave some."""
    number = task.organization_number
    choice = chance.choice(("settle", "settle", "void", "release", "leave"))
    if choice == "release":
        patiently(holds.release, store, number, hold_id, NOW)
        outcome.released += 1
    elif choice != "leave":
        patiently(holds.settle, store, number, hold_id, {}, NOW)
        outcome.settled += 1
    if choice == "void":
        patiently(corrections.void, store, number, ("api", hold_id), "a race", NOW, by="test")
        outcome.voided += 1


def record(store, task, event_id, outcome):
    event = UsageEvent.from_json({"id": event_id, "channel": task.recorded})
    patiently(events.record, store, task.organization_number, [("", event)], NOW)
    outcome.recorded += 1


def run(url, name, barrier, pipe):
    """Race until there is no further task. What fails is told, and the others go on."""
    store = Store(url)
    while (task := pipe.recv()) is not None:
        barrier.wait(PATIENCE_SECONDS)
        try:
            pipe.send(race(store, task, name))
        except Exception as error:
            pipe.send(repr(error))
    store.close()


@contextmanager
def racers(url):
    """Start the processes; gives a function that runs a round and gives all outcomes."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(RACERS)
    ends = [context.Pipe() for _ in range(RACERS)]
    processes = [
        context.Process(target=run, args=(url, f"r{number}", barrier, theirs), daemon=True)
        for number, (_, theirs) in enumerate(ends)
    ]
    for process, (_, theirs) in zip(processes, ends, strict=True):
        process.start()
        theirs.close()  # so that the end of a process is the end of its pipe
    pipes = [ours for ours, _ in ends]

    def round_of(task, meanwhile=lambda: None):
        for pipe in pipes:
            pipe.send(task)
        return list(collect(pipes, meanwhile))

    try:
        yield round_of
    finally:
        for pipe in pipes:
            pipe.send(None)
        for process in processes:
            process.join(20)
            process.kill()


def collect(pipes, meanwhile):
    """Wait for every process; look what is so meanwhile."""
    for pipe in pipes:
        while not pipe.poll(0.02):
            meanwhile()
        outcome = pipe.recv()
        assert isinstance(outcome, Outcome), outcome
        yield outcome
