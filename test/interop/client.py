"""The auth fleet as a service in Python sees it, by stock libraries: docs/protocol.md in code.

FleetKeys reads the fleet's keys from auth.key, and takes none without a certificate of the root key whose thumbprint it was given.
Requester asks the fleet: it seals what is secret, sends a record, and opens the reply with a key that never leaves this process. A reply counts
only with the mac of its request.
Verifier checks access tokens by itself, from the feeds auth.key and auth.revocation, and knows how old its knowledge is.
All it knows of a command is its schema in the registry: fields, defaults, which are sealed, which makes the record's key.
It does not forget revocations of tokens that have long expired, and does not watch auth.fleet: a service that runs for months should.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import secrets
import struct
import threading
import time
import unicodedata
import urllib.request
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fastavro
from confluent_kafka import OFFSET_BEGINNING, TIMESTAMP_LOG_APPEND_TIME, Consumer, Message, Producer, TopicPartition
from jwcrypto import jwe, jwk, jws, jwt
from jwcrypto.common import JWException

Fields = dict[str, Any]

ALG = "ECDH-ES+A256KW"
ENC = "A256GCM"
SEAL_SECONDS = 60  # after the call's time; at most 3600 in all
LEEWAY_SECONDS = 5
MOST_SAID = 10_000  # anybody who may write to auth.key can name keys that are gone, without end
MARK_AHEAD_MS = 5_000
LONGEST_RETRY_MS = 60_000
# Given before a request is opened, and so without its mac.
BEFORE_OPENING = {
    "OVERLOADED",
    "THROTTLED",
    "DEADLINE_EXCEEDED",
    "UNAVAILABLE",
    "UNSUPPORTED_SCHEMA",
    "INVALID_INPUT",
    "SEAL_REQUIRED",
    "SEAL_INVALID",
    "INTERNAL",
}


@dataclass(frozen=True)
class Settings:
    brokers: str
    registry: str
    service: str  # one of the fleet's AUTH_REPLY_SERVICES: replies come on auth.reply.<service>
    fleet_id: str  # what `authctl keys root` prints: a thumbprint, or two with a comma while the root key turns
    prefix: str = ""  # AUTH_TOPIC_PREFIX: topics have it on the broker, and neither headers nor seals do
    issuer: str = "auth"  # AUTH_ISSUER
    audience: str = "platform"  # AUTH_AUDIENCE


class Refusal(Exception):
    """The fleet's answer where a command was not carried out, or the verifier's: the code is for programs."""

    def __init__(
        self,
        code: str,
        message: str = "",
        details: dict[str, str] | None = None,
        retry_after_ms: int | None = None,
        authentic: bool | None = None,
    ):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.details = details or {}
        self.retry_after_ms = retry_after_ms
        self.authentic = authentic  # False: anybody who may write to the reply topic can have made it


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
        self._moved = threading.Condition()
        self._positions: dict[tuple[str, int], int] = {}
        # A group id must be there; with assign() no group is joined, and nothing is committed.
        of_client = {"bootstrap.servers": settings.brokers, "group.id": settings.service, "enable.auto.commit": False}
        self._consumer = Consumer({**of_client, "auto.offset.reset": "earliest"})
        self._asking = Consumer(of_client)  # for ends of partitions: the other one waits for records meanwhile
        self.partitions = {topic: choose(self._partitions_of(topic)) for topic in topics}
        places = [
            TopicPartition(self._prefix + topic, each) for topic, several in self.partitions.items() for each in several
        ]
        for place in places:
            place.offset = self._asking.get_watermark_offsets(place, timeout=10)[1] if from_end else OFFSET_BEGINNING
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
            if message is None or message.error() is not None:  # after an error librdkafka tries again by itself
                continue
            self._take(message.topic()[len(self._prefix) :], message)
            with self._moved:
                self._positions[message.topic(), message.partition()] = message.offset() + 1
                self._moved.notify_all()

    def catch_up(self, topic: str, seconds: float = 10) -> None:
        """Waits until what the topic holds now is read. The end of a compacted topic may have no record any more: then for the time given."""
        places = [TopicPartition(self._prefix + topic, each) for each in self.partitions[topic]]
        ends = {(place.topic, place.partition): self._asking.get_watermark_offsets(place, timeout=10)[1] for place in places}
        with self._moved:
            self._moved.wait_for(lambda: all(self._positions.get(place, 0) >= end for place, end in ends.items()), seconds)

    def close(self) -> None:
        self._stopping.set()
        self.join()
        self._consumer.close()
        self._asking.close()


def headers_of(message: Message) -> dict[str, bytes]:
    return dict(message.headers() or [])


# The fleet's keys


def json_object(value: bytes | None) -> Fields | None:
    """What stands in a topic that others may write to; None for what is no JSON object, and says nothing."""
    try:
        read = json.loads(value or b"")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def thumbprint(key: Fields) -> str:
    return jwk.JWK(**{name: key[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in key}).thumbprint()


def read_cert(text: str, fleet_ids: set[str], now: float | None = None) -> Fields | None:
    """What a certificate says, where a root key with one of these thumbprints has signed it and it has not expired."""
    try:
        token = jws.JWS()
        token.deserialize(text)
        header = json.loads(token.objects["protected"])
        root = header["jwk"]
        if header.keys() != {"alg", "typ", "jwk"} or (header["alg"], header["typ"]) != ("ES256", "fleet-key+jwt"):
            return None
        if root.keys() != {"kty", "crv", "x", "y"} or (root["kty"], root["crv"]) != ("EC", "P-256"):
            return None
        if thumbprint(root) not in fleet_ids:
            return None
        token.allowed_algs = ["ES256"]
        token.verify(jwk.JWK(**root), alg="ES256")
        cert = json.loads(token.payload)
        return cert if (time.time() if now is None else now) < cert["exp"] + LEEWAY_SECONDS else None
    except (JWException, ValueError, KeyError, TypeError, AttributeError):
        return None


class FleetKeys:
    """The fleet's keys by the topic auth.key. A record without a certificate that fits it is none, and so is one that comes late."""

    def __init__(self, settings: Settings) -> None:
        self._fleet_ids = set(settings.fleet_id.split(","))
        self._said: dict[str, tuple[int, float]] = {}  # version and Unix seconds of the last word on each kid
        self._keys: dict[str, tuple[Fields, Fields]] = {}  # record and certificate, by kid
        self._refused: str | None = None
        self._lock = threading.Lock()
        self._reader = Reader(settings, ["auth.key"], self._heard)
        self.catch_up()

    def catch_up(self) -> None:
        self._reader.catch_up("auth.key")

    def sealing(self) -> Fields:
        """The active key to seal to; while two are active, the one that was certified last."""
        with self._lock:
            active = [(cert["iat"], key) for key, cert in self._live("enc") if key["state"] == "active"]
        if active:
            return max(active, key=lambda each: each[0])[1]
        reason = "no-key" if self._refused is None else "uncertified-key"
        raise Refusal("UNAVAILABLE", "no key on auth.key counts", {"reason": reason})

    def signing(self, kid: str) -> Fields | None:
        with self._lock:
            return next((key for key, _ in self._live("sig") if key["kid"] == kid), None)

    @property
    def any_signing(self) -> bool:
        with self._lock:
            return len(self._live("sig")) > 0

    def _live(self, use: str) -> list[tuple[Fields, Fields]]:
        now = time.time()
        return [each for each in self._keys.values() if each[0]["use"] == use and now < each[1]["exp"] + LEEWAY_SECONDS]

    def _heard(self, _topic: str, message: Message) -> None:
        try:
            kid, record = (message.key() or b"").decode(errors="replace"), json_object(message.value()) or {}
            with self._lock:
                self._take(kid, record, message.timestamp()[1] / 1000)
        except (ValueError, KeyError, TypeError):
            pass  # not a record of the fleet's

    def _take(self, kid: str, record: Fields, broker_time: float) -> None:
        version = record["version"]
        if record["kid"] != kid or not isinstance(version, int) or not 1 <= version <= 2**52:
            return
        if record.get("gone") is True:
            known = kid in self._said
            if (version, broker_time) < self._said.get(kid, (0, 0)) or (not known and len(self._said) >= MOST_SAID):
                return
            if len(kid) != 43:  # no thumbprint
                return
            self._said[kid] = (version, broker_time)
            self._keys.pop(kid, None)
            return
        cert = read_cert(record["cert"], self._fleet_ids)
        if cert is None or thumbprint(record) != kid or thumbprint(cert["jwk"]) != kid:
            self._refused = kid
            return
        if any(cert[name] != record[name] for name in ("use", "version", "state")) or cert["jwk"]["alg"] != record["alg"]:
            self._refused = kid
            return
        said, before = (version, cert["iat"]), self._said.get(kid, (0, 0))
        # In one version what was said later counts, and of both at a time that the key is gone.
        if said > before or (said == before and kid in self._keys):
            self._said[kid] = said
            self._keys[kid] = (record, cert)

    def close(self) -> None:
        self._reader.close()


