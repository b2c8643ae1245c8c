-- The catalogue and the orders.
--
-- Money is whole fen. Times are Unix milliseconds, UTC. NULL means "has not
-- happened". Runs on D1 and on plain SQLite.

CREATE TABLE products (
  id       TEXT    NOT NULL PRIMARY KEY,
  name     TEXT    NOT NULL,
  detail   TEXT    NOT NULL DEFAULT '',
  image    TEXT    NOT NULL DEFAULT '', -- a path on the shop
  price    INTEGER NOT NULL CHECK (price > 0),
  position INTEGER NOT NULL DEFAULT 0, -- products are shown in this order
  for_sale INTEGER NOT NULL DEFAULT 1 CHECK (for_sale IN (0, 1))
) STRICT;

-- An order keeps every parameter of its unifiedorder call, because WeChat takes
-- a repeated call only when nothing in it has changed. The columns up to
-- expires_at are never updated. Which status may follow which is the business
-- of internal/order/status.go alone.
CREATE TABLE orders (
  id             TEXT    NOT NULL PRIMARY KEY, -- the public one, in URLs
  out_trade_no   TEXT    NOT NULL UNIQUE,      -- the one WeChat knows
  openid         TEXT    NOT NULL,             -- the owner
  client_key     TEXT    NOT NULL,             -- makes a repeated request the same order
  fingerprint    TEXT    NOT NULL,             -- of what was asked for under client_key
  appid          TEXT    NOT NULL,
  mch_id         TEXT    NOT NULL,
  trade_type     TEXT    NOT NULL,
  items          TEXT    NOT NULL, -- JSON: [{"product_id","name","price","quantity"}]
  total          INTEGER NOT NULL CHECK (total > 0),
  currency       TEXT    NOT NULL,
  body           TEXT    NOT NULL, -- what the payer reads on the payment sheet
  client_ip      TEXT    NOT NULL,
  notify_url     TEXT    NOT NULL,
  created_at     INTEGER NOT NULL, -- also time_start
  expires_at     INTEGER NOT NULL, -- also time_expire
  status         TEXT    NOT NULL,
  prepay_id      TEXT,
  prepay_at      INTEGER,
  sign_type      TEXT,    -- of the call that brought prepay_id, the page has to sign alike
  failure        TEXT,    -- WeChat's code when it last refused the order
  queried_at     INTEGER, -- when WeChat was last asked about the order
  transaction_id TEXT UNIQUE,
  paid_at        INTEGER, -- WeChat's time_end
  updated_at     INTEGER NOT NULL,
  UNIQUE (openid, client_key),
  CHECK ((prepay_id IS NULL) = (prepay_at IS NULL)),
  CHECK ((transaction_id IS NULL) = (paid_at IS NULL)),
  CHECK (status <> 'paid' OR transaction_id IS NOT NULL)
) STRICT;

CREATE INDEX orders_by_owner ON orders (openid, created_at);
