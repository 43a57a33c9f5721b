"""How many requests a key may make in a second, where the operator sets a limit; counted by each process for itself.

Reads are not counted: the contract has no 429 for them. The library's moving window never forgets a key; its sliding
window does, two windows after the key's last request.
"""

import math
import time
from threading import Lock
from typing import TYPE_CHECKING

from sendmeter.contract import Operation
from sendmeter.domain.keys import Key
from sendmeter.errors import TooManyRequests

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import RateLimiter

LONGEST_WINDOW_SECONDS = 3600
"""What the contract has as the longest time that a caller is told to wait."""


class Rates:
    """Counts the requests of each key, and refuses those that are too many."""

    def __init__(self, per_second: float) -> None:
        """Take how many requests a key may make in a second; 0.25 is one in four seconds, and 0 is no limit."""
        self._limiter: RateLimiter | None = None
        if per_second:
            self._limiter, self._limit = _counting(per_second)
            # The library's storage in memory locks each key, but makes and drops these locks without one.
            self._lock = Lock()

    def take(self, operation: Operation, caller: Key | None) -> None:
        """Count a request whose key is known to be right.

        Raises TooManyRequests, and does not count it, where the key has made as many as it may.
        """
        if self._limiter is None or caller is None or 429 not in operation.answers:
            return
        with self._lock:
            if self._limiter.hit(self._limit, caller.key_id):
                return
            free_at = self._limiter.get_window_stats(self._limit, caller.key_id).reset_time
        count, seconds = self._limit.amount, self._limit.get_expiry()
        raise TooManyRequests(
            f"The server takes no more requests of this key than {count:,} in {seconds:,} s.",
            retry_after_seconds=free_at - time.time(),
        )


def _counting(per_second: float) -> "tuple[RateLimiter, RateLimitItem]":
    """Return a limiter, and what it limits: a whole number of requests, in a window of whole seconds."""
    from limits import RateLimitItemPerSecond  # noqa: PLC0415 - a tenth of a second, for a limit that few set
    from limits.storage import MemoryStorage  # noqa: PLC0415 - as above
    from limits.strategies import SlidingWindowCounterRateLimiter  # noqa: PLC0415 - as above

    seconds = math.ceil(min(1 / per_second, LONGEST_WINDOW_SECONDS))
    limit = RateLimitItemPerSecond(max(1, math.floor(per_second)), seconds)
    return SlidingWindowCounterRateLimiter(MemoryStorage()), limit
