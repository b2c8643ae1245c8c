-- The states of sign-ins that have ended, until nobody could use them anyway.
CREATE TABLE used_states (
  state      TEXT    NOT NULL PRIMARY KEY,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX used_states_by_expiry ON used_states (expires_at);
