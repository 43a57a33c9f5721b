"""Listings by page: where one begins, as its cursor says."""

from collections.abc import Sequence

from sendmeter.domain.cursors import Position, read_cursor
from sendmeter.domain.organizations import Organization
from sendmeter.errors import Fault, InvalidRequest


def start_of(organization: Organization, listing: Sequence[object], cursor: str | None) -> Position | None:
    """Read the cursor of a listing; None where it begins at its beginning.

    Raises InvalidRequest if the cursor was not given to this organization for this listing.
    """
    if cursor is None:
        return None
    try:
        return read_cursor(organization.cursor_key, listing, cursor)
    except ValueError as error:
        fix = "Send the nextCursor of the page before, with the same filters, or none to begin anew."
        raise InvalidRequest("The cursor is not valid.", fix=fix, faults=[Fault("query:cursor", str(error))]) from error
