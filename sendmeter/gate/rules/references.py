"""References: each leads to a component of the kind that may stand there. What walks a contract follows them."""

from collections.abc import Iterator

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import COMBINED, Part, components, parts, plain

Finding = tuple[str, str]


def every_reference_leads_to_a_component(document: Document) -> Iterator[Finding]:
    """Each `$ref` is `#/components/KIND/NAME`, of something that is there and may stand in its place."""
    for where, kind, target in _references(document):
        name = str(target).removeprefix(f"#/components/{kind}/")
        if kind in ("paths", "operations"):
            yield where, "is a reference: write it out"
        elif target != f"#/components/{kind}/{name}":
            yield where, f"refers to {target!r}; it must be #/components/{kind}/NAME"
        elif not isinstance(components(document, kind).get(name), dict):
            yield where, f"refers to {target}, which is not there"


def _references(document: Document) -> Iterator[tuple[str, str, object]]:
    for where, kind, part in parts(document):
        if "$ref" in part:
            yield where, kind, part["$ref"]
        if kind == "schemas":
            for value, target in part.get("discriminator", {}).get("mapping", {}).items():
                yield f"{where}/discriminator/mapping/{value}", kind, target


def nothing_refers_to_itself(document: Document) -> Iterator[Finding]:
    """No component is, or is combined of, itself; a schema may have itself as a member or an item."""
    for kind in plain(document.get("components", {})):
        for name in components(document, kind):
            start = f"#/components/{kind}/{name}"
            if start in _same(document, start):
                yield start, "is, or is combined of, itself"


def _same(document: Document, start: str) -> set[str]:
    """Return all that a component is at once: what it refers to, and what it is combined of."""
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
