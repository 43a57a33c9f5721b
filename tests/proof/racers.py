"""Eight processes that ask for holds at once, each with a store of its own; started once, for many rounds."""

import multiprocessing
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sendmeter.domain.events import UsageEvent
from sendmeter.domain.holds import Asked
from sendmeter.domain.instants import instant_text
from sendmeter.errors import InvalidRequest, Unavailable, UsageLimitExceeded
from sendmeter.services import corrections, events, holds
from sendmeter.store import Store

RACERS, HOLDS_EACH = 8, 200
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Task:
    """A round: what is asked for, and what else goes on. Quantities and costs are drawn anew for each hold.

    With `cycle_end`, each process has a clock of its own, which passes that instant halfway through the round; holds
    are settled into either cycle, and events of a closed one are taken back.
    """

    organization_number: int
    channels: tuple[str, ...]
    quantities: tuple[int, ...] = (1,)
    estimate: str | None = None
    recorded: str | None = None
    ending: bool = False
    cycle_end: datetime | None = None


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


def clock_of(task, name, count):
    """Return the clock of a process at one of its holds: seconds apart from the others', around a cycle's end."""
    if task.cycle_end is None:
        return lambda: NOW
    skew = timedelta(seconds=2 * (int(name[1:]) - RACERS // 2))
    passed = timedelta(milliseconds=100) * (count - HOLDS_EACH // 2)
    return lambda: task.cycle_end + passed + skew


def race(store, task, name):
    chance, outcome = random.Random(f"{task.organization_number} {name}"), Outcome()
    for count in range(HOLDS_EACH):
        hold_id, quantity = f"{name}-{count}", chance.choice(task.quantities)
        asked = {"id": hold_id, "channel": chance.choice(task.channels), "quantity": quantity}
        asked |= {"estimatedCost": task.estimate} if task.estimate else {}
        clock = clock_of(task, name, count)
        try:
            patiently(holds.place, store, task.organization_number, Asked.from_json(asked), clock)
        except UsageLimitExceeded:
            outcome.refused.append(quantity)
        else:
            outcome.admitted.append(quantity)
            if task.ending:
                end(store, task, hold_id, clock, outcome, chance)
        if task.cycle_end and count % 20 == 0:
            take_back(store, task, f"old-{hold_id}", clock())
            outcome.voided += 1
        if task.recorded and count % 10 == 0:
            record(store, task, f"plain-{hold_id}", outcome)
    return outcome


def take_back(store, task, event_id, now):
    patiently(corrections.void, store, task.organization_number, ("api", event_id), "a race", now, by="test")


def end(store, task, hold_id, clock, outcome, chance):
    """Settle some holds as they were placed, take some of those back, release some, and leave some."""
    number = task.organization_number
    # Around a cycle's end few are left standing, so that room is asked for until both cycles are full.
    choice = chance.choice(("settle", "settle", "void", "release", "release" if task.cycle_end else "leave"))
    if choice == "release":
        patiently(holds.release, store, number, hold_id, clock)
        outcome.released += 1
    elif choice != "leave":
        in_next_cycle = task.cycle_end and chance.choice((True, False))
        settlement = {"occurredAt": instant_text(task.cycle_end)} if in_next_cycle else {}
        try:
            patiently(holds.settle, store, number, hold_id, settlement, clock)
        except InvalidRequest:
            # Decided long after the cycle's end, so that its first instant is long before the hold.
            patiently(holds.settle, store, number, hold_id, {}, clock)
        outcome.settled += 1
    if choice == "void":
        take_back(store, task, hold_id, clock())
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
