"""What differs between the operations of two contracts: who may call them, with what, and what they answer."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import METHODS, Part, components, paths, plain, resolve
from sendmeter.gate.changes.effects import Change, Difference, Side
from sendmeter.gate.changes.schemas import Comparison
from sendmeter.gate.changes.values import alike, text

Place = tuple[str, str]
Operations = dict[Place, Part]
_NONE: Part = {"schema": {}}
_OPEN = "without a key"


class Contracts:
    """Two contracts whose operations are compared."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = old, new
        self._schemas = Comparison(old, new)

    def changes(self) -> Iterator[Change]:
        """Return what changed, operation by operation."""
        yield from _of_servers("servers", _servers(self.old), _servers(self.new))
        yield from self._of_types()
        olds, news = _by_place(self.old), _by_place(self.new)
        moved = dict(_moved(olds, news))
        for place, operation in olds.items():
            target = moved.get(place, place)
            if target not in news:
                yield Change(_named(place, operation), "is gone", breaks=True)
                continue
            for change in self._of_operation(place, operation, target, news[target]):
                yield replace(change, operations=(operation.get("operationId", ""),))
        for place, operation in news.items():
            if place not in olds and place not in moved.values():
                yield Change(_named(place, operation), "is new", breaks=False)

    def _of_types(self) -> Iterator[Change]:
        """Compare what schemas are called, whoever uses them."""
        olds, news = components(self.old, "schemas"), components(self.new, "schemas")
        come = [name for name in news if name not in olds]
        for name in olds:
            if name not in news:
                same = [each for each in come if self._schemas.same(olds[name], news[each])]
                what = f"is renamed to {same[0]}" if len(same) == 1 else "is gone"
                yield Change(name, f"{what}: generated clients have a type of that name", breaks=True)

    def _of_operation(self, place: Place, old: Part, target: Place, new: Part) -> Iterator[Change]:
        where = _named(place, old)
        if place != target:
            yield Change(where, f"moved to {_named(target, new)}", breaks=True)
        elif old.get("operationId") != new.get("operationId"):
            what = f"operationId {old.get('operationId')} → {new.get('operationId')}: generated clients call it by that"
            yield Change(where, what, breaks=True)
        yield from _of_names(where, old, new)
        if "servers" in old or "servers" in new:
            yield from _of_servers(f"{where} servers", _servers(self.old, old), _servers(self.new, new))
        if not alike(old.get("callbacks"), new.get("callbacks")):
            yield Change(where, "calls back otherwise", breaks=True)
        if new.get("deprecated") and not old.get("deprecated"):
            yield Change(where, "is deprecated", breaks=False)
        yield from self._of_keys(where, old, new)
        yield from self._of_parameters(where, old, new)
        yield from self._of_body(where, old.get("requestBody", {}), new.get("requestBody", {}))
        yield from self._of_answers(where, plain(old["responses"]), plain(new["responses"]))

    def _of_keys(self, where: str, old: Part, new: Part) -> Iterator[Change]:
        """Compare who may call an operation."""
        olds, news = _ways_in(self.old, old), _ways_in(self.new, new)
        lost = [way for way in olds if way not in news]
        yield from (Change(where, f"need not be called {way}", breaks=False) for way in lost if _OPEN in news)
        yield from (Change(where, f"cannot be called {way} any more", breaks=True) for way in lost if _OPEN not in news)
        yield from (Change(where, f"can be called {way}", breaks=False) for way in news if way not in olds)
        scope, wanted = old.get("x-required-scope"), new.get("x-required-scope")
        if scope != wanted:
            what = f"a key needs {wanted or 'no scope'}, where it needed {scope or 'none'}"
            yield Change(where, what, breaks=wanted is not None)

    def _of_parameters(self, where: str, old: Part, new: Part) -> Iterator[Change]:
        olds, news = _parameters(self.old, old), _parameters(self.new, new)
        gone = {key: olds[key] for key in olds if key not in news}
        come = {key: news[key] for key in news if key not in olds}
        for key, parameter in gone.items():
            if target := self._same_parameter(key, parameter, gone, come):
                what = f"moved to {target[0]}" if target[1] == key[1] else f"is renamed to {target[1]}"
                yield Change(f"{where} {' '.join(key)}", what, breaks=True)
                del come[target]
            else:
                yield Change(f"{where} {' '.join(key)}", "is gone", breaks=True)
        for key, parameter in come.items():
            required = parameter.get("required", False)
            yield Change(f"{where} {' '.join(key)}", f"is new{', and required' * required}", breaks=required)
        for key in olds:
            if key in news:
                yield from self._of_parameter(f"{where} {' '.join(key)}", olds[key], news[key])

    def _same_parameter(
        self, key: Place, parameter: Part, gone: dict[Place, Part], come: dict[Place, Part]
    ) -> Place | None:
        """Find what a parameter is now that is not where it was: the same name elsewhere, or another in its place."""
        moved = [target for target in come if target[1] == key[1]]
        alone = len([each for each in gone if each[0] == key[0]]) == 1
        renamed = [
            target
            for target, other in come.items()
            if alone and target[0] == key[0] and self._schemas.same(_schema(parameter), _schema(other))
        ]
        return next(iter([*moved, *renamed]), None)

    def _of_parameter(self, where: str, old: Part, new: Part) -> Iterator[Change]:
        yield from _of_required(where, old, new)
        one, other = _written(old), _written(new)
        for word, value in one.items():
            if value != other[word]:
                yield Change(where, f"{word} {text(value)} → {text(other[word])}", breaks=True)
        yield from self._of_schema(where, "requests", old, new)

    def _of_body(self, where: str, old: Part, new: Part) -> Iterator[Change]:
        old, new = resolve(self.old, old), resolve(self.new, new)
        if old and not new:
            yield Change(f"{where} request", "takes no body any more", breaks=True)
        elif new and not old:
            required = new.get("required", False)
            yield Change(f"{where} request", f"takes a body{', which is required' * required}", breaks=required)
        else:
            yield from _of_required(f"{where} request", old, new)
            yield from self._of_contents(f"{where} request", "requests", old, new)

    def _of_answers(self, where: str, olds: Part, news: Part) -> Iterator[Change]:
        for status in olds:
            if status not in news:
                yield Change(f"{where} {status}", "is lost: what it told is told otherwise now", breaks=True)
                continue
            old, new = resolve(self.old, olds[status]), resolve(self.new, news[status])
            yield from self._of_headers(f"{where} {status}", old.get("headers", {}), new.get("headers", {}))
            yield from self._of_contents(f"{where} {status}", "answers", old, new)
        for status in news:
            if status not in olds:
                # A client must be ready for any error, which has the one body; a success it has to know.
                is_error = status >= "4"
                what = "is new" if is_error else "is new, a success that no client knows"
                yield Change(f"{where} {status}", what, breaks=not is_error)

    def _of_headers(self, where: str, olds: Part, news: Part) -> Iterator[Change]:
        olds, news = ({name.lower(): (name, header) for name, header in one.items()} for one in (olds, news))
        for key, (name, header) in olds.items():
            if key not in news:
                yield Change(f"{where} header {name}", "is gone", breaks=True)
                continue
            old, new = resolve(self.old, header), resolve(self.new, news[key][1])
            if old.get("required") and not new.get("required"):
                yield Change(f"{where} header {name}", "is not always there any more", breaks=True)
            yield from self._of_schema(f"{where} header {name}", "answers", old, new)
        for key, (name, _) in news.items():
            if key not in olds:
                yield Change(f"{where} header {name}", "is new", breaks=False)

    def _of_contents(self, where: str, side: Side, old: Part, new: Part) -> Iterator[Change]:
        olds, news = old.get("content", {}), new.get("content", {})
        for media_type in olds:
            if media_type not in news:
                yield Change(f"{where} {media_type}", "is gone", breaks=True)
                continue
            one, other = olds[media_type], news[media_type]
            if not alike(one.get("encoding"), other.get("encoding")):
                yield Change(f"{where} {media_type}", "is encoded otherwise", breaks=True)
            yield from self._of_schema(f"{where} {media_type}", side, one, other)
        # A client says which media types it takes, with each request.
        yield from (
            Change(f"{where} {media_type}", "is new", breaks=False) for media_type in news if media_type not in olds
        )

    def _of_schema(self, where: str, side: Side, old: Part, new: Part) -> Iterator[Change]:
        for difference in self._schemas.differences(where, _schema(old), _schema(new)):
            yield _change(difference, side)


