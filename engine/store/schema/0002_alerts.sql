CREATE TABLE handlers (
    topic   TEXT NOT NULL,
    id      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    options TEXT NOT NULL,          -- JSON object or null
    match   TEXT NOT NULL,          -- a lambda expression, '' for none
    PRIMARY KEY (topic, id)
) STRICT, WITHOUT ROWID;

-- The last event of an ID whose level is not OK: an OK removes it.
CREATE TABLE event_states (
    topic    TEXT NOT NULL,
    id       TEXT NOT NULL,
    message  TEXT NOT NULL,
    details  TEXT NOT NULL,
    time     INTEGER NOT NULL,
    duration INTEGER NOT NULL,      -- ns
    level    INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),
    PRIMARY KEY (topic, id)
) STRICT, WITHOUT ROWID;
