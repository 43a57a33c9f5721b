"""Choices drawn from bytes: a byte that changes is a choice that changes, as a fuzzer that mutates bytes wants it."""

import json


class Drawn:
    """Bytes that are used up by what is drawn from them; where there are none left, each choice is the first."""

    def __init__(self, data):
        self.data, self.used = data, 0

    def number(self, count):
        """Draw one of the numbers 0 to count - 1."""
        width = 1 if count <= 256 else 2
        return int.from_bytes(self.some(width)) % count

    def one_of(self, options):
        return options[self.number(len(options))]

    def some(self, count):
        """Draw so many bytes, or those that are left."""
        self.used += count
        return self.data[self.used - count : self.used]

    def text(self, longest=12):
        return self.some(self.number(longest + 1)).decode(errors="replace")

    def rest(self):
        return self.some(len(self.data))


def edited(raw, drawn):
    """Change bytes in a few places: put others there, put some in, take some out, or repeat some."""
    for _ in range(drawn.number(4) + 1):
        place, length = drawn.number(len(raw) + 1), drawn.number(5)
        match drawn.number(4):
            case 0:
                raw = raw[:place] + drawn.some(length) + raw[place + length :]
            case 1:
                raw = raw[:place] + drawn.some(length) + raw[place:]
            case 2:
                raw = raw[:place] + raw[place + length :]
            case _:
                raw = raw[: place + length] + raw[place:]
    return raw


def altered(value, drawn, options):
    """Change JSON in one place on each way down that is drawn: a value becomes another one, or is not there."""
    if isinstance(value, dict):
        value = dict(value)
        if value and drawn.number(4):
            name = drawn.one_of(sorted(value))
            value[name] = altered(value[name], drawn, options)
        elif value and drawn.number(2):
            del value[drawn.one_of(sorted(value))]
        else:
            value[_name(drawn, options)] = _any(drawn, options)
        return value
    if isinstance(value, list) and value and drawn.number(4):
        place = drawn.number(len(value))
        return [*value[:place], altered(value[place], drawn, options), *value[place + drawn.number(2) :]]
    return _any(drawn, options)


def _any(drawn, options):
    match drawn.number(8):
        case 0 | 1 | 2:
            return drawn.one_of(options)
        case 3:
            return drawn.text()
        case 4:
            return int.from_bytes(drawn.some(drawn.number(9)), signed=True)
        case 5:
            return drawn.one_of([None, True, False, [], {}, 1.0, -0.0, 1e-10, 5e22])
        case 6:
            return [_any(drawn, options) for _ in range(drawn.number(3))]
        case _:
            return {_name(drawn, options): _any(drawn, options)}


def _name(drawn, options):
    name = drawn.one_of(options)
    return name if isinstance(name, str) else drawn.text()


def as_json(value):
    """Write JSON; a name or a text of it may hold whatever was drawn."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
