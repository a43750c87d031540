"""`|httpPost()`: one POST a point, or batch, in order and one at a time; data always pass on (nodes.md §17.2).

The body is the row as JSON and a newline, or what the endpoint's row template makes of it. URL and row template see
`.Name`, `.Tags` and `.Values`. A failure is counted and told, never retried. No connection outlives `close`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np

from engine.frames.model import FieldColumn, Kind, Section
from engine.frames.reshape import runs
from engine.http_headers import basic_auth, set_header, url_for
from engine.nodes.arrivals import Arrivals
from engine.nodes.grouped import Grouped
from engine.operator import TaskError
from engine.rows import UnsupportedValueError, document, rows_of
from engine.templates import ExecutionError, ParseError, Struct, TextMap, parse
from engine.templates.functions import JSON_FUNCTIONS
from engine.templates.times import GoTime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.frames.model import Frame
    from engine.operator import Report
    from engine.templates import Template

_UNKNOWN = "unknown error, use .captureResponse() to capture the HTTP response"
_FAILED = "failed to POST data"


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to post: what a URL, or a configured endpoint, comes to."""

    url: Template
    row: Template | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_url(cls, url: str) -> Target:
        """Raises TaskError where the URL is no template."""
        return cls(_template(url, "url"))

    @classmethod
    def of_endpoint(cls, name: str, endpoints: Mapping[str, Any]) -> Target:
        """The configured endpoint. Raises TaskError where there is none, or its templates cannot be read."""
        found = endpoints.get(name)
        if found is None:
            raise TaskError(f"endpoint '{name}' does not exist")
        text = found.get("row-template") or ""
        functions: Mapping[str, Any] = JSON_FUNCTIONS
        if not text and found.get("row-template-file"):
            try:
                text = Path(found["row-template-file"]).read_text(encoding="utf-8")
            except OSError as error:
                raise TaskError(f"error in row template: {error}") from error
            functions = {}
        auth = found.get("basic-auth") or {}
        headers = basic_auth(auth.get("username"), auth.get("password"))
        for header, value in (found.get("headers") or {}).items():
            set_header(headers, header, value)
        return cls(
            _template(found["url"], "url"), _template(text, "row template", functions) if text else None, headers
        )


def _template(text: str, what: str, functions: Mapping[str, Any] = JSON_FUNCTIONS) -> Template:
    try:
        return parse(text, "", functions)
    except ParseError as error:
        raise TaskError(f"error in {'url templating' if what == 'url' else what}: {error}") from error


class _RowData(Struct):
    """A row as templates see it."""

    go_type = "*models.Row"

    def __init__(self, section: Section, unit: int) -> None:
        self._section = section
        self._unit = unit

    def go_field(self, name: str) -> Any:
        if name == "Name":
            return self._section.name
        if name == "Tags":
            return self._tags()
        if name == "Values":
            return self._values()
        raise KeyError(name)

    def _tags(self) -> TextMap:
        section, i = self._section, self._unit
        if section.batches is not None:
            return TextMap(section.groups.tags(int(section.group_codes()[i])))
        return TextMap({k: v for k, c in section.tags.items() if (v := c.at(i)) is not None})

    def _values(self) -> list[dict[str, Any]]:
        section, i = self._section, self._unit
        if section.batches is None:
            return [{"time": GoTime(int(section.time[i])), **_fields(section, i)}]
        start, stop = section.batches.offsets[i : i + 2].tolist()
        if start == stop:
            return []
        dims = section.groups.dims
        columns = _fields(section, start).keys() | {
            k for k, c in section.tags.items() if k not in dims and c.at(start) is not None
        }
        return [{"time": GoTime(int(section.time[r])), **_cells(section, r, columns)} for r in range(start, stop)]


def _fields(section: Section, i: int) -> dict[str, Any]:
    return {k: c.at(i) for k, c in section.fields.items() if c.valid is None or c.valid[i] != 0}


def _cells(section: Section, i: int, columns: Any) -> dict[str, Any]:
    fields = _fields(section, i)
    return {k: fields[k] if k in fields else section.tags[k].at(i) if k in section.tags else None for k in columns}


class _Passing(Grouped):
    """The groups that were seen, and the end of them; data pass."""

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if frame.sections:
            self._map(Arrivals(frame))
        return (frame,)


class HttpPostOperator:
    """Properties as the declaration has them; `timeout` is int64 ns, 0 for none. `step` is called after each POST."""

    def __init__(
        self, *, target: Target, headers: Mapping[str, str] | None = None, code_field: str = "",
        capture_response: bool = False, timeout: int = 0, step: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._groups = _Passing()
        self.report: Report = self._groups.report
        self._target = target
        self._code_field = code_field
        self._capture = capture_response
        self._timeout = timeout
        self._step = step
        self._session: aiohttp.ClientSession | None = None
        self._headers = dict(target.headers)
        if target.row is None:
            set_header(self._headers, "Content-Type", "application/json")
        for name, value in (headers or {}).items():
            set_header(self._headers, name, value)

    @property
    def cardinality(self) -> int:
        return self._groups.cardinality

    async def open(self) -> None:
        limit = aiohttp.ClientTimeout(total=self._timeout / 1e9 if self._timeout > 0 else None)
        self._session = aiohttp.ClientSession(
            timeout=limit,
            skip_auto_headers=("Content-Type",),
            connector=aiohttp.TCPConnector(limit=1),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def finish(self) -> Sequence[Frame]:
        return ()

    async def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:
        """Post every point, or batch; the frame with the status codes where a field asks for them."""
        codes = [np.zeros(s.count, np.int64) for s in frame.sections]
        rows = [rows_of(s) if self._target.row is None else None for s in frame.sections]
        for s, start, stop in runs(frame):
            for i in range(start, stop):
                texts = rows[s]
                codes[s][i] = await self._send(frame.sections[s], i, None if texts is None else texts[i])
                self._step()
        if self._code_field:
            sections = tuple(self._with_code(s, c) for s, c in zip(frame.sections, codes, strict=True))
            frame = frame.with_(sections=sections)
        return self._groups.collect(frame, parent)

    def _with_code(self, section: Section, codes: Any) -> Section:
        if section.batches is not None:
            codes = np.repeat(codes, np.diff(section.batches.offsets))
        return section.with_(fields={**section.fields, self._code_field: FieldColumn(Kind.INT, codes)})

    async def _send(self, section: Section, unit: int, row: str | UnsupportedValueError | None) -> int:
        """One POST; the status, or 0 where there was no answer."""
        try:
            body, url = self._request(section, unit, row)
        except (UnsupportedValueError, ExecutionError) as error:
            self.report.error(_FAILED, str(error))
            return 0
        assert self._session is not None
        try:
            asked = url_for(url, self._headers)
            async with self._session.post(asked, data=body, headers=self._headers) as response:
                if 200 <= response.status < 300:
                    await response.read()
                    return response.status
                detail = (await response.text(errors="replace")) if self._capture else _UNKNOWN
                self.report.error("POST returned non 2xx status code", detail, code=response.status)
                return response.status
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:  # noqa: UP041  (3.11 has two)
            self.report.error(_FAILED, f'Post "{url}": {error or type(error).__name__}')
            return 0

    def _request(self, section: Section, unit: int, row: str | UnsupportedValueError | None) -> tuple[bytes, str]:
        data = _RowData(section, unit)
        if row is None:
            assert self._target.row is not None
            text = self._target.row.render(data)
        elif isinstance(row, UnsupportedValueError):
            raise row
        else:
            text = document([row]) + "\n"
        return text.encode("utf-8", "surrogateescape"), self._target.url.render(data)
