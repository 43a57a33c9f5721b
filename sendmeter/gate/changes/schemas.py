"""What differs between two schemas, and the effect of it."""

from collections.abc import Callable, Iterator
from itertools import zip_longest

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import Part
from sendmeter.gate.changes.effects import Difference, Effect
from sendmeter.gate.changes.keywords import limit, of_keywords
from sendmeter.gate.changes.shapes import Shapes, bare, name_of

_ANYTHING: Part = {}
Found = Iterator[Difference]
Pair = tuple[int, int]


class Comparison:
    """Two contracts whose schemas are compared."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = Shapes(old), Shapes(new)
        self._same: dict[Pair, bool] = {}
        self._assumed: list[Pair] = []

    def differences(self, where: str, old: Part, new: Part) -> Found:
        """Return what differs between two schemas, and between those that they refer to; each is compared once."""
        return _Walk(self).differences(where, old, new)

    def same(self, old: Part, new: Part) -> bool:
        """Return whether two schemas allow the same.

        They do as long as nothing shows otherwise: so schemas that refer to themselves are compared. What was taken
        for the same on the way to a difference is asked anew.
        """
        pair = self.pair(old, new)
        if pair not in self._same:
            before = len(self._assumed)
            self._assumed.append(pair)
            self._same[pair] = True
            if any(self.differences("", old, new)):
                for assumed in self._assumed[before:]:
                    del self._same[assumed]
                del self._assumed[before:]
                self._same[pair] = False
            elif not before:
                self._assumed.clear()
        return self._same[pair]

    def pair(self, old: Part, new: Part) -> Pair:
        """Return what two schemas are known by, however they are referred to."""
        return id(self.old.of(bare(old))), id(self.new.of(bare(new)))

    def known_as_same(self, pair: Pair) -> bool:
        """Return whether two schemas were found to allow the same, or are taken for that."""
        return self._same.get(pair, False)


class _Walk:
    """One way through two schemas, which comes by each pair of them once."""

    def __init__(self, comparison: Comparison) -> None:
        self._all, self._old, self._new = comparison, comparison.old, comparison.new
        self._seen: set[Pair] = set()

    def differences(self, where: str, old: Part, new: Part) -> Found:
        old, new = bare(old), bare(new)
        pair = self._all.pair(old, new)
        # Whoever asks whether the two are the same begins with what is taken for that.
        if pair in self._seen or (self._seen and self._all.known_as_same(pair)):
            return
        self._seen.add(pair)
        if name_of(old) and name_of(new):
            where = name_of(new) or where
        yield from self._between(where, self._old.of(old), self._new.of(new))

    def _between(self, where: str, old: Part, new: Part) -> Found:
        options, others = _options(old), _options(new)
        if "mapping" in old.get("discriminator", {}) and "mapping" in new.get("discriminator", {}):
            yield from self._by_discriminator(where, old, new)
        elif options or others:
            yield from self._by_options(where, options or [old], others or [new])
            if options and others and ("oneOf" in old) != ("oneOf" in new):
                what = "oneOf → anyOf" if "oneOf" in old else "anyOf → oneOf"
                yield Difference(where, what, limit(stricter="oneOf" in new))
            return
        else:
            yield from self._by_choices(where, old, new)
        yield from of_keywords(where, old, new)
        yield from self._of_members(where, old, new)
        for word, step in (("items", "[]"), ("x-property-names", "{name}")):
            yield from self._of_part(word, f"{where}{step}", old.get(word), new.get(word))
        for one, other in zip_longest(old.get("allOf", []), new.get("allOf", []), fillvalue=_ANYTHING):
            yield from self.differences(where, one, other)
        one, other = old.get("not"), new.get("not")
        if one is not other and (one is None or other is None or not self._all.same(one, other)):
            yield Difference(where, "not is another", Effect.OTHER)

    def _by_choices(self, where: str, old: Part, new: Part) -> Found:
        """Compare what must be one of several shapes beside all else."""
        for word in ("oneOf", "anyOf"):
            if word in old and word in new:
                yield from self._by_options(where, old[word], new[word])
            elif word in old or word in new:
                yield Difference(where, f"{word} {'is new' if word in new else 'is gone'}", limit(stricter=word in new))

    def _of_part(self, word: str, where: str, old: Part | None, new: Part | None) -> Found:
        if old is not None and new is not None:
            yield from self.differences(where, old, new)
        elif old is not new:
            yield Difference(where, f"{word} {'is gone' if new is None else 'is new'}", limit(stricter=new is not None))

    def _of_members(self, where: str, old: Part, new: Part) -> Found:
        olds, news = old.get("properties", {}), new.get("properties", {})
        renamed = dict(self._renamed(old, new))
        for name, target in renamed.items():
            yield Difference(f"{where}.{name}", f"is renamed to {target}", Effect.OTHER)
        for name in olds:
            if name in news:
                yield from self.differences(f"{where}.{name}", olds[name], news[name])
            elif name not in renamed:
                is_open = new.get("additionalProperties", True) in (True, _ANYTHING)
                yield Difference(f"{where}.{name}", "is gone", Effect.WIDER if is_open else Effect.OTHER)
        for name in news:
            if name not in olds and name not in renamed.values():
                yield from self._of_new_member(
                    f"{where}.{name}", old, news[name], required=name in new.get("required", [])
                )
        yield from _of_required(where, old, new, renamed)
        yield from self._of_others(where, old.get("additionalProperties", True), new.get("additionalProperties", True))

    def _of_new_member(self, where: str, old: Part, schema: Part, *, required: bool) -> Found:
        before = old.get("additionalProperties", True)
        if required:
            yield Difference(where, "is new, and required", Effect.NARROWER)
        elif before in (True, _ANYTHING):
            yield Difference(where, "is new, where anything could stand", Effect.NARROWER)
        else:
            yield Difference(where, "is new", Effect.NEITHER)
        if isinstance(before, dict) and before:
            yield from self.differences(where, before, schema)

    def _renamed(self, old: Part, new: Part) -> Iterator[tuple[str, str]]:
        """Find the members that have another name now and are else the same, where there is no doubt."""
        olds, news = old.get("properties", {}), new.get("properties", {})
        gone, come = [name for name in olds if name not in news], [name for name in news if name not in olds]
        for name in gone if len(gone) == 1 else ():
            was_required = name in old.get("required", [])
            alike = [each for each in come if was_required == (each in new.get("required", []))]
            same = [each for each in alike if self._all.same(olds[name], news[each])]
            if len(same) == 1:
                yield name, same[0]

    def _of_others(self, where: str, old: bool | Part, new: bool | Part) -> Found:
        """Compare what members may stand beside those that are named."""
        old, new = (True if each == _ANYTHING else each for each in (old, new))
        if isinstance(old, dict) and isinstance(new, dict):
            yield from self.differences(f"{where}{{}}", old, new)
        elif old is not new:
            fewer = new is False or old is True
            # Whoever reads an answer passes over members that it knows nothing of.
            more = Effect.NEITHER if old is False else Effect.WIDER
            what = f"takes {'fewer' if fewer else 'more'} members beside those that are named"
            yield Difference(where, what, Effect.NARROWER if fewer else more)

    def _by_discriminator(self, where: str, old: Part, new: Part) -> Found:
        one, other = old["discriminator"], new["discriminator"]
        if one["propertyName"] != other["propertyName"]:
            what = f"is told by {other['propertyName']}, not by {one['propertyName']}"
            yield Difference(where, what, Effect.OTHER)
            return
        olds, news = one.get("mapping", {}), other.get("mapping", {})
        where = f"{where}.{one['propertyName']}"
        yield from (Difference(where, f"knows no {value}", Effect.NARROWER) for value in olds if value not in news)
        yield from (Difference(where, f"knows {value} too", Effect.WIDER) for value in news if value not in olds)
        pairs = dict.fromkeys((olds[value], news[value]) for value in olds if value in news)
        for first, second in pairs:
            yield from self.differences(where, {"$ref": first}, {"$ref": second})
        yield from self._by_options(where, _unmapped(old), _unmapped(new))

    def _by_options(self, where: str, olds: list[Part], news: list[Part]) -> Found:
        """Compare what may be one of several shapes: first those that are the same, then those that are alike."""
        alike: tuple[Callable[[Part, Part], bool], ...] = (
            self._all.same,
            lambda old, new: name_of(old) is not None and name_of(old) == name_of(new),
            lambda old, new: self._old.of(old).get("type") == self._new.of(new).get("type"),
        )
        olds, news, pairs = [*olds], [*news], []
        for is_alike in alike:
            for old in [*olds]:
                match = next((new for new in news if is_alike(old, new)), None)
                if match is not None:
                    pairs.append((old, match))
                    olds.remove(old)
                    news.remove(match)
        for old, new in pairs:
            yield from self.differences(where, old, new)
        yield from (Difference(where, f"cannot be {_shape(old)} any more", Effect.NARROWER) for old in olds)
        yield from (Difference(where, f"can be {_shape(new)} too", Effect.WIDER) for new in news)


def _options(shape: Part) -> list[Part]:
    """Return the shapes that a schema may have; none where it says more than that it has one of several."""
    words = [word for word in ("oneOf", "anyOf") if word in shape]
    found: list[Part] = shape[words[0]] if len(words) == 1 and shape.keys() <= {*words, "discriminator"} else []
    return found


def _unmapped(shape: Part) -> list[Part]:
    """Return the shapes that a discriminator does not choose."""
    return [one for one in shape.get("oneOf", []) if one.get("$ref") not in shape["discriminator"]["mapping"].values()]


def _shape(schema: Part) -> str:
    return name_of(schema) or f"of type {schema.get('type', 'any')}"


def _of_required(where: str, old: Part, new: Part, renamed: dict[str, str]) -> Found:
    olds, news = set(old.get("required", [])), set(new.get("required", []))
    known, is_known = old.get("properties", {}).keys(), new.get("properties", {}).keys()
    for name in sorted(olds - news - (known - is_known) - renamed.keys()):
        yield Difference(f"{where}.{name}", "is not required any more", Effect.WIDER)
    for name in sorted(news - olds - (is_known - known) - set(renamed.values())):
        yield Difference(f"{where}.{name}", "is required now", Effect.NARROWER)
