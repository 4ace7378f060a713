"""Requests to an ASGI application in this process, without a server."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Sends requests to an application, each by itself; its lifespan is not run."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path, **headers):
        return asyncio.run(self.asked("GET", path, b"", headers))

    def post(self, path, body, *, method="POST", **headers):
        """Send a body: bytes as they are, anything else as JSON."""
        if not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"content-type": "application/json"} | headers
        return asyncio.run(self.asked(method, path, body, headers))

    async def asked(self, method, path, body, headers, parts=None):
        path, _, query = path.partition("?")
        named = {name.replace("_", "-"): value for name, value in (self.headers | headers).items()}
        if parts is None:
            named.setdefault("content-length", str(len(body)))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items() if value is not None],
            "server": ("test", 80), "client": ("test", 1),
        }  # fmt: skip
        pieces, sent = list(parts if parts is not None else [body]), []

        async def receive():
            if not pieces:
                await asyncio.Event().wait()
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        start = sent[0]
        return Reply(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message.get("body", b"") for message in sent[1:]),
        )
