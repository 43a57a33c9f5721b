"""Standings are of one instant: what moves from held to used is in just one of them."""

import threading

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.holds import Asked
from sendmeter.services import holds, limits, organizations
from tests.live import NOON


def test_a_hold_that_is_settled_while_one_looks_is_neither_lost_nor_counted_twice(store):
    number = organizations.create(store, "Test", Anchor(1, "UTC"), Caps(messages=10**6), NOON, by="test")
    number = number.organization.number
    holding = threading.Thread(target=place_and_settle, args=(store, number, 250))
    holding.start()
    seen = [0]
    while holding.is_alive():
        (found,) = limits.get(store, number, NOON).standings
        seen.append(found.used + found.held)
    holding.join()
    # Nothing is released: together they only grow, by one hold at a time.
    assert seen == sorted(seen)
    assert len(seen) > 20


def place_and_settle(store, number, times):
    for count in range(times):
        holds.place(store, number, Asked.from_json({"id": f"hold-{count}", "channel": "EMAIL"}), lambda: NOON)
        holds.settle(store, number, f"hold-{count}", {}, lambda: NOON)
