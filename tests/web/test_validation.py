"""Large bodies that are wrong all over: refused at once, and nobody else waits for it."""

import time

import pytest

from sendmeter.contract import contract
from sendmeter.errors import InvalidRequest
from sendmeter.web.validation import body_of

CLOUDEVENT = b'{"specversion":"1.0","id":"a","source":"a","type":"a","data":{"channel":"EMAIL"}'
MIB = 1_048_576
START = b'{"events":[{"id":"a","channel":"EMAIL"'


def members(count, write):
    return b",".join(write % number for number in range(count))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"events":[%s1]}' % (b"1," * 500_000), "/events"),
        (b'{"events":[%s{}]}' % (b"{}," * 300_000), "/events"),
        (START + b",%s}]}" % members(90_000, b'"k%d":1'), "/events/0/k0"),
        (START + b',"metadata":{%s}}]}' % members(90_000, b'"k%d":1'), "/events/0/metadata"),
        (START + b',"metadata":{%s}}]}' % members(3_000, b'"%0300d":"v"'), "/events/0/metadata"),
        (CLOUDEVENT + b",%s}" % members(75_000, b'"k%d":1.5'), "/k0"),
        (b'{"events":[%s]}' % members(1_000, b'{"id":"%d","channel":"SMS","cost":1e999999}'), "/events/0/cost"),
    ],
    ids=["numbers", "empty events", "unknown members", "metadata", "long names", "attributes", "exponents"],
)
def test_a_body_that_is_wrong_a_hundred_thousand_times_is_refused_within_a_second(body, pointer):
    assert len(body) < MIB
    media_type = b"application/cloudevents+json" if body.startswith(CLOUDEVENT) else b"application/json"
    started = time.thread_time()
    with pytest.raises(InvalidRequest) as refusal:
        body_of(contract().operations["events.record"], {b"content-type": [media_type]}, body)
    assert time.thread_time() - started < 1, "of the processor's time, for one request"
    assert pointer in [fault.pointer for fault in refusal.value.faults]
    assert len(refusal.value.faults) <= 100
