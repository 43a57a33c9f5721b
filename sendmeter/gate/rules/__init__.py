"""The rules that a contract keeps: OpenAPI's, by a library, and ours. Each gives what breaks it: where, and what.

A rule's first line says what it wants: whoever broke it is shown that line.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from sendmeter.contract.reading import Document
from sendmeter.gate.rules import answers, operations, references, schemas
from sendmeter.gate.rules.references import Finding

Rule = Callable[[Document], Iterator[Finding]]

OURS: tuple[Rule, ...] = (
    operations.the_server_can_serve_it,
    operations.every_operation_says_who_it_is,
    operations.what_must_be_given_has_an_example,
    operations.parameters_are_what_connexion_can_read,
    operations.what_needs_a_key_says_so,
    operations.who_may_ask_is_told,
    operations.what_a_path_names_may_not_be_there,
    operations.what_takes_a_body_refuses_some,
    answers.every_answer_has_a_status,
    answers.every_error_has_the_one_body,
    answers.every_answer_names_its_request,
    answers.every_header_has_an_example,
    answers.every_operation_may_fail,
    answers.links_lead_somewhere,
    schemas.the_server_can_read_its_schemas,
    schemas.a_discriminator_chooses_one_shape,
    schemas.every_schema_can_be_fulfilled,
    schemas.everything_is_described,
    schemas.everything_is_bounded,
    schemas.every_body_has_examples,
    schemas.examples_are_valid,
    schemas.nothing_is_named_in_vain,
)


@dataclass(frozen=True, slots=True)
class Violation:
    """What breaks a rule: what the rule wants, where it is broken, and how."""

    rule: str
    where: str
    what: str


def violations(document: Document, functions: Collection[str] | None = None) -> list[Violation]:
    """Find all that breaks a rule.

    A rule of ours reads what OpenAPI promises, so what breaks OpenAPI is told first, and alone. `functions` names the
    functions that answer operations; None where the contract may be ahead of them.
    """
    from sendmeter.gate.rules import openapi  # noqa: PLC0415 - a quarter of a second that nobody else should wait

    rules = [openapi.it_agrees_with_itself, *OURS]
    if functions is not None:
        rules.append(partial(operations.every_operation_has_its_function, functions=functions))
    return unsound(document) or [violation for rule in rules for violation in _broken(rule, document)]


def disagreements(document: Document) -> list[Violation]:
    """Find what of a sound contract contradicts itself, such as an operationId that two operations have."""
    from sendmeter.gate.rules import openapi  # noqa: PLC0415 - as above

    return list(_broken(openapi.it_agrees_with_itself, document))


def unsound(document: Document) -> list[Violation]:
    """Find what makes that a contract cannot be read any further: it is not OpenAPI, or its references lead nowhere."""
    from sendmeter.gate.rules import openapi  # noqa: PLC0415 - as above

    rules: tuple[Rule, ...] = (
        openapi.it_has_the_shape_of_openapi,
        references.every_reference_leads_to_a_component,
        references.nothing_refers_to_itself,
    )
    return next(filter(None, (list(_broken(rule, document)) for rule in rules)), [])


def _broken(rule: Rule, document: Document) -> Iterator[Violation]:
    wants = (getattr(rule, "func", rule).__doc__ or "").partition("\n")[0]
    # An error in what several operations share is told once.
    for where, what in dict.fromkeys(rule(document)):
        yield Violation(wants, where, what)
