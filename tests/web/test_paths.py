"""What a path names: taken as it is written, or not there; and no body where none is taken."""

import pytest

from tests.live import JSON

HOLDS = "/organization/usage/holds"
EVENTS = "/organization/usage/events"


@pytest.fixture
def client(sqlite_server):
    return sqlite_server.organization()[1]


@pytest.mark.parametrize("event_id", ["a.b", "a:b", "~", "-", "A_1", "x" * 128, "..a", "%61"])
def test_an_id_is_taken_from_the_path_as_it_is_written(client, event_id):
    sent = "a" if event_id == "%61" else event_id
    assert client.record({"id": sent, "channel": "EMAIL"}).status_code == 200
    assert client.request("GET", f"{EVENTS}/{event_id}").json()["id"] == sent


@pytest.mark.parametrize("name", ["x" * 129, "a b", "a%20b", "a%00b", "é", "%C3%A9", "a+b", "%2e%2e", "a/b"])
def test_an_id_that_cannot_be_is_not_there(client, name):
    for path in (f"{EVENTS}/{name}", f"{HOLDS}/{name}"):
        answer = client.request("GET", path)
        assert answer.status_code in (400, 404)
        assert answer.json()["error"]["fix"]


def test_a_path_is_of_no_help_to_who_has_no_key(sqlite_server, client):
    client.request("POST", HOLDS, json={"id": "there", "channel": "EMAIL"})
    stranger = sqlite_server.client()
    answers = [stranger.request("GET", f"{HOLDS}/{name}") for name in ("there", "not-there", "x" * 129)]
    assert [answer.status_code for answer in answers] == [401] * 3


@pytest.mark.parametrize("size", [2, 1_048_577])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", f"{HOLDS}/there/release"), ("DELETE", "/organization/keys/key_1")]
)
def test_a_body_where_none_is_taken_is_refused_whatever_its_size(client, method, path, size):
    client.request("POST", HOLDS, json={"id": "there", "channel": "EMAIL"})
    answer = client.request(method, path, content=b" " * size, headers=JSON)
    assert answer.status_code in (400, 404)
    assert client.request("GET", f"{HOLDS}/there").json()["state"] == "held"
    if path.startswith(HOLDS):
        assert answer.json()["error"]["details"] == [{"pointer": "", "message": "the operation takes no body"}]


def test_an_answer_without_content_has_neither_a_body_nor_its_headers(client):
    key = client.request("POST", "/organization/keys", json={"name": "key"}).json()["keyId"]
    answer = client.request("DELETE", f"/organization/keys/{key}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert {"content-type", "content-length", "transfer-encoding"} & set(answer.headers) == set()


def test_a_parameter_of_the_path_is_none_of_the_query(client):
    answer = client.request("GET", f"{HOLDS}/there?holdId=other")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["pointer"] == "query:holdId"
