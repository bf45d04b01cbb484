"""The bytes to try of docs/protocol.md, by jwcrypto and Python's own hmac, as client.py uses them.

Standard input: the page's text. Standard output: one JSON object with what they say, and what they say of bytes that are changed. Nothing is
judged here: protocol.test.ts does that.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import urlsafe_b64decode
from typing import Any

from client import read_cert, reply_mac, seal, thumbprint, unseal
from jwcrypto import jwk
from jwcrypto.common import JWException


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n([^`]+)^```$", page, re.MULTILINE)


def bytes_of(dump: str) -> bytes:
    return b"".join(bytes.fromhex(line[6:53]) for line in dump.splitlines())


def opened(text: str, key: jwk.JWK) -> Any:
    try:
        return unseal(text, key)
    except JWException:
        return None


def main() -> None:
    page = sys.stdin.read()
    _, reply, _ = (bytes_of(dump) for dump in blocks(page, "hex"))
    sealed, cert = (blocks(page, language)[0].replace("\n", "") for language in ("jwe", "jws"))
    header, inside, key, _, root = (json.loads(text) for text in blocks(page, "json"))
    private, fleet_id = jwk.JWK(**key), thumbprint(root)
    secret = urlsafe_b64decode(inside["$reply"] + "=")
    shown = dict(re.findall(r"^\| `(kafka_\w+|auth-[\w-]+)` \| `([^`]+)`", page, re.MULTILINE))
    correlation_id = shown["kafka_correlationId"].encode()
    issued = 1_800_000_000

    def mac(value: bytes) -> str:
        return reply_mac(secret, shown["kafka_replyTopic"], correlation_id, "INVALID_CREDENTIALS", value)

    def flipped(text: str) -> str:
        return text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:]

    public = {"kid": thumbprint(key), **{name: key[name] for name in ("kty", "crv", "x", "y")}}
    own = seal(inside, public, {name: header[name] for name in ("top", "rpt", "rkt", "jti", "exp")})
    says = {
        "header": json.loads(urlsafe_b64decode(sealed.split(".")[0] + "==")),
        "inside": opened(sealed, private),
        "kid": thumbprint(key),
        "mac": mac(reply),
        "fleetId": fleet_id,
        "cert": read_cert(cert, {fleet_id}, issued),
        "own": own,
    }
    changed = {
        "inside": opened(flipped(sealed), private),
        "mac": mac(reply[:-1] + b"\x01"),
        "cert": read_cert(flipped(cert), {fleet_id}, issued),
        "otherRoot": read_cert(cert, {thumbprint(key)}, issued),
        "late": read_cert(cert, {fleet_id}, issued + 48 * 3600 + 6),
    }
    print(json.dumps({"says": says, "changed": changed}))


main()
