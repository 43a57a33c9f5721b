"""Senders: each sends one request after the other on a connection of its own, and notes what it is told."""

import httpx

from tests.proof.crash_requests import HOLDS
from tests.proof.crash_responses import event_of, hold_of, read

PAUSE_SECONDS = 0.1


class Sender:
    """One sender; `requests` are what it sends, `doubts` what it does not know of whether it was done."""

    def __init__(self, url, token, journal, chance, requests):
        self.url, self.journal, self.chance, self.requests = url, journal, chance, requests
        self.http = httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60, verify=False)
        self.doubts = []

    def run(self, done):
        """Send one request after the other until told to end; what is not acknowledged is left for later."""
        while not done.is_set():
            if not self.send(self.requests.draw()):
                done.wait(PAUSE_SECONDS)

    def send_again(self):
        """Send what is in doubt again as it was, some of it twice."""
        doubts, self.doubts = self.doubts, []
        for request in doubts:
            self.send(request)
            if self.chance.random() < 0.3:
                self.send(request)

    def send(self, request):
        """Send a request once, and note what it is told; tell whether it is acknowledged."""
        self.journal.sent(request)
        headers = {"content-type": request.media_type} if request.body is not None else {}
        try:
            answer = self.http.request(request.method, self.url + request.path, content=request.body, headers=headers)
        except httpx.TransportError:
            return self._in_doubt(request)
        status = answer.status_code
        if status in (429, 503):
            return self._in_doubt(request)
        is_first = request.tries == 1
        if status in (200, 201) or status in request.refusals or (not is_first and status in request.done_again):
            self._acknowledged(request, status, read(answer))
            return True
        self.journal.fault((request.method, request.path, request.tries, status, answer.text[:500]))
        return False

    def _in_doubt(self, request):
        self.journal.unacknowledged(request)
        self.doubts.append(request)
        return False

    def _acknowledged(self, request, status, told):
        if "error" not in told:
            self._compare(request, told)
        self.journal.acknowledged(request, status, _outcomes(told))
        if status not in request.refusals:
            self.requests.done(request)

    def _compare(self, request, told):
        """Compare what is told of an event, a hold or a batch with what should be so now."""
        if request.path.startswith(HOLDS):
            found = {("hold", told["id"]): hold_of(told)}
        elif "corrections" in told:
            found = {("event", told["source"], told["id"]): event_of(told)}
        else:
            is_whole = request.after.keys() <= {key for key, _ in _outcomes(told)}
            found = request.after if is_whole else {}
        expected = {key: state for key, state in request.after.items() if key in found}
        if found != expected or not found:
            self.journal.fault((request.path, "told otherwise", told, request.after))


def _outcomes(told):
    return [(("event", each["source"], each["id"]), each["outcome"]) for each in told.get("events", [])]
