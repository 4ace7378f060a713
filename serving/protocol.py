"""HTTP/1.1 with bounds on the head of a request, which uvicorn waits for and keeps without any."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 65_536


class BoundedHead(HttpToolsProtocol):
    """Closes connections whose request's head takes too long or too much."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Take a part of a head or a body."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._deadline is None:
                self._begin()
            if self._head_bytes > HEAD_BYTES and not self._has_end(data):
                self._close()
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next head, once its first bytes are there; idle connections are uvicorn's to close."""
        super().on_message_complete()
        self._in_head, self._head_bytes = True, 0

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._stop_waiting()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    @staticmethod
    def _has_end(data: bytes) -> bool:
        # the head and the start of a body may come together
        return b"\r\n\r\n" in data[:HEAD_BYTES]