# Seals and macs


def base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def reply_mac(secret: bytes, reply_topic: str, correlation_id: bytes, code: str, value: bytes) -> str:
    parts = (reply_topic.encode(), correlation_id, code.encode(), value)
    text = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return base64url(hmac.new(secret, text, hashlib.sha256).digest())


def jti_of(key: bytes) -> str:
    """An idempotency key as a seal names it."""
    is_text = all(0x20 <= byte <= 0x7E for byte in key) and not key.startswith(b"b64:")
    return key.decode() if is_text else "b64:" + base64url(key)


def sealed_form(value: Any) -> Any:
    """A value as it stands inside a seal: whole numbers as decimal text, bytes as base64url."""
    if isinstance(value, dict):
        return {name: sealed_form(each) for name, each in value.items()}
    if isinstance(value, list):
        return [sealed_form(each) for each in value]
    if isinstance(value, bytes):
        return base64url(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def seal(fields: Fields, key: Fields, header: Fields) -> str:
    protected = {"alg": ALG, "enc": ENC, "kid": key["kid"], **header}
    token = jwe.JWE(json.dumps(sealed_form(fields)).encode(), json.dumps(protected))
    token.add_recipient(jwk.JWK(**{name: key[name] for name in ("kty", "crv", "x", "y")}))
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


@dataclass
class Call:
    """A request that waits for its reply."""

    secret: bytes | None  # under which its reply has its mac; None: it has no seal
    reply: Future[Fields]


class Requester:
    """Any number of threads may ask at once; replies find their callers by correlation id."""

    def __init__(self, settings: Settings, keys: FleetKeys) -> None:
        self.registry = Registry(settings.registry)
        self.ignored = 0  # replies that were none
        self._keys = keys
        self._prefix = settings.prefix
        self.reply_topic = f"auth.reply.{settings.service}"
        self._own = jwk.JWK.generate(kty="EC", crv="P-256")
        public = self._own.export_public(as_dict=True)
        self._reply_key = json.dumps({name: public[name] for name in ("kty", "crv", "x", "y")})
        self._waiting: dict[bytes, Call] = {}
        self._producer = Producer(
            # murmur2: one key goes to the partition to which every other service sends it. An idempotent producer is not
            # needed: a request that is sent twice is answered once, by its idempotency key.
            {"bootstrap.servers": settings.brokers, "partitioner": "murmur2_random", "linger.ms": 0}
        )
        choose = lambda partitions: [secrets.choice(partitions)]  # noqa: E731
        self._broker_ahead: Future[float] = Future()
        self._probe = new_id().encode()
        self._probed_at = time.time()
        self._reader = Reader(settings, [self.reply_topic], self._replied, from_end=True, choose=choose)
        [self.partition] = self._reader.partitions[self.reply_topic]
        self._probed_at = time.time()
        self.produce(self.reply_topic, None, {"auth-probe": self._probe}, partition=self.partition)

    def broker_time(self) -> float:
        """Unix seconds by the broker's clock, which a probe has told: a seal ends by that."""
        return time.time() + self._broker_ahead.result(10)

    def request(
        self,
        topic: str,
        fields: Fields,
        *,
        idempotency_key: str | None = None,
        timeout_ms: int = 20_000,
        device_token: str | None = None,
    ) -> Fields:
        """Carries out one command. Asked again with the same idempotency key, the fleet gives its first answer again.

        device_token: what the user's device was given at its last login or refresh; with it a login has a place also in a flood.
        """
        ask: Fields = {"idempotency_key": idempotency_key or new_id(), "timeout_ms": timeout_ms, "device_token": device_token}
        _, schema = self.registry.latest(f"{topic}-value")
        whole = {each["name"]: each["default"] for each in schema["fields"] if "default" in each} | fields
        key = record_key(schema.get("recordKey"), whole)
        if "sealedFields" not in schema:
            return self.exchange(topic, whole, key=key, **ask)
        try:
            return self._sealed_exchange(topic, whole, key, **ask)
        except Refusal as refusal:
            if refusal.details.get("reason") != "unknown-kid":
                raise
            self._keys.catch_up()  # the fleet has other keys by now
            return self._sealed_exchange(topic, whole, key, **ask)

    def _sealed_exchange(
        self, topic: str, whole: Fields, key: str | None, *, idempotency_key: str, timeout_ms: int, device_token: str | None
    ) -> Fields:
        secret = secrets.token_bytes(32)
        sealed = self.sealed(topic, whole, idempotency_key.encode(), secret, timeout_ms=timeout_ms)
        ask: Fields = {"key": key, "idempotency_key": idempotency_key, "secret": secret, "timeout_ms": timeout_ms}
        return self.exchange(topic, whole | {"sealed": sealed}, device_token=device_token, **ask)

    def sealed(
        self, topic: str, whole: Fields, key: bytes, secret: bytes, *, reply_topic: str | None = None, timeout_ms: int = 20_000
    ) -> str:
        """All fields of a request in a seal that fits only this topic, our reply topic, our reply key and this idempotency key."""
        ends = int(self.broker_time() + timeout_ms / 1000) + SEAL_SECONDS
        bound = {"top": topic, "rpt": reply_topic or self.reply_topic, "rkt": self._own.thumbprint(), "jti": jti_of(key)}
        return seal({**whole, "$reply": secret}, self._keys.sealing(), {**bound, "exp": ends})

    def exchange(
        self,
        topic: str,
        record: Fields,
        *,
        key: str | None,
        idempotency_key: str | None,
        secret: bytes | None = None,
        correlation_id: bytes | None = None,
        timeout_ms: int = 20_000,
        device_token: str | None = None,
    ) -> Fields:
        """Sends a record as it is and waits for its reply."""
        value = self.registry.encode(f"{topic}-value", record)
        correlation_id = correlation_id or new_id().encode()
        headers = {
            "kafka_correlationId": correlation_id,
            "kafka_replyTopic": self.reply_topic,
            "kafka_replyPartition": str(self.partition),
            "auth-timeout": str(timeout_ms),
            "auth-reply-key": self._reply_key,
        }
        if idempotency_key is not None:
            headers["auth-idempotency-key"] = idempotency_key
        if device_token is not None:
            headers["auth-device"] = device_token
        with self.waiting(correlation_id, secret) as call:
            self.produce(topic, value, headers, key=key)
            try:
                # A second more than the fleet has: its own word is better than our guess.
                return call.reply.result(timeout_ms / 1000 + 1)
            except FutureTimeout:
                raise Refusal("DEADLINE_EXCEEDED", "no reply came in time") from None

    @contextmanager
    def waiting(self, correlation_id: bytes, secret: bytes | None) -> Iterator[Call]:
        call = self._waiting[correlation_id] = Call(secret, Future())
        try:
            yield call
        finally:
            del self._waiting[correlation_id]

    def produce(self, topic: str, value: bytes | None, headers: Fields, *, key: str | None = None, partition: int = -1) -> None:
        self._producer.produce(self._prefix + topic, value, key, partition, headers=list(headers.items()))
        self._producer.poll(0)

    def _replied(self, _topic: str, message: Message) -> None:
        headers = headers_of(message)
        if headers.get("auth-probe") == self._probe and not self._broker_ahead.done():
            self._broker_ahead.set_result(message.timestamp()[1] / 1000 - (self._probed_at + time.time()) / 2)
        correlation_id = headers.get("kafka_correlationId", b"")
        call = self._waiting.get(correlation_id)
        if call is None or call.reply.done():  # others read the same partition, and some replies come late
            return
        code, value = headers.get("auth-outcome", b"").decode(), message.value() or b""
        authentic = call.secret is not None and hmac.compare_digest(
            headers.get("auth-reply-mac", b""), reply_mac(call.secret, self.reply_topic, correlation_id, code, value).encode()
        )
        if call.secret is not None and not authentic and code not in BEFORE_OPENING:
            self.ignored += 1
            return
        try:
            name, outcome = self.registry.decode(value)["outcome"]
            refused = name == "auth.Refusal"
            if (outcome["code"] if refused else "ok") != code:
                raise ValueError("the header says another code than the value")
            if refused:
                call.reply.set_exception(self._refusal(outcome, authentic))
                return
            if "sealed" in outcome:
                merge(outcome, unseal(outcome.pop("sealed"), self._own))
            call.reply.set_result(outcome)
        except Exception as error:  # noqa: BLE001: of a reply that nobody vouches for anything may be wrong
            if authentic:
                call.reply.set_exception(error)
            else:
                self.ignored += 1

    @staticmethod
    def _refusal(outcome: Fields, authentic: bool) -> Refusal:
        retry = outcome["retryAfterMs"]
        if retry is not None and not authentic:
            retry = min(retry, LONGEST_RETRY_MS)
        return Refusal(outcome["code"], outcome["message"], outcome["details"], retry, authentic)

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

    def __init__(self, settings: Settings, keys: FleetKeys, max_age_ms: int = 10_000) -> None:
        self._settings = settings
        self._keys = keys
        self._max_age_ms = max_age_ms
        self._revoked_keys: set[str] = set()
        self._sessions: set[str] = set()
        self._users: dict[int, tuple[int, int]] = {}  # tokens below the first are outdated, below the second over
        self._marks: dict[int, int] = {}
        self._moved_at = time.monotonic()
        self._lock = threading.Lock()
        self._reader = Reader(settings, ["auth.revocation"], self._heard)

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
        return self.age_ms <= self._max_age_ms and self._keys.any_signing

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
            raise Refusal("UNAVAILABLE", "the data about revocations is not fresh", {"reason": "stale"})
        return Verified(int(claims["sub"]), claims["login"], claims["roles"], claims["sid"], int(self.age_ms))

    def _signed(self, token: str) -> tuple[Fields, str]:
        """The claims, and which key signed them. The key decides the algorithm, never the token."""
        try:
            parsed = jws.JWS()
            parsed.deserialize(token)
            kid = str(parsed.jose_header.get("kid"))
            if parsed.jose_header.get("typ") != "at+jwt":
                raise Refusal("TOKEN_INVALID")
            key = self._keys.signing(kid)
            with self._lock:
                revoked = kid in self._revoked_keys
            if key is None:
                raise Refusal("TOKEN_INVALID") if revoked else Refusal("UNAVAILABLE", "", {"reason": "unknown-kid"})
            wanted = {"iss": self._settings.issuer, "aud": self._settings.audience, "exp": None}
            checked = jwt.JWT(algs=[key["alg"]], check_claims=wanted, expected_type="JWS")
            checked.leeway = LEEWAY_SECONDS
            members = ("kty", "crv", "x", "y", "n", "e", "use", "alg")
            checked.deserialize(token, jwk.JWK(**{name: key[name] for name in members if name in key}))
            return json.loads(checked.claims), kid
        except jwt.JWTExpired:
            raise Refusal("TOKEN_EXPIRED") from None
        except (JWException, ValueError):
            raise Refusal("TOKEN_INVALID") from None

    def _heard(self, _topic: str, message: Message) -> None:
        name, value = (message.key() or b"").decode(errors="replace"), message.value()
        timed_by, timestamp = message.timestamp()
        written_at = timestamp if timed_by == TIMESTAMP_LOG_APPEND_TIME else 0  # else it is what the writer says
        with self._lock:
            if (body := json_object(value)) is not None:
                self._heard_revocation(name, body, message.partition(), written_at)

    def _heard_revocation(self, name: str, body: Fields, partition: int, written_at: int) -> None:
        if name == "asOf":
            if body["asOf"] > written_at + MARK_AHEAD_MS:
                return  # nobody may move time by a mark
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
