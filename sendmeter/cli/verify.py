"""`sendmeter verify`: the proof that the counters are right."""

import sys

import click

from sendmeter.cli.options import database_option, json_option, opened, organization_of, print_json
from sendmeter.services import organizations
from sendmeter.services.verify import differences


@click.command()
@click.option("--organization", metavar="ORG", help="Only this organization.  [default: all]")
@database_option
@json_option
def verify(organization: str | None, database: str | None, as_json: bool) -> None:
    """Compute every counter again from the ledger of events.

    Exits 1, naming each counter that differs; exits 0 where all are right. The server may run meanwhile.
    """
    with opened(database) as store:
        one = organization_of(store, organization)
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


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
