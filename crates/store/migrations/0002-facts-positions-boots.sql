-- The raw evidence of an incident, each fact once, in the order it happened.
CREATE TABLE facts (
    incident INTEGER NOT NULL REFERENCES incidents (number) ON DELETE CASCADE,
    boot_ns  INTEGER NOT NULL, -- CLOCK_BOOTTIME
    fact     TEXT NOT NULL,    -- JSON
    PRIMARY KEY (incident, boot_ns, fact)
) STRICT, WITHOUT ROWID;

-- How far a source was read, in the source's own words.
CREATE TABLE positions (
    name       TEXT PRIMARY KEY,
    position   TEXT NOT NULL, -- JSON
    updated_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Boots of the machines that were watched: one that ended without a word was lost.
CREATE TABLE boots (
    boot_id        TEXT PRIMARY KEY,
    node           TEXT,
    first_seen_us  INTEGER NOT NULL,
    last_seen_us   INTEGER NOT NULL,
    clean_shutdown INTEGER NOT NULL -- 0 or 1
) STRICT, WITHOUT ROWID;
