CREATE TABLE config_overrides (
    section TEXT NOT NULL,
    element TEXT NOT NULL,          -- '' for a section that is no list, and for an element with an empty key
    options TEXT NOT NULL,          -- JSON object: the merged set of all changes
    added   INTEGER NOT NULL CHECK (added IN (0, 1)),
    PRIMARY KEY (section, element)
) STRICT, WITHOUT ROWID;

-- What the load directory has created, so that an object whose file is gone can be deleted.
CREATE TABLE load_items (
    kind TEXT NOT NULL,             -- 'tasks', 'templates', 'handlers'
    id   TEXT NOT NULL,             -- of a handler: '<topic>/<id>'
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
