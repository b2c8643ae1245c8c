-- What the operator looks at. No order depends on any of it.

-- When a timer last did all that it had to.
CREATE TABLE timers (
  name TEXT    NOT NULL PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT;

-- How often what has happened, from here on. Triggers count what changes orders,
-- refunds and events in the statement that changes them: that costs no call, and
-- nothing is counted twice or left out.
CREATE TABLE counters (
  name TEXT    NOT NULL PRIMARY KEY,
  n    INTEGER NOT NULL
) STRICT;

-- How the shop heard of the payment: notify, poll, cron, ...
ALTER TABLE orders ADD COLUMN settled_by TEXT;

CREATE TRIGGER count_order AFTER INSERT ON orders
BEGIN
  INSERT INTO counters (name, n) VALUES ('orders.created', 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_order_end AFTER UPDATE OF status ON orders
WHEN NEW.status IN ('closed', 'failed') AND NEW.status <> OLD.status
BEGIN
  INSERT INTO counters (name, n) VALUES ('orders.' || NEW.status, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_payment AFTER UPDATE OF transaction_id ON orders
WHEN OLD.transaction_id IS NULL AND NEW.transaction_id IS NOT NULL
BEGIN
  INSERT INTO counters (name, n) VALUES ('settled.' || COALESCE(NEW.settled_by, 'unknown'), 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

-- Money for an order that had been given up.
CREATE TRIGGER count_late_payment AFTER UPDATE OF transaction_id ON orders
WHEN OLD.transaction_id IS NULL AND NEW.transaction_id IS NOT NULL AND OLD.status IN ('closing', 'closed', 'failed')
BEGIN
  INSERT INTO counters (name, n) VALUES ('orders.paid_late', 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_refund AFTER INSERT ON refunds
BEGIN
  INSERT INTO counters (name, n) VALUES ('refunds.created', 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_refund_change AFTER UPDATE OF status ON refunds
WHEN NEW.status <> OLD.status AND NEW.status <> 'created'
BEGIN
  INSERT INTO counters (name, n) VALUES ('refunds.' || NEW.status, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;

-- delivered, dead, or pending again: replayed.
CREATE TRIGGER count_event AFTER UPDATE OF status ON events WHEN NEW.status <> OLD.status
BEGIN
  INSERT INTO counters (name, n) VALUES ('events.' || IIF(NEW.status = 'pending', 'replayed', NEW.status), 1)
  ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
