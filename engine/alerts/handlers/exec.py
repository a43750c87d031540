"""`exec`: runs a program for each alert and waits for it; the alert is a line of JSON on its standard input."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.alerts.handlers.base import STRING, STRINGS, Handler, Kind, Surroundings
from engine.process import die_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Delivery

_MOST_OUTPUT = 4096


class ExecHandler(Handler):
    """The program has this process's environment. It is killed, with its group, when the handler is cancelled."""

    def __init__(self, program: str, args: Sequence[str], log: Any) -> None:
        self._program = program
        self._args = list(args)
        self._log = log

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            try:
                await self._run(delivery.json)
            except (OSError, ValueError) as error:
                self._log.error(
                    "failed to run program", program=self._program, alert=delivery.event.id, error=str(error)
                )

    async def _run(self, line: bytes) -> None:
        me = os.getpid()
        process = await asyncio.create_subprocess_exec(
            self._program,
            *self._args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with(me),
        )
        try:
            output, _ = await process.communicate(line)
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode:
            self._log.error(
                "program failed",
                program=self._program,
                status=process.returncode,
                output=output[:_MOST_OUTPUT].decode(errors="replace"),
            )


def _make(options: dict[str, Any], surroundings: Surroundings) -> ExecHandler:
    return ExecHandler(options["prog"], options["args"], surroundings.log)


KIND = Kind(
    "exec", "*alert.ExecHandlerConfig", {"prog": STRING, "args": STRINGS}, _make,
    lambda declared: {"prog": declared.program, "args": list(declared.args)},
)  # fmt: skip
