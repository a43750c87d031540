"""The ingest log: what is acknowledged is here until every task has dealt with it (docs/ingest-log.md)."""

from engine.ingest_log.errors import LogError, LogFull, LogLocked, LogVersion, RecordTooLarge
from engine.ingest_log.log import Dropped, IngestLog, LogStatistics, Recovery, verify
from engine.ingest_log.positions import ResumePositions
from engine.ingest_log.record import Buffer, Entry
from engine.ingest_log.segment import Damage, Lost, NotResident
from engine.ingest_log.sync import Event, FileSynced, HelperDied, LogHelper, PagedIn, Policy, Synced, SyncFailed

__all__ = [
    "Buffer",
    "Damage",
    "Dropped",
    "Entry",
    "Event",
    "FileSynced",
    "HelperDied",
    "IngestLog",
    "LogError",
    "LogFull",
    "LogHelper",
    "LogLocked",
    "LogStatistics",
    "LogVersion",
    "Lost",
    "NotResident",
    "PagedIn",
    "Policy",
    "RecordTooLarge",
    "Recovery",
    "ResumePositions",
    "SyncFailed",
    "Synced",
    "verify",
]
