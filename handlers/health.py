"""`health.…`: for load balancers and supervisors."""

from sendmeter.services import health
from sendmeter.store import Store


def live() -> dict[str, str]:
    """Answer that the process answers."""
    return {"status": "ok"}


def ready(store: Store) -> dict[str, str]:
    """Answer that the database does, too."""
    health.check(store)
    return {"status": "ok"}
