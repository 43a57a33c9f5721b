"""Holds of one organization, asked for by 32 clients at once; and whether one more than fits is ever admitted."""

from benchmarks import bodies, data, raw_engine, servers
from benchmarks.bench import HOLDS
from benchmarks.load import MeasurementError, post_all, settle_disk
from benchmarks.rounds import Row, Target, alternate

CLIENTS = 32
LAID = 5_000
ROOM = 200
ASKED = 600


def measure(bench):
    """Measure on both databases."""
    return [_measure(bench, kind) for kind in ("sqlite", "postgresql")]


def _measure(bench, kind):
    count = 400 if bench.short else 1_000
    name = f"holds-{kind}"
    with bench.room(name) as folder, bench.databases(kind, folder, 2, LAID) as (ours, bare):
        data.limit(ours, 1_000_000_000)
        with (
            bench.serving(folder, "sendmeter", servers.product, ours) as server,
            raw_engine.connected(bare, folder) as raw,
        ):

            def place(number):
                settle_disk()
                asked = bodies.holds(count, seed=f"{name}-{number}")
                options = {"connections": CLIENTS, "headers": ours.headers, "expected": (201,)}
                return post_all(server, HOLDS, asked, **options)[0]

            sides = {
                "sendmeter": place,
                "raw engine": lambda n: raw.work("holds", bodies.holds(count, seed=f"{name}-{n}")),
            }
            for side in sides.values():
                side(-1)
            found = alternate(bench.rounds, sides, bench.say)
            _check_no_overshoot(bench, server, ours)
            _check_held(bare, (bench.rounds + 1) * count)
    targets = [Target("sendmeter", "raw engine", "per_second", least=0.3), Target("sendmeter", "raw engine", "cpu_us")]
    notes = {"standing at the end": (bench.rounds + 1) * count + ROOM, "overshoot": 0}
    title = f"POST of holds on one organization, {kind}, {CLIENTS} clients"
    return Row(name, title, "holds", found, targets, notes)


def _check_no_overshoot(bench, server, database):
    """Let many more ask at once than fit under the cap, and raise where not just those are admitted."""
    used, held = _used(database), _held(database)
    data.limit(database, used + held + ROOM)
    asked = bodies.holds(ASKED, seed="race")
    options = {"connections": CLIENTS, "headers": database.headers, "expected": (201, 402)}
    _, statuses = post_all(server, HOLDS, asked, **options)
    if statuses != {201: ROOM, 402: ASKED - ROOM} or _held(database) != held + ROOM:
        raise MeasurementError(
            f"for {ROOM} that fit there were {dict(statuses)}, and {_held(database) - held} are held"
        )
    bench.say(f"of {ASKED} holds at once just the {ROOM} that fit were admitted")


def _used(database):
    messages = "('EMAIL', 'INAPP_WEB', 'WEB_PUSH', 'PUSH', 'SLACK')"
    return int(database.one(f"SELECT SUM(quantity) FROM cycle_counters WHERE channel IN {messages}")[0])


def _held(database):
    return int(database.one("SELECT COALESCE(SUM(quantity), 0) FROM holds WHERE state = 'held'")[0])


def _check_held(database, expected):
    room = database.one("SELECT held FROM room")[0]
    if not room == _held(database) == expected:
        raise MeasurementError(f"the raw engine holds {room} instead of {expected}")
