"""The errors of the transports, above all the two ways in which an edge ends.

`EdgeClosed` is the good end (nothing was lost), `EdgeAborted` every other one (what was buffered is gone); `PeerLost` is an
abort that nobody asked for. `MessageTooLarge` refuses one message and leaves the edge as it was.
"""

from __future__ import annotations


class EdgeAborted(Exception):
    """Either side aborted, or the other side vanished; what was buffered is lost. Every later call raises it again."""

    def __init__(self, text: str = "edge aborted") -> None:
        super().__init__(text)


class PeerLost(EdgeAborted):
    """The process at the other end died or closed without draining. Its owner decides whether that was a crash."""

    def __init__(self, text: str = "edge aborted: the other end is gone") -> None:
        super().__init__(text)


class EdgeClosed(Exception):
    """The edge ended in order: the parent drained it and everything was taken, or the caller asks more of it after that."""

    def __init__(self, text: str = "edge closed") -> None:
        super().__init__(text)


class MessageTooLarge(ValueError):
    """One message exceeds the edge's `message_bytes`; nothing was sent and the edge goes on."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a message of {size} bytes exceeds the edge's maximum of {limit} bytes")
        self.size = size
        self.limit = limit


class RunDirectoryError(Exception):
    """No directory could be made private and short enough for sockets; the text names those tried and why each failed."""
