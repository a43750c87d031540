CREATE TABLE recordings (
    id       TEXT PRIMARY KEY,
    type     TEXT NOT NULL,
    path     TEXT NOT NULL,         -- the data file, '' for none
    size     INTEGER NOT NULL,      -- bytes, -1 for no file
    date     INTEGER NOT NULL,
    error    TEXT NOT NULL,
    status   TEXT NOT NULL CHECK (status IN ('running', 'finished', 'failed')),
    progress REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE replays (
    id             TEXT PRIMARY KEY,
    task           TEXT NOT NULL,
    recording      TEXT NOT NULL,   -- '' for a live replay
    recording_time INTEGER NOT NULL CHECK (recording_time IN (0, 1)),
    clock          TEXT NOT NULL CHECK (clock IN ('fast', 'real')),
    date           INTEGER NOT NULL,
    error          TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('running', 'finished', 'failed')),
    progress       REAL NOT NULL,
    stats          TEXT NOT NULL    -- JSON object, {} until finished
) STRICT, WITHOUT ROWID;
