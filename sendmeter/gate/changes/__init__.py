"""What changed between two contracts, and what of it breaks a client.

What a client sends may be refused only where it was refused before, and what it is answered it must have been told of:
requests may become wider, answers narrower, and not the other way round. Words, examples and links are not compared.
"""

from sendmeter.contract.reading import Document
from sendmeter.gate.changes.effects import Change
from sendmeter.gate.changes.operations import Contracts

__all__ = ["Change", "changes"]


def changes(old: Document, new: Document) -> list[Change]:
    """Find all changes, those that break a client first; one that several operations share is given once."""
    shared: dict[tuple[str, str, bool], dict[str, None]] = {}
    for change in Contracts(old, new).changes():
        operations = shared.setdefault((change.where, change.what, change.breaks), {})
        operations |= dict.fromkeys(change.operations)
    found = [Change(*told, tuple(operations)) for told, operations in shared.items()]
    return sorted(found, key=lambda change: not change.breaks)
