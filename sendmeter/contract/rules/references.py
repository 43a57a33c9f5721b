"""References: each leads to a component of the kind that may stand there. What walks a contract follows them."""

from collections.abc import Iterator

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import COMBINED, Part, components, parts

Finding = tuple[str, str]
KINDS = ("parameters", "headers", "responses", "examples", "links")


def every_reference_leads_to_a_component(document: Document) -> Iterator[Finding]:
    """Each `$ref` is `#/components/KIND/NAME`, of something that is there and may stand in its place."""
    for where, part in parts(document):
        if where.endswith("/properties") or "$ref" not in part:
            continue
        target, kind = part["$ref"], _kind_at(where)
        name = str(target).removeprefix(f"#/components/{kind}/")
        if target != f"#/components/{kind}/{name}":
            yield where, f"refers to {target!r}; it must be #/components/{kind}/NAME"
        elif not isinstance(components(document, kind).get(name), dict):
            yield where, f"refers to {target}, which is not there"


def nothing_refers_to_itself(document: Document) -> Iterator[Finding]:
    """No component is, or is combined of, itself; a schema may have itself as a member or an item."""
    for kind in document.get("components", {}):
        for name in components(document, kind):
            start = f"#/components/{kind}/{name}"
            if start in _same(document, start):
                yield start, "is, or is combined of, itself"


def _same(document: Document, start: str) -> set[str]:
    """Give all that a component is at once: what it refers to, and what it is combined of."""
    found: set[str] = set()
    ahead = [_target(document, start)]
    while ahead:
        part = ahead.pop()
        ahead += [one for word in (*COMBINED, "not") for one in _listed(part.get(word)) if isinstance(one, dict)]
        reference = part.get("$ref")
        if isinstance(reference, str) and reference not in found:
            found.add(reference)
            ahead.append(_target(document, reference))
    return found


def _target(document: Document, reference: str) -> Part:
    _, _, kind, name = reference.split("/", 3)
    target: Part = components(document, kind)[name]
    return target if isinstance(target, dict) else {}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _kind_at(where: str) -> str:
    """Tell what kind of component may stand somewhere."""
    *_, holder, last = where.split("/")
    if last == "requestBody" or holder == "requestBodies":
        return "requestBodies"
    return holder if holder in KINDS and not where.endswith("/schema") else "schemas"
