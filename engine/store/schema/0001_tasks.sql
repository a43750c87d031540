CREATE TABLE tasks (
    id           TEXT PRIMARY KEY,
    type         TEXT NOT NULL,
    script       TEXT NOT NULL,
    dbrps        TEXT NOT NULL,     -- JSON [{"db", "rp"}]
    vars         TEXT NOT NULL,     -- JSON {name: {"type", "value", "description"}}
    template_id  TEXT NOT NULL,     -- '' for none
    status       TEXT NOT NULL CHECK (status IN ('enabled', 'disabled')),
    error        TEXT NOT NULL,
    created      INTEGER NOT NULL,  -- ns since 1970, as all times
    modified     INTEGER NOT NULL,
    last_enabled INTEGER            -- NULL for never
) STRICT, WITHOUT ROWID;

CREATE TABLE templates (
    id       TEXT PRIMARY KEY,
    type     TEXT NOT NULL,
    script   TEXT NOT NULL,
    error    TEXT NOT NULL,
    created  INTEGER NOT NULL,
    modified INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which tasks an update of a template reaches. Neither column refers to a row: a template may be deleted and made again
-- while its tasks stay.
CREATE TABLE template_tasks (
    template_id TEXT NOT NULL,
    task_id     TEXT NOT NULL,
    PRIMARY KEY (template_id, task_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX template_tasks_by_task ON template_tasks (task_id);

CREATE TABLE identities (
    name  TEXT PRIMARY KEY,         -- 'cluster', 'server'
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
