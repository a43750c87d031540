"""The layout of the tables and of the cursor that the kernel and Python share.

Everything is int64 rows, so that what belongs to one series lies in one line of memory. A table's first column is the
hash of what it is found by; `slots` beside it (int32, a power of two, at most half full) hold row numbers or -1.
All text lies in one arena, as start and size. Series 0 stands before the first line of a body.
"""

from __future__ import annotations

HASH, START, SIZE = 0, 1, 2
"""First columns of series, texts and patterns."""

FAMILY, TAGS, SHAPE, NEXT = 3, 4, 5, 6
"""Of a series: its family (EXACT_ONLY: for the exact parser), where its tags begin, the shape of its last line (or -1), and
the series that came behind it the last time (or -1)."""
SERIES_COLUMNS = 8

SEEN = 3
"""Of a text: its number in the column that is being made; -1 at all other times."""
TEXT_COLUMNS = 4

TAG_COUNT, ORDER = 4, 5
"""Of a pattern: how many tags it has, and where the order of its tags begins. FAMILY as for a series."""
PATTERN_COLUMNS = 6

FIRST, COUNT = 1, 2
"""Of a shape: where its fields begin, and how many it has (EXACT_ONLY: for the exact parser)."""
SHAPE_COLUMNS = 3

KEY_START, KEY_SIZE, KIND = 0, 1, 2
"""Of a field: its key as it stands in a line, with the comma before it (but for the first) and the `=` behind it."""
FIELD_COLUMNS = 3

EXACT_ONLY = -1

SERIES, TAG_ROOM, TEXTS, ARENA = 0, 1, 2, 3
"""Counts: series, entries of `tags`, texts, bytes of the arena."""
COUNTS = 4

POSITION, ROWS, USED, BEFORE, FOUND_HASH, FOUND_SIZE, MARKS = 0, 1, 2, 3, 4, 5, 8
"""The cursor: the first byte not dealt with, rows made, values used, the series of the last line; the hash of the
unknown pattern or shape, and the size of its series key or the number of its fields; from MARKS on, scratch."""
MOST_TAGS = 128
CURSOR = MARKS + 3 * MOST_TAGS

TIME, ROW_SERIES, ROW_SHAPE, VALUES = 0, 1, 2, 3
"""Of a row: its time, series, shape, and where its values begin. A row of the exact parser has series EXACT_ONLY, the number of
its schema and of its point."""
ROW_COLUMNS = 4

FLOAT, INTEGER, BOOLEAN, STRING = 1, 2, 3, 4
"""Kinds of values. A value is 64 bits; a string is its start << 32 | 1 << 31 if it has escapes | its size."""
ESCAPED = 1 << 31

LONGEST_KEY = 60_000
"""A longer series key is for the exact parser, which knows the limit of the protocol."""
LONGEST_FIELD_KEY = 4096
SLACK = 16
"""Bytes behind the end of the data that may be read; the first of them is a newline."""
