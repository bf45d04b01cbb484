"""What python.test.ts has client.py do against a live fleet, step by step.

Lines of JSON: on standard input the settings and the data of a user, then, after the step "registered", the confirmation token; on standard output
one object per step. Nothing is judged here: the test does that. A step that fails ends it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import time
from base64 import urlsafe_b64decode
from typing import Any

from client import (
    Fields,
    FleetKeys,
    Reader,
    Refusal,
    Registry,
    Requester,
    Settings,
    Verifier,
    claims_unverified,
    headers_of,
    json_object,
    new_id,
    reply_mac,
)
from confluent_kafka import Message


def say(step: str, **what: Any) -> None:
    print(json.dumps({"step": step, **what}), flush=True)


def code_of(call: Any) -> Fields:
    """How a call ends: ok, or the code and the details of its refusal."""
    try:
        call()
        return {"code": "ok"}
    except Refusal as refusal:
        return {"code": refusal.code, **refusal.details}


class Seen:
    """Records of a feed as they come."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self.records: list[Fields] = []

    def add(self, record: Fields) -> None:
        with self._came:
            self.records.append(record)
            self._came.notify_all()

    def wait(self, enough: Any, seconds: float = 20) -> list[Fields]:
        with self._came:
            if not self._came.wait_for(lambda: enough(self.records), seconds):
                raise TimeoutError(f"waited {seconds} s in vain, among {len(self.records)} records")
            return list(self.records)


def events_of(settings: Settings, seen: Seen) -> Reader:
    """auth.event: Avro, with CloudEvents headers."""
    registry = Registry(settings.registry)

    def take(_topic: str, message: Message) -> None:
        if message.value() is None:
            return
        headers = {name: value.decode() for name, value in headers_of(message).items() if value is not None}
        if headers.get("ce_type", "").startswith("auth.event."):
            seen.add({"key": message.key().decode(), "headers": headers, "says": registry.decode(message.value())})

    return Reader(settings, ["auth.event"], take, from_end=True)


def fleet_of(settings: Settings, seen: Seen) -> Reader:
    """auth.fleet: JSON, kept for ten minutes."""

    def take(_topic: str, message: Message) -> None:
        if (said := json_object(message.value())) is not None:
            seen.add(said)

    return Reader(settings, ["auth.fleet"], take)


def until_ok(verify: Any, seconds: float = 20) -> Any:
    """The feeds are read in the background: a verifier knows nothing at first, and says so."""
    end = time.monotonic() + seconds
    while True:
        try:
            return verify()
        except Refusal as refusal:
            if refusal.code != "UNAVAILABLE" or time.monotonic() > end:
                raise
            time.sleep(0.01)


def until_refused(verify: Any, seconds: float = 20) -> tuple[str, float]:
    """The code, and the ms until it came."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        outcome = code_of(verify)
        if outcome["code"] != "ok":
            return outcome["code"], (time.monotonic() - began) * 1000
        time.sleep(0.001)
    raise TimeoutError(f"it is still accepted after {seconds} s")


def register(fleet: Requester, user: Fields) -> Fields:
    key = new_id()
    first = fleet.request("auth.account.register", user, idempotency_key=key)
    again = fleet.request("auth.account.register", user, idempotency_key=key)
    other = {**user, "username": "somebody else"}
    conflict = code_of(lambda: fleet.request("auth.account.register", other, idempotency_key=key))
    taken = code_of(lambda: fleet.request("auth.account.register", user))
    say("registered", userId=first["userId"], again=again["userId"], conflict=conflict, taken=taken)
    return first


def confirm(fleet: Requester, token: str, secret: str, password: str) -> Fields:
    """The link alone is not enough: exactly one of the registration's secret and the password goes with it."""
    topic, neither = "auth.account.confirm", {"token": token, "registrationSecret": "", "password": ""}

    def outcome(**given: str) -> Fields:
        return code_of(lambda: fleet.request(topic, {**neither, **given}))

    refused = {
        "neither": outcome(),
        "both": outcome(registrationSecret=secret, password=password),
        "wrongSecret": outcome(registrationSecret=secret[::-1]),
        "wrongPassword": outcome(password="a wrong password"),
    }
    confirmed = fleet.request(topic, {**neither, "registrationSecret": secret})
    say("confirmed", userId=confirmed["userId"], refused=refused, twice=outcome(password=password))
    return confirmed


