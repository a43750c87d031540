"""The errors of the ingest log: each names the directory or file, says what happened and what to do."""

from __future__ import annotations


class LogError(Exception):
    """Base of all errors of the ingest log."""


class LogFull(LogError):
    """The disk, the quota or the file size limit has no room for the frame; nothing of it remains in the log.

    The write is to be refused (HTTP 503); later appends may succeed again.
    """


class LogLocked(LogError):
    """Another process has the log open: it has exactly one writer."""


class LogVersion(LogError):
    """A segment was written by a version that this one does not know; nothing was changed."""


class RecordTooLarge(LogError):
    """The frame is beyond what one record can hold."""
