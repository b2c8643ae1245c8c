-- Money that goes back to payers. A refund keeps every parameter of its call, as
-- an order does; the columns up to created_at are never updated. Which status may
-- follow which is the business of internal/order/refundstatus.go alone.
CREATE TABLE refunds (
  id         TEXT    NOT NULL PRIMARY KEY, -- out_refund_no, the one WeChat knows
  order_id   TEXT    NOT NULL,
  refund_key TEXT,                         -- makes a repeated request the same refund; NULL of one that was not made here
  amount     INTEGER NOT NULL CHECK (amount > 0),
  reason     TEXT    NOT NULL, -- the payer reads it
  notify_url TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  status     TEXT    NOT NULL,
  refund_id  TEXT UNIQUE, -- WeChat's number, once it is known to have taken the refund
  taken_at   INTEGER,     -- when that became known
  failure    TEXT,        -- WeChat's code when it last refused the refund
  queried_at INTEGER,     -- when WeChat was last sent the refund, or asked about it
  ended_at   INTEGER,
  updated_at INTEGER NOT NULL,
  UNIQUE (order_id, refund_key),
  CHECK ((refund_id IS NULL) = (taken_at IS NULL)),
  CHECK (status IN ('created', 'failed') OR refund_id IS NOT NULL)
) STRICT;

-- Finds the refunds that WeChat is to be sent, or asked about.
CREATE INDEX open_refunds ON refunds (COALESCE(queried_at, created_at)) WHERE status IN ('created', 'processing', 'abnormal');
-- The operator's lists.
CREATE INDEX orders_by_time ON orders (created_at, id);
CREATE INDEX orders_by_status ON orders (status, created_at, id);

-- What a refund means for its order is written in the statement that writes the
-- refund, so that the two agree whatever dies after it. An order is refunding
-- while a refund of it has not come to an end.
CREATE TRIGGER refund_begins AFTER INSERT ON refunds
BEGIN
  UPDATE orders SET status = 'refunding', updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND status = 'paid';
END;

CREATE TRIGGER refund_goes_on AFTER UPDATE OF status ON refunds WHEN NEW.status <> OLD.status
BEGIN
  UPDATE orders SET refunded = refunded + NEW.amount, updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND NEW.status = 'succeeded';
  UPDATE orders SET status = 'refunding', updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND status = 'paid' AND NEW.status IN ('processing', 'abnormal');
  UPDATE orders SET status = IIF(refunded = total, 'refunded', 'paid'), updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND status = 'refunding'
  AND NOT EXISTS (SELECT 1 FROM refunds WHERE order_id = NEW.order_id AND status IN ('created', 'processing', 'abnormal'));
END;