def log_in(fleet: Requester, user: Fields) -> Fields:
    key = new_id()
    fields = {"login": user["login"].upper(), "password": user["password"]}  # a login is the same in any case
    tokens = fleet.request("auth.session.login", fields, idempotency_key=key)["tokens"]
    again = fleet.request("auth.session.login", fields, idempotency_key=key)["tokens"]
    wrong = code_of(lambda: fleet.request("auth.session.login", {**fields, "password": "a wrong password"}))
    given = tokens["deviceToken"]

    def device(token: str) -> Any:
        """Which device a login with this token is said to come from: a token that holds is renewed, any other one is followed by a new one."""
        made = fleet.request("auth.session.login", fields, device_token=token)["tokens"]["deviceToken"]
        return urlsafe_b64decode(made.split(".")[1] + "=")[10:]

    known = urlsafe_b64decode(given.split(".")[1] + "=")[10:]
    devices = {"form": given, "renewed": device(given) == known, "forged": device(given[:-2] + "AA") == known}
    say("logged in", sessionId=tokens["sessionId"], sameAnswer=again == tokens, wrong=wrong, devices=devices)
    return tokens


def attack(fleet: Requester, token: str) -> None:
    """What must be refused: a seal under another topic, reply topic, idempotency key, beside another field, a wrong record key, no seal."""
    fields = {"accessToken": token}
    claims = claims_unverified(token)
    user, session, key, secret = claims["sub"], claims["sid"], new_id(), secrets.token_bytes(32)
    of_inspect = fleet.sealed("auth.session.inspect", fields, key.encode(), secret)
    elsewhere = fleet.sealed("auth.session.inspect", fields, key.encode(), secret, reply_topic="auth.reply.bridge")
    of_logout = fleet.sealed("auth.session.logout", {**fields, "everywhere": False}, key.encode(), secret)
    bare = json.dumps(fields)

    def inspect(sealed: str, record_key: str, idempotency_key: str | None, secret: bytes | None = secret, **more: Any) -> Fields:
        ask = {"key": record_key, "idempotency_key": idempotency_key, "secret": secret, **more}
        return code_of(lambda: fleet.exchange("auth.session.inspect", {"sealed": sealed}, **ask))

    def logout(sealed: str, everywhere: bool) -> Fields:
        record = {"everywhere": everywhere, "sealed": sealed}
        ask = {"key": user, "idempotency_key": key, "secret": secret}
        return code_of(lambda: fleet.exchange("auth.session.logout", record, **ask))

    binary = os.urandom(15) + b"\xff"  # as Spring's correlation ids: 16 bytes, no text
    of_binary = fleet.sealed("auth.session.inspect", fields, binary, secret)
    changed = bytes([binary[0] ^ 1]) + binary[1:]
    say(
        "attacked",
        anotherTopic=logout(of_inspect, False),
        anotherReplyTopic=inspect(elsewhere, session, key),
        anotherField=logout(of_logout, True),
        anotherIdempotencyKey=inspect(of_inspect, session, new_id()),
        anotherCorrelationId=inspect(of_binary, session, None, correlation_id=changed),
        noKey=inspect(of_inspect, session, None, correlation_id=b"short"),
        anotherRecordKey=inspect(of_inspect, "somebody", key),
        noSeal=inspect(bare, session, new_id(), None),
        binary=inspect(of_binary, session, None, correlation_id=binary),
        asItWas=inspect(of_inspect, session, key),
    )


def deceive(fleet: Requester) -> None:
    """Replies that nobody of the fleet has made: none but a refusal that may be given before opening ends a call, and that is marked."""
    id_, secret = new_id().encode(), secrets.token_bytes(32)
    refusal = {"message": "from nobody", "retryAfterMs": 36_000_000, "details": {}}
    values = {
        code: fleet.registry.encode("auth.session.LoginReply", {"outcome": ("auth.Refusal", {"code": code, **refusal})})
        for code in ("INVALID_CREDENTIALS", "OVERLOADED")
    }
    refused, busy = values["INVALID_CREDENTIALS"], values["OVERLOADED"]

    def forge(code: str, value: bytes, **more: str) -> None:
        headers = {"kafka_correlationId": id_, "auth-outcome": code, **more}
        fleet.produce(fleet.reply_topic, value, headers, partition=fleet.partition)

    def mac(key: bytes, topic: str, correlation_id: bytes, code: str) -> dict[str, str]:
        return {"auth-reply-mac": reply_mac(key, topic, correlation_id, code, refused)}

    before = fleet.ignored
    with fleet.waiting(id_, secret) as call:
        forge("INVALID_CREDENTIALS", refused)
        forge("INVALID_CREDENTIALS", refused, **mac(bytes(32), fleet.reply_topic, id_, "INVALID_CREDENTIALS"))
        forge("INVALID_CREDENTIALS", refused, **mac(secret, "auth.reply.bridge", id_, "INVALID_CREDENTIALS"))
        forge("INVALID_CREDENTIALS", refused, **mac(secret, fleet.reply_topic, b"another", "INVALID_CREDENTIALS"))
        forge("ok", refused, **mac(secret, fleet.reply_topic, id_, "INVALID_CREDENTIALS"))
        forge("OVERLOADED", refused)  # the header alone is not what counts
        forge("OVERLOADED", b"no Avro")
        forge("OVERLOADED", busy)
        ended = call.reply.exception(20)
    assert isinstance(ended, Refusal)
    told = {"code": ended.code, "authentic": ended.authentic, "retryAfterMs": ended.retry_after_ms}
    with fleet.waiting(id_, secret) as call:  # the control: with the right mac it counts
        forge("INVALID_CREDENTIALS", refused, **mac(secret, fleet.reply_topic, id_, "INVALID_CREDENTIALS"))
        genuine = call.reply.exception(20)
    assert isinstance(genuine, Refusal)
    say("was deceived", ignored=fleet.ignored - before, told=told, genuine={"code": genuine.code, "authentic": genuine.authentic})


