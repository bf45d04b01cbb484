"""The gateway as gateway.test.ts has it play: a grpcio client whose stubs are generated from auth.proto beside this file, and from nothing else.

It knows no rule and judges nothing. Lines of JSON: on standard input one call each, {"method", "request", "metadata"?, "seconds"?}, or
{"parse": a message's name, "hex"}; on standard output what came of it, with every field of the reply as the stubs have it, defaults included.
Arguments: the bridge's address, and a folder for the stubs.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from grpc_tools import protoc

address, folder = sys.argv[1:]
here = str(Path(__file__).parent)
if protoc.main(["protoc", f"--proto_path={here}", f"--python_out={folder}", f"--grpc_python_out={folder}", "auth.proto"]) != 0:
    sys.exit("protoc failed")
sys.path.insert(0, folder)
messages, services = import_module("auth_pb2"), import_module("auth_pb2_grpc")
inputs = {each.name: each.input_type.name for each in messages.DESCRIPTOR.services_by_name["Auth"].methods}


def fields_of(message: Message) -> dict[str, Any]:
    found = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        found[field.name] = fields_of(value) if isinstance(value, Message) else value
    return found


def reply_of(message: Message) -> dict[str, Any]:
    """What these stubs cannot place is counted: it would be lost on a program that reads the fields alone."""
    return {"reply": fields_of(message), "unknown": len(UnknownFieldSet(message))}


def call(stub: Any, method: str, request: dict[str, Any], metadata: list[list[str]], seconds: float) -> dict[str, Any]:
    ask = getattr(messages, inputs[method])(**request)
    try:
        return {"status": "OK", **reply_of(getattr(stub, method)(ask, timeout=seconds, metadata=metadata))}
    except grpc.RpcError as error:
        said = dict(error.trailing_metadata() or [])
        return {"status": error.code().name, "code": said.get("auth-error"), "details": error.details()}


with grpc.insecure_channel(address) as channel:
    auth = services.AuthStub(channel)
    for line in sys.stdin:
        order = json.loads(line)
        if "parse" in order:
            outcome = reply_of(getattr(messages, order["parse"]).FromString(bytes.fromhex(order["hex"])))
        else:
            outcome = call(auth, order["method"], order["request"], order.get("metadata", []), order.get("seconds", 15))
        print(json.dumps(outcome), flush=True)
