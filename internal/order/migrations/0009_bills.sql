-- The daily comparison of orders and refunds with WeChat's bill. Days are
-- Beijing's: "2026-03-01".
CREATE TABLE bill_checks (
  date         TEXT    NOT NULL PRIMARY KEY,
  status       TEXT    NOT NULL CHECK (status IN ('waiting', 'agrees', 'differs', 'failed')),
  payments     INTEGER NOT NULL DEFAULT 0, -- in the bill
  refunds      INTEGER NOT NULL DEFAULT 0,
  checked_at   INTEGER,
  result       TEXT,             -- the run that found the differences; NULL before one has come to its end
  run          TEXT    NOT NULL, -- the one under way, or the last one
  leased_until INTEGER NOT NULL, -- until then it is under way
  next_at      INTEGER NOT NULL, -- of the next try, while there is no result
  CHECK ((status IN ('agrees', 'differs')) = (result IS NOT NULL))
) STRICT;

-- What a run found. Those of a run that is not the check's result count nothing.
CREATE TABLE bill_differences (
  date          TEXT    NOT NULL,
  run           TEXT    NOT NULL,
  n             INTEGER NOT NULL,
  kind          TEXT    NOT NULL,
  out_trade_no  TEXT    NOT NULL,
  out_refund_no TEXT    NOT NULL,
  ours          TEXT    NOT NULL,
  theirs        TEXT    NOT NULL,
  PRIMARY KEY (date, run, n)
) STRICT;

-- The day in whose bill a payment or a refund was found, where that is another one
-- than our own clock says.
ALTER TABLE orders ADD COLUMN billed TEXT;
ALTER TABLE refunds ADD COLUMN billed TEXT;

CREATE INDEX orders_by_payment ON orders (paid_at, out_trade_no) WHERE paid_at IS NOT NULL;
CREATE INDEX refunds_by_taking ON refunds (taken_at, id) WHERE taken_at IS NOT NULL;