def mistrust(given: Fields, user: Fields) -> None:
    """A service that was told another thumbprint seals nothing, and takes no token."""
    settings = Settings(**{**given, "fleet_id": "b917Uo0YbOJGxKEONUIxEtQyxrY1jFVwDoEDvbSTbMs"})
    keys = FleetKeys(settings)
    fleet = Requester(settings, keys)
    login = {"login": user["login"], "password": user["password"]}
    say("mistrusted", asked=code_of(lambda: fleet.request("auth.session.login", login)), believes=keys.any_signing)
    for each in (fleet, keys):
        each.close()


def main() -> None:
    given = json.loads(sys.stdin.readline())
    settings, user = Settings(**given["settings"]), given["user"]
    events, reports = Seen(), Seen()
    keys = FleetKeys(settings)
    verifier = Verifier(settings, keys)
    readers = [events_of(settings, events), fleet_of(settings, reports)]
    fleet = Requester(settings, keys)

    registered = register(fleet, user)
    user_id = registered["userId"]
    token = json.loads(sys.stdin.readline())["token"]
    confirmed = confirm(fleet, token, registered["registrationSecret"], user["password"])

    tokens = log_in(fleet, user)
    access = {"accessToken": tokens["accessToken"]}
    identity = fleet.request("auth.session.inspect", access)
    say("inspected", **{name: identity[name] for name in ("userId", "login", "isActive", "isVerified", "roles", "sessionId")})
    late = code_of(lambda: fleet.request("auth.session.inspect", access, timeout_ms=0))
    say("was too late", **late)

    local = until_ok(lambda: verifier.verify(tokens["accessToken"]))
    head, payload, signature = tokens["accessToken"].split(".")
    changed = ".".join([head, payload, ("B" if signature[0] == "A" else "A") + signature[1:]])
    forged = code_of(lambda: verifier.verify(changed))
    say("verified", userId=local.user_id, login=local.login, sessionId=local.session_id, ageMs=local.age_ms, forged=forged)

    attack(fleet, tokens["accessToken"])
    deceive(fleet)
    mistrust(given["settings"], user)
    before = code_of(lambda: verifier.verify(tokens["accessToken"]))
    fleet.request("auth.session.logout", access)
    code, took_ms = until_refused(lambda: verifier.verify(tokens["accessToken"]))
    asked = code_of(lambda: fleet.request("auth.session.inspect", access))
    other = code_of(lambda: verifier.verify(confirmed["accessToken"]))
    say("logged out", before=before, local=code, tookMs=took_ms, asked=asked, otherSession=other)

    def mine(records: list[Fields]) -> list[Fields]:
        return [record for record in records if record["says"].get("userId") == user_id]

    told = mine(events.wait(lambda records: any(r["headers"]["ce_type"] == "auth.event.LoggedOut" for r in mine(records))))
    say(
        "was told",
        events=[{"type": each["headers"]["ce_type"], "sequence": each["says"]["sequence"], "key": each["key"]} for each in told],
        sameId=all(each["headers"]["ce_id"] == each["says"]["eventId"] for each in told),
    )
    serving = lambda report: "auth.session.login" in report["info"]["commands"]  # noqa: E731
    processes = {report["ping"]["process"] for report in reports.wait(lambda seen: any(map(serving, seen))) if serving(report)}
    say("saw the fleet", processes=sorted(processes))

    for each in (fleet, verifier, keys, *readers):
        each.close()


main()
