"""Whether the server can do its work."""

from sendmeter.errors import Unavailable
from sendmeter.store import Store
from sendmeter.store.health import try_writing
from sendmeter.store.schema import SchemaState, state_of


def check(store: Store) -> None:
    """Ask the database for its schema; where writing failed the last time, try whether it can be done again.

    So nothing is written as long as all is well, and a server that nobody sends to any more finds out that it is.
    Raises Unavailable if the database does not answer, has a schema that this version does not know, or cannot be
    written to.
    """
    state = state_of(store)
    if not state.is_current:
        raise Unavailable(advice_on(state) or "The database has no schema.")
    store.check_file()
    if store.writing_failed:
        try_writing(store)


def advice_on(state: SchemaState) -> str | None:
    """Say what to do about a schema of another version; None where it is this one's or the database is empty."""
    if state.unknown:
        return (
            f"The database was written by a newer version of Sendmeter (it has {', '.join(state.unknown)}). "
            "Start that version, or a later one."
        )
    if state.missing and not state.is_empty:
        return (
            f"The database was written by an older version of Sendmeter (it lacks {', '.join(state.missing)}). "
            'Back it up, then run "sendmeter db upgrade".'
        )
    return None
