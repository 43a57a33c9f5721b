"""One run: senders, a server and its database, something that kills, and what is found after each kill."""

import json
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.services import organizations
from sendmeter.startup import utc_now
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.cli.processes import wait_until
from tests.live import ROOT, Client
from tests.proof.crash_checks import Checks
from tests.proof.crash_journal import COSTED, MESSAGES, Journal
from tests.proof.crash_requests import SCARCE, Requests
from tests.proof.crash_senders import Sender

SENDERS = 6
PLENTY = 2**50
SCARCE_CAP = 150
REPORTS = ROOT / "build" / "proof"


def capped():
    """Return caps of every kind, so that the limits tell what is held of each; one of them is soon full."""
    channels = dict.fromkeys((*MESSAGES, *COSTED), PLENTY) | {SCARCE: SCARCE_CAP}
    return Caps(messages=PLENTY, budget_nano_usd=10**18, channels=channels)


def founded(store):
    """Make an organization, months old, in the middle of its billing cycle: so no run crosses the end of it."""
    now = utc_now()
    anchor = Anchor(min((now - timedelta(days=14)).day, 28), "UTC")
    return organizations.create(store, "Crashed", anchor, capped(), now, by="test", starts_at=now - timedelta(days=99))


@dataclass
class Run:
    """What is killed again and again, and what was counted."""

    name: str
    url: str
    senders: list
    checks: Checks
    chance: random.Random
    kills: dict = field(default_factory=dict)
    landed: int = 0

    @property
    def journal(self):
        return self.checks.journal

    @contextmanager
    def load(self, threads):
        """All senders at once, from before the block until after it."""
        done = threading.Event()
        before = self.journal.counts["acknowledged"]
        running = [threads.submit(sender.run, done) for sender in self.senders]
        try:
            # Every sender has a connection, and the server is in the midst of it.
            wait_until(lambda: self.journal.faults or self.journal.counts["acknowledged"] > before + SENDERS, 60)
            self.pause(0.02, 0.4)
            yield
        finally:
            done.set()
            for each in running:
                each.result(120)

    def pause(self, shortest, longest):
        """Wait for a random time: that the moment is any is the point."""
        time.sleep(self.chance.uniform(shortest, longest))

    def killed(self, how):
        self.kills[how] = self.kills.get(how, 0) + 1

    def check_and_send_again(self, threads):
        """Check what is there; send again what was not acknowledged; check again, with nothing in doubt."""
        self.landed += self.checks.check([request for sender in self.senders for request in sender.doubts])
        for _ in range(5):
            list(threads.map(Sender.send_again, self.senders))
            if not any(sender.doubts for sender in self.senders):
                break
        assert not any(sender.doubts for sender in self.senders)
        self.checks.check([])

    def report(self):
        """Write down what was counted."""
        counts = self.journal.counts
        events = sum(key[0] == "event" for key in self.journal.states)
        found = {
            "kills": sum(self.kills.values()),
            "killed": self.kills,
            "requests": counts["requests"],
            "acknowledged": counts["acknowledged at once"],
            "unacknowledged": counts["unacknowledged"],
            "unacknowledgedButDone": self.landed,
            "retries": counts["retries"],
            "events": events,
            "holds": sum(key[0] == "hold" for key in self.journal.states),
        }
        reported(self.name, found)


@contextmanager
def run_of(name, database_url, url, seed):
    """Make an organization in a database, and senders for the server at `url`."""
    chance, journal, shared = random.Random(f"{seed} {name}"), Journal(), count()
    with closing(Store(database_url)) as store, ThreadPoolExecutor(SENDERS) as threads:
        if store.is_sqlite:
            upgrade(store)
        made = founded(store)
        chances = [random.Random(chance.random()) for _ in range(SENDERS)]
        senders = [
            Sender(url, made.token, journal, each, Requests(f"s{number}", journal, each, shared))
            for number, each in enumerate(chances)
        ]
        client = Client(url, made.token)
        run = Run(name, url, senders, Checks(store, made.organization, client, journal), chance)
        try:
            yield run, threads
        except BaseException as error:
            error.add_note(f"PROOF_SEED={seed} repeats the choices of {name}; killed so far: {run.kills}")
            raise
        finally:
            client.close()
            for sender in senders:
                sender.http.close()


def reported(name, found):
    """Write down what a proof counted, in a file and, with `-s`, where one looks."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"crash-{name}.json").write_text(json.dumps(found, indent=2) + "\n")
    sys.stdout.write(f"\ncrash {name} {json.dumps(found)}\n")


def seed():
    return int(os.environ.get("PROOF_SEED", "1"))
