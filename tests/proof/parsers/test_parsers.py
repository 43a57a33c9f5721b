"""Every parser holds what it promises for what ever broke it, for what it begins with, and for chance.

PROOF_EXAMPLES asks for more inputs of chance, PROOF_SEED for others; `make fuzz-parsers` looks for those that matter.
"""

import json
import os
import random
from decimal import Decimal

import pytest

from sendmeter import strict_json
from sendmeter.integrations import ses, telnyx, twilio
from tests.proof.parsers.drawn import Drawn, edited
from tests.proof.parsers.registry import CORPUS, PARSERS, found

EXAMPLES = int(os.environ.get("PROOF_EXAMPLES", "20"))
SEED = int(os.environ.get("PROOF_SEED", "1"))


@pytest.mark.parametrize("name", PARSERS)
def test_what_once_broke_a_parser_does_not_break_it_again(name):
    for path in found(name):
        PARSERS[name].check(path.read_bytes())


def fed(name):
    parser, chance = PARSERS[name], random.Random(SEED)
    for data in parser.seeds:
        parser.check(data)
    for _ in range(EXAMPLES * (4 if parser.slow else 20)):
        changes = Drawn(chance.randbytes(64))
        parser.check(edited(chance.choice(parser.seeds), changes) if chance.random() < 0.9 else chance.randbytes(40))


@pytest.mark.parametrize("name", PARSERS)
def test_each_parser_keeps_its_promises(name):
    fed(name)


@pytest.mark.parametrize(
    ("name", "module", "attribute", "value"),
    [
        ("telnyx", telnyx, "_verify", lambda *_: None),
        ("twilio", twilio, "_verify_hash", lambda _: None),
        ("ses", ses, "_SIGNED", ses._SIGNED | {"Notification": ses._NOTIFICATION[1:]}),
        ("json", strict_json, "MOST_LEVELS", 33),
        ("json", strict_json, "_DECODER", json.JSONDecoder(parse_float=Decimal)),
    ],
)
def test_a_parser_that_is_broken_on_purpose_is_noticed(name, module, attribute, value, monkeypatch):
    monkeypatch.setattr(module, attribute, value)
    with pytest.raises(Exception):  # noqa: B017, PT011 - each breaks its check in its own way
        fed(name)


def test_each_file_of_the_corpus_belongs_to_a_parser():
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= PARSERS.keys()
