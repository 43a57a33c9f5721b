"""`sendmeter verify`: the proof that the counters are right."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from sendmeter.cli.options import database_option, json_option, opened, organization_of, print_json
from sendmeter.services import organizations
from sendmeter.services.backup import standing_still
from sendmeter.services.verify import differences
from sendmeter.store import Store


@click.command()
@click.option("--organization", metavar="ORG", help="Only this organization.  [default: all]")
@click.option("--in-place", is_flag=True, help="Read a SQLite database itself, not a temporary copy.")
@database_option
@json_option
def verify(organization: str | None, in_place: bool, database: str | None, as_json: bool) -> None:
    """Compute every counter again from the ledger of events.

    Exits 1 and names each counter that differs, 0 if all are right, 3 if the database does not answer. The server may
    run meanwhile: a SQLite database is copied to a temporary file beside it, which takes as much disk space as the
    database. With --in-place it takes none, but the -wal file grows by all that is recorded until the command ends.
    """
    with ExitStack() as stack:
        store = stack.enter_context(opened(database))
        one = organization_of(store, organization)
        if not in_place and store.path is not None:
            store = stack.enter_context(_copied(store))
        checked = [one] if one else organizations.everyone(store)
        found: dict[str, list[str]] = {}
        with click.progressbar(checked, label="Adding up", file=sys.stderr) as bar:
            for each in bar:
                found[each.organization_id] = differences(store, each)
    wrong = {organization_id: said for organization_id, said in found.items() if said}
    if as_json:
        print_json({"organizations": len(found), "differences": wrong})
    else:
        for organization_id, said in wrong.items():
            for line in said:
                click.echo(f"{organization_id}: {line}")
        count = sum(len(said) for said in wrong.values())
        click.echo(
            f"{_counted(count, 'difference')} in {len(wrong)} of {_counted(len(found), 'organization')}."
            if wrong
            else f"Every counter is what its ledger adds up to ({_counted(len(found), 'organization')})."
        )
    if wrong:
        sys.exit(1)


@contextmanager
def _copied(store: Store) -> Iterator[Store]:
    """Return a copy of the database that nobody writes to."""
    with ExitStack() as stack:
        with click.progressbar(length=1, label="Copying", file=sys.stderr) as bar:

            def progress(done: int, pages: int) -> None:
                bar.length = pages
                bar.update(done - bar.pos)

            still = stack.enter_context(standing_still(store, progress))
        yield still


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
