"""Line protocol: text to frames, and back."""

from __future__ import annotations

from engine.inputs.line_protocol.exact import LineError, Point, parse_line
from engine.inputs.line_protocol.parser import LineParser, Parsed

__all__ = ["LineError", "LineParser", "Parsed", "Point", "parse_line"]
