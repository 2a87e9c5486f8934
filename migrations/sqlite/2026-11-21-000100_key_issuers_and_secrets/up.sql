-- Who issued the key: `api_key:<id>`, or `command-line`. Keys that API keys issue are limited per minute.
ALTER TABLE api_keys ADD COLUMN created_by TEXT NOT NULL DEFAULT 'command-line';

-- What all servers on this database share and nobody else knows. `cursors` signs the cursors of lists.
CREATE TABLE server_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
);
INSERT INTO server_secrets (name, secret) VALUES ('cursors', randomblob(32));