def _change(difference: Difference, side: Side) -> Change:
    effect = difference.effect
    return Change(difference.where, f"{difference.what}: {effect.in_words(side)}", effect.breaks(side))


def _schema(holder: Part) -> Part:
    """Return the schema of a parameter, a header or a body."""
    found: Part = (holder if "schema" in holder else next(iter(holder.get("content", {}).values()), _NONE)).get(
        "schema", {}
    )
    return found


def _of_servers(where: str, olds: list[str], news: list[str]) -> Iterator[Change]:
    yield from (Change(where, f"{url} is gone", breaks=True) for url in olds if url not in news)
    yield from (Change(where, f"{url} is new", breaks=False) for url in news if url not in olds)


def _servers(*holders: Part) -> list[str]:
    """Return where something is served: the servers declared nearest to it count."""
    servers = next((one["servers"] for one in reversed(holders) if one.get("servers")), [{"url": "/"}])
    return [
        (server["url"].rstrip("/") or "/") + (f" with {text(server['variables'])}" if server.get("variables") else "")
        for server in servers
    ]


def _of_names(where: str, old: Part, new: Part) -> Iterator[Change]:
    """Compare what generated clients go by, beside the operationId."""
    tag, is_tag = ((one.get("tags") or ["none"])[0] for one in (old, new))
    if tag != is_tag:
        yield Change(where, f"first tag {tag} → {is_tag}: generated clients have a module for each", breaks=True)
    names, are_names = (re.findall(r"{([^}]*)}", one["path"]) for one in (old, new))
    if names != are_names and sorted(names) == sorted(are_names):
        yield Change(where, f"{', '.join(names)} → {', '.join(are_names)} in its path", breaks=True)


