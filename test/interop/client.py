"""The auth fleet as a service in Python sees it, by stock libraries: docs/protocol.md in code.

Requester asks the fleet: it seals what is secret, sends a record, and opens the reply with a key that never leaves this process.
Verifier checks access tokens by itself, from the feeds auth.key and auth.revocation, and knows how old its knowledge is.
All it knows of a command is its schema in the registry: fields, defaults, which are sealed, which makes the record's key.
It does not forget revocations of tokens that have long expired, and does not watch auth.fleet: a service that runs for months should.
"""

from __future__ import annotations

import io
import json
import secrets
import struct
import threading
import time
import unicodedata
import urllib.request
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from jwcrypto import jwe, jwk, jws, jwt
from jwcrypto.common import JWException

Fields = dict[str, Any]

ALG = "ECDH-ES+A256KW"
ENC = "A256GCM"
SEAL_SECONDS = 300  # at most 3600
LEEWAY_SECONDS = 5


@dataclass(frozen=True)
class Settings:
    brokers: str
    registry: str
    service: str  # one of the fleet's AUTH_REPLY_SERVICES: replies come on auth.reply.<service>
    prefix: str = ""  # AUTH_TOPIC_PREFIX: topics have it on the broker, and neither headers nor seals do
    issuer: str = "auth"  # AUTH_ISSUER
    audience: str = "platform"  # AUTH_AUDIENCE


class Refusal(Exception):
    """The fleet's answer where a command was not carried out, or the verifier's: the code is for programs."""

    def __init__(self, code: str, message: str = "", details: dict[str, str] | None = None, retry_after_ms: int | None = None):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.details = details or {}
        self.retry_after_ms = retry_after_ms


def new_id() -> str:
    """128 random bits as 22 characters: what an idempotency key must have at least."""
    return secrets.token_urlsafe(16)


# Avro in the registry's wire format


class Registry:
    """The schema registry's REST API. A schema never changes under its id; which one is the latest is asked once."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._known: dict[str, Any] = {}

    def latest(self, subject: str) -> tuple[int, Fields]:
        answer = self._get(f"/subjects/{subject}/versions/latest")
        return answer["id"], json.loads(answer["schema"])

    def encode(self, subject: str, record: Fields) -> bytes:
        schema_id, schema = self.latest(subject)
        out = io.BytesIO()
        out.write(struct.pack(">bI", 0, schema_id))
        fastavro.schemaless_writer(out, schema, record)
        return out.getvalue()

    def decode(self, value: bytes) -> Fields:
        """A record by the schema its writer names. Of a union of records, the record's name comes with it."""
        magic, schema_id = struct.unpack(">bI", value[:5])
        if magic != 0:
            raise ValueError("not in the registry's wire format")
        schema = json.loads(self._get(f"/schemas/ids/{schema_id}")["schema"])
        names = {"return_record_name": True, "return_record_name_override": True}
        return fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None, **names)

    def _get(self, path: str) -> Any:
        if path not in self._known:
            with urllib.request.urlopen(self._url + path, timeout=10) as response:
                self._known[path] = json.load(response)
        return self._known[path]


# Kafka


