-- Incidents and who died in them. Times are microseconds since 1970 UTC; codes are those of the output contract.
PRAGMA application_id = 0x77686f64; -- "whod"

CREATE TABLE incidents (
    number          INTEGER PRIMARY KEY, -- in the order of arrival
    id              TEXT NOT NULL,       -- with boot_id, where that is known: one kill
    moment_us       INTEGER NOT NULL,    -- the kill's wall clock, else when the incident was first stored
    time_us         INTEGER,             -- the kill's wall clock
    boot_time_s     REAL,
    boot_id         TEXT,
    node            TEXT,
    killer          TEXT NOT NULL,
    confidence      TEXT NOT NULL,
    evidence        INTEGER NOT NULL,    -- pieces of evidence that convict
    namespace       TEXT,
    pod             TEXT,
    pod_uid         TEXT,
    container       TEXT,
    container_id    TEXT,
    comm            TEXT,                -- of the first victim
    victims         INTEGER NOT NULL,
    summary         TEXT NOT NULL,
    first_seen_us   INTEGER NOT NULL,
    last_updated_us INTEGER NOT NULL,
    updates         INTEGER NOT NULL,
    sources         TEXT NOT NULL,       -- JSON: what the cites of the incident point into
    incident        TEXT NOT NULL        -- JSON; last, so that a list does not have to read past it
) STRICT;
CREATE INDEX incidents_by_id ON incidents (id);
CREATE INDEX incidents_by_moment ON incidents (moment_us);
CREATE INDEX incidents_by_arrival ON incidents (first_seen_us);

-- What an incident can be looked up by: each victim, and (place -1) the pod and container of the incident itself.
CREATE TABLE involved (
    incident     INTEGER NOT NULL REFERENCES incidents (number) ON DELETE CASCADE,
    place        INTEGER NOT NULL,
    pid          INTEGER,
    comm         TEXT,
    namespace    TEXT,
    pod          TEXT,
    pod_uid      TEXT,
    container    TEXT,
    container_id TEXT,
    PRIMARY KEY (incident, place)
) STRICT, WITHOUT ROWID;