def _written(parameter: Part) -> Part:
    """Return how a parameter is written, also where it is written as always."""
    style = parameter.get("style", "form" if parameter["in"] in ("query", "cookie") else "simple")
    others = {word: parameter.get(word, False) for word in ("allowReserved", "allowEmptyValue")}
    return {"style": style, "explode": parameter.get("explode", style == "form"), **others}


def _of_required(where: str, old: Part, new: Part) -> Iterator[Change]:
    was, is_now = old.get("required", False), new.get("required", False)
    if was != is_now:
        yield Change(where, "is required now" if is_now else "is not required any more", breaks=is_now)


def _named(place: Place, operation: Part) -> str:
    return f"{place[0]} {operation['path']}"


def _by_place(document: Document) -> Operations:
    """Return the operations by method and path; the names in a path are not what it goes by."""
    return {
        (method.upper(), re.sub(r"\{[^}]*\}", "{}", path)): {
            **item[method],
            "path": path,
            **({"servers": item[method].get("servers") or item["servers"]} if "servers" in item else {}),
            "parameters": [*item.get("parameters", []), *item[method].get("parameters", [])],
        }
        for path, item in paths(document)
        for method in METHODS
        if method in item
    }


def _moved(olds: Operations, news: Operations) -> Iterator[tuple[Place, Place]]:
    """Find the operations that are elsewhere now: by their operationId, or because all else is the same."""
    come = {place: operation for place, operation in news.items() if place not in olds}
    for place, operation in olds.items():
        if place not in news:
            for target, other in come.items():
                if operation.get("operationId", "") == other.get("operationId") or _rest(operation) == _rest(other):
                    yield place, target
                    del come[target]
                    break


def _rest(operation: Part) -> Part:
    return {word: value for word, value in operation.items() if word not in ("operationId", "path")}


def _parameters(document: Document, operation: Part) -> dict[Place, Part]:
    found = [resolve(document, parameter) for parameter in operation["parameters"]]
    return {(each["in"], each["name"]): each for each in found}


def _ways_in(document: Document, operation: Part) -> list[str]:
    """Say in words each way to show who calls: a scheme with its scopes, or several at once."""
    schemes = components(document, "securitySchemes")
    ways: list[dict[str, Any]] = operation.get("security", document.get("security", [])) or [{}]
    return [
        " and ".join(
            f"with {name} ({_scheme(schemes.get(name, {}))}{''.join(f', {scope}' for scope in sorted(scopes))})"
            for name, scopes in sorted(way.items())
        )
        or _OPEN
        for way in ways
    ]


def _scheme(scheme: Part) -> str:
    told = [scheme.get(word) for word in ("type", "scheme", "in", "name", "openIdConnectUrl")]
    return " ".join([*(str(each) for each in told if each), *([text(scheme["flows"])] if "flows" in scheme else [])])