class Reader(threading.Thread):
    """Reads partitions in a thread, without a consumer group. Its position stands when it is made: nothing that comes later is missed."""

    def __init__(
        self,
        settings: Settings,
        topics: list[str],
        take: Callable[[str, Message], None],
        *,
        from_end: bool = False,
        choose: Callable[[list[int]], list[int]] = list,
    ) -> None:
        super().__init__(daemon=True)
        self._prefix = settings.prefix
        self._take = take
        self._stopping = threading.Event()
        # A group id must be there; with assign() no group is joined, and nothing is committed.
        of_client = {"bootstrap.servers": settings.brokers, "group.id": settings.service, "enable.auto.commit": False}
        self._consumer = Consumer({**of_client, "auto.offset.reset": "earliest"})
        self.partitions = {topic: choose(self._partitions_of(topic)) for topic in topics}
        places = [
            TopicPartition(self._prefix + topic, each) for topic, several in self.partitions.items() for each in several
        ]
        for place in places:
            place.offset = self._consumer.get_watermark_offsets(place, timeout=10)[1] if from_end else OFFSET_BEGINNING
        self._consumer.assign(places)
        self.start()

    def _partitions_of(self, topic: str) -> list[int]:
        found = self._consumer.list_topics(self._prefix + topic, timeout=10).topics[self._prefix + topic]
        if not found.partitions:
            raise LookupError(f"there is no topic {topic}: add the service to AUTH_REPLY_SERVICES and run migrate")
        return list(found.partitions)

    def run(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:  # after an error librdkafka tries again by itself
                self._take(message.topic()[len(self._prefix) :], message)

    def close(self) -> None:
        self._stopping.set()
        self.join()
        self._consumer.close()


def headers_of(message: Message) -> dict[str, bytes]:
    return dict(message.headers() or [])


# Seals


def sealed_form(value: Any) -> Any:
    """A value as it stands inside a seal: whole numbers as decimal text, bytes as base64url."""
    if isinstance(value, dict):
        return {name: sealed_form(each) for name, each in value.items()}
    if isinstance(value, list):
        return [sealed_form(each) for each in value]
    if isinstance(value, bytes):
        return urlsafe_b64encode(value).rstrip(b"=").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def seal(fields: Fields, key: Fields, header: Fields) -> str:
    protected = {"alg": ALG, "enc": ENC, "kid": key["kid"], **header}
    token = jwe.JWE(json.dumps(sealed_form(fields)).encode(), json.dumps(protected))
    token.add_recipient(jwk.JWK(**key))
    return token.serialize(compact=True)


def unseal(text: str, key: jwk.JWK) -> Fields:
    token = jwe.JWE(algs=[ALG, ENC])
    token.deserialize(text, key)
    return json.loads(token.payload)


def merge(clear: Fields, secret: Fields) -> None:
    """Puts sealed fields where they belong. Under a null nothing belongs."""
    for name, value in secret.items():
        if not isinstance(value, dict):
            clear[name] = value
        elif isinstance(clear.get(name), dict):
            merge(clear[name], value)


# Requests


def claims_unverified(token: str) -> Fields:
    """To find a record's key, and for nothing else."""
    payload = token.split(".")[1]
    return json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def record_key(rule: Fields | None, fields: Fields) -> str | None:
    if rule is None:
        return None
    value: str = fields[rule["field"]]
    kind = rule["kind"]
    if kind in ("login", "email"):
        return unicodedata.normalize("NFKC", value).lower()
    if kind == "user":
        return claims_unverified(value)["sub"]
    if kind == "session" and value.count(".") == 2:
        return claims_unverified(value)["sid"]
    return value.split(".")[0]  # of a one-time token, or of a refresh token


class Requester:
    """Any number of threads may ask at once; replies find their callers by correlation id."""

    def __init__(self, settings: Settings) -> None:
        self.registry = Registry(settings.registry)
        self._prefix = settings.prefix
        self._reply_topic = f"auth.reply.{settings.service}"
        self._own = jwk.JWK.generate(kty="EC", crv="P-256")
        public = self._own.export_public(as_dict=True)
        self._reply_key = json.dumps({name: public[name] for name in ("kty", "crv", "x", "y")})
        self._fleet_key: Fields | None = None
        self._waiting: dict[str, Future[bytes]] = {}
        self._producer = Producer(
            # murmur2: one key goes to the partition to which every other service sends it. An idempotent producer is not
            # needed: a request that is sent twice is answered once, by its idempotency key.
            {"bootstrap.servers": settings.brokers, "partitioner": "murmur2_random", "linger.ms": 0}
        )
        choose = lambda partitions: [secrets.choice(partitions)]  # noqa: E731
        self._reader = Reader(settings, [self._reply_topic], self._replied, from_end=True, choose=choose)
        [self._partition] = self._reader.partitions[self._reply_topic]

    def request(self, topic: str, fields: Fields, *, idempotency_key: str | None = None, timeout_ms: int = 20_000) -> Fields:
        """Carries out one command. Asked again with the same idempotency key, the fleet gives its first answer again."""
        idempotency_key = idempotency_key or new_id()
        _, schema = self.registry.latest(f"{topic}-value")
        whole = {each["name"]: each["default"] for each in schema["fields"] if "default" in each} | fields
        ask = {"key": record_key(schema.get("recordKey"), whole), "idempotency_key": idempotency_key, "timeout_ms": timeout_ms}
        if "sealedFields" not in schema:
            return self.exchange(topic, whole, **ask)
        try:
            return self.exchange(topic, whole | {"sealed": self.sealed(topic, whole, idempotency_key)}, **ask)
        except Refusal as refusal:
            if refusal.details.get("reason") != "unknown-kid":
                raise
            self._fleet_key = None  # the fleet has other keys by now
            return self.exchange(topic, whole | {"sealed": self.sealed(topic, whole, idempotency_key)}, **ask)

    def sealed(self, topic: str, whole: Fields, idempotency_key: str) -> str:
        """All fields of a request in a seal that fits only this topic, our reply key and this idempotency key."""
        if self._fleet_key is None:
            keys = json.loads(self.request("auth.key.list", {})["jwks"])["keys"]
            self._fleet_key = next(key for key in keys if key["use"] == "enc")
        ends = int(time.time()) + SEAL_SECONDS
        header = {"top": topic, "rkt": self._own.thumbprint(), "jti": idempotency_key, "exp": ends}
        return seal(whole, self._fleet_key, header)

    def exchange(
        self, topic: str, record: Fields, *, key: str | None, idempotency_key: str, timeout_ms: int = 20_000
    ) -> Fields:
        """Sends a record as it is and waits for its reply."""
        value = self.registry.encode(f"{topic}-value", record)
        correlation_id = new_id()
        reply: Future[bytes] = Future()
        self._waiting[correlation_id] = reply
        headers = {
            "kafka_correlationId": correlation_id,
            "kafka_replyTopic": self._reply_topic,
            "kafka_replyPartition": str(self._partition),
            "auth-timeout": str(timeout_ms),
            "auth-idempotency-key": idempotency_key,
            "auth-reply-key": self._reply_key,
        }
        try:
            self._producer.produce(self._prefix + topic, value, key, headers=list(headers.items()))
            self._producer.poll(0)
            # A second more than the fleet has: its own word is better than our guess.
            return self._opened(reply.result(timeout_ms / 1000 + 1))
        except FutureTimeout:
            raise Refusal("DEADLINE_EXCEEDED", "no reply came in time") from None
        finally:
            del self._waiting[correlation_id]

    def _replied(self, _topic: str, message: Message) -> None:
        waiting = self._waiting.get(headers_of(message).get("kafka_correlationId", b"").decode())
        if waiting is not None and not waiting.done():  # others read the same partition, and some replies come late
            waiting.set_result(message.value())

    def _opened(self, value: bytes) -> Fields:
        name, outcome = self.registry.decode(value)["outcome"]
        if name == "auth.Refusal":
            raise Refusal(outcome["code"], outcome["message"], outcome["details"], outcome["retryAfterMs"])
        if "sealed" in outcome:
            merge(outcome, unseal(outcome.pop("sealed"), self._own))
        return outcome

    def close(self) -> None:
        self._producer.flush(5)
        self._reader.close()


# Local verification


@dataclass(frozen=True)
class Verified:
    user_id: int
    login: str
    roles: list[str]
    session_id: str
    age_ms: int


class Verifier:
    """Checks access tokens without asking anybody. States: reading -> fresh <-> stale."""

    def __init__(self, settings: Settings, max_age_ms: int = 10_000) -> None:
        self._settings = settings
        self._max_age_ms = max_age_ms
        self._keys: dict[str, Fields] = {}
        self._revoked_keys: set[str] = set()
        self._sessions: set[str] = set()
        self._users: dict[int, tuple[int, int]] = {}  # tokens below the first are outdated, below the second over
        self._marks: dict[int, int] = {}
        self._moved_at = time.monotonic()
        self._lock = threading.Lock()
        self._reader = Reader(settings, ["auth.key", "auth.revocation"], self._heard)

    @property
    def age_ms(self) -> float:
        """How old the knowledge is: what was revoked before is known. Infinite until every partition has said its mark."""
        with self._lock:
            if len(self._marks) < len(self._reader.partitions["auth.revocation"]):
                return float("inf")
            by_clock = time.time() * 1000 - min(self._marks.values())
            return max(0.0, by_clock, (time.monotonic() - self._moved_at) * 1000)  # a clock that is slow must not hide a feed that stands

    @property
    def fresh(self) -> bool:
        return self.age_ms <= self._max_age_ms and len(self._keys) > 0

    def verify(self, token: str) -> Verified:
        """Raises Refusal TOKEN_INVALID, TOKEN_EXPIRED, SESSION_REVOKED, or UNAVAILABLE where only the fleet can tell."""
        claims, kid = self._signed(token)
        with self._lock:
            if kid in self._revoked_keys:
                raise Refusal("TOKEN_INVALID")
            if claims["sid"] in self._sessions:
                raise Refusal("SESSION_REVOKED")
            outdated, over = self._users.get(int(claims["sub"]), (0, 0))
        if claims["gen"] < outdated:
            raise Refusal("SESSION_REVOKED") if claims["gen"] < over else Refusal("TOKEN_EXPIRED", "refresh")
        if not self.fresh:
            raise Refusal("UNAVAILABLE", "revocations are not known well enough", {"reason": "stale"})
        return Verified(int(claims["sub"]), claims["login"], claims["roles"], claims["sid"], int(self.age_ms))

    def _signed(self, token: str) -> tuple[Fields, str]:
        """The claims, and which key signed them. The key decides the algorithm, never the token."""
        try:
            parsed = jws.JWS()
            parsed.deserialize(token)
            kid = str(parsed.jose_header.get("kid"))
            if parsed.jose_header.get("typ") != "at+jwt":
                raise Refusal("TOKEN_INVALID")
            with self._lock:
                key = self._keys.get(kid)
                revoked = kid in self._revoked_keys
            if key is None:
                raise Refusal("TOKEN_INVALID") if revoked else Refusal("UNAVAILABLE", "", {"reason": "unknown-kid"})
            wanted = {"iss": self._settings.issuer, "aud": self._settings.audience, "exp": None}
            checked = jwt.JWT(algs=[key["alg"]], check_claims=wanted, expected_type="JWS")
            checked.leeway = LEEWAY_SECONDS
            checked.deserialize(token, jwk.JWK(**key))
            return json.loads(checked.claims), kid
        except jwt.JWTExpired:
            raise Refusal("TOKEN_EXPIRED") from None
        except (JWException, ValueError):
            raise Refusal("TOKEN_INVALID") from None

    def _heard(self, topic: str, message: Message) -> None:
        name, value = (message.key() or b"").decode(), message.value()
        with self._lock:
            if topic == "auth.key":
                self._heard_key(name, value)
            elif value is not None:
                self._heard_revocation(name, json.loads(value), message.partition())

    def _heard_key(self, kid: str, value: bytes | None) -> None:
        if value is None:
            self._keys.pop(kid, None)
            return
        key = json.loads(value)
        if key["use"] == "sig":
            self._keys[kid] = {name: key[name] for name in ("kty", "crv", "x", "y", "n", "e", "kid", "use", "alg") if name in key}

    def _heard_revocation(self, name: str, body: Fields, partition: int) -> None:
        if name == "asOf":
            before = min(self._marks.values(), default=0)
            self._marks[partition] = max(body["asOf"], self._marks.get(partition, 0))
            if min(self._marks.values()) != before:
                self._moved_at = time.monotonic()
        elif name.startswith("s:"):
            self._sessions.add(name[2:])
        elif name.startswith("k:"):
            self._revoked_keys.add(name[2:])
        elif name.startswith("u:"):
            user, minimum = int(name[2:]), body["minGeneration"]
            outdated, over = self._users.get(user, (0, 0))
            self._users[user] = (max(outdated, minimum), max(over, minimum if body.get("ended") else 0))

    def close(self) -> None:
        self._reader.close()
