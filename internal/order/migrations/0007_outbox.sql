-- The outbox: what the merchant's back end is to be told. Triggers write it in the
-- statement that makes an order paid or ends it, so that there is no moment at
-- which an event could be lost, nor a second statement that could double it.

-- What an event says of an order, as the order is at that moment.
CREATE VIEW order_snapshots AS
SELECT id, json_object(
  'id', id, 'out_trade_no', out_trade_no, 'status', status, 'trade_type', trade_type, 'items', json(items),
  'total', total, 'currency', currency, 'refunded', refunded, 'created_at', created_at, 'expires_at', expires_at,
  'transaction_id', transaction_id, 'payer', payer, 'paid_at', paid_at) AS data
FROM orders;

CREATE TABLE events (
  seq          INTEGER NOT NULL PRIMARY KEY, -- in the order in which they were made
  id           TEXT    NOT NULL UNIQUE,      -- the receiver tells repetitions by it
  type         TEXT    NOT NULL,
  order_id     TEXT    NOT NULL,
  subject      TEXT    NOT NULL, -- the order or the refund that it is about, once for each type
  data         TEXT    NOT NULL, -- JSON, never changes
  created_at   INTEGER NOT NULL,
  status       TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
  attempts     INTEGER NOT NULL DEFAULT 0, -- all there ever were; the number of one fences off its successors
  tries        INTEGER NOT NULL DEFAULT 0, -- those since it was made, or replayed
  next_at      INTEGER NOT NULL,           -- of the next try, while it is pending
  leased_until INTEGER NOT NULL DEFAULT 0, -- until then somebody is sending it
  delivered_at INTEGER,
  last_error   TEXT,
  UNIQUE (type, subject),
  CHECK ((status = 'delivered') = (delivered_at IS NOT NULL))
) STRICT;

CREATE INDEX events_by_order ON events (order_id);
CREATE INDEX pending_events ON events (next_at) WHERE status = 'pending';
CREATE INDEX dead_events ON events (seq) WHERE status = 'dead';

-- Orders that ended before there was an outbox have been dealt with in some other
-- way: their events are there, can be replayed, and go out to nobody by themselves.
INSERT INTO events (id, type, order_id, subject, data, created_at, status, next_at, last_error)
SELECT 'evt_' || lower(hex(randomblob(16))), 'order.paid', orders.id, orders.id, json_object('order', json(data)),
  updated_at, 'dead', updated_at, 'from before there was an outbox'
FROM orders JOIN order_snapshots USING (id) WHERE transaction_id IS NOT NULL ORDER BY updated_at;

INSERT INTO events (id, type, order_id, subject, data, created_at, status, next_at, last_error)
SELECT 'evt_' || lower(hex(randomblob(16))), 'order.closed', orders.id, orders.id, json_object('order', json(data)),
  updated_at, 'dead', updated_at, 'from before there was an outbox'
FROM orders JOIN order_snapshots USING (id) WHERE status IN ('closed', 'failed') ORDER BY updated_at;

INSERT INTO events (id, type, order_id, subject, data, created_at, status, next_at, last_error)
SELECT 'evt_' || lower(hex(randomblob(16))), 'order.refunded', order_id, refunds.id, json_object('order', json(data),
  'refund', json_object('id', refunds.id, 'refund_id', refund_id, 'amount', amount, 'reason', reason, 'created_at', created_at, 'ended_at', ended_at)),
  updated_at, 'dead', updated_at, 'from before there was an outbox'
FROM refunds JOIN order_snapshots ON order_snapshots.id = order_id WHERE status = 'succeeded' ORDER BY updated_at;

CREATE TRIGGER event_order_paid AFTER UPDATE OF transaction_id ON orders
WHEN OLD.transaction_id IS NULL AND NEW.transaction_id IS NOT NULL
BEGIN
  INSERT INTO events (id, type, order_id, subject, data, created_at, next_at)
  SELECT 'evt_' || lower(hex(randomblob(16))), 'order.paid', id, id, json_object('order', json(data)), NEW.updated_at, NEW.updated_at
  FROM order_snapshots WHERE id = NEW.id
  ON CONFLICT (type, subject) DO NOTHING;
END;

-- An order that WeChat refused to take has ended as well.
CREATE TRIGGER event_order_closed AFTER UPDATE OF status ON orders
WHEN NEW.status IN ('closed', 'failed') AND OLD.status NOT IN ('closed', 'failed')
BEGIN
  INSERT INTO events (id, type, order_id, subject, data, created_at, next_at)
  SELECT 'evt_' || lower(hex(randomblob(16))), 'order.closed', id, id, json_object('order', json(data)), NEW.updated_at, NEW.updated_at
  FROM order_snapshots WHERE id = NEW.id
  ON CONFLICT (type, subject) DO NOTHING;
END;

-- The trigger that brings the order up to date may run before this one or after
-- it: what has gone back is added up here.
CREATE TRIGGER event_order_refunded AFTER UPDATE OF status ON refunds
WHEN NEW.status = 'succeeded' AND OLD.status <> 'succeeded'
BEGIN
  INSERT INTO events (id, type, order_id, subject, data, created_at, next_at)
  SELECT 'evt_' || lower(hex(randomblob(16))), 'order.refunded', id, NEW.id, json_object(
      'order', json_set(data, '$.refunded', back, '$.status', IIF(back = json_extract(data, '$.total'), 'refunded', 'paid')),
      'refund', json_object('id', NEW.id, 'refund_id', NEW.refund_id, 'amount', NEW.amount, 'reason', NEW.reason,
        'created_at', NEW.created_at, 'ended_at', NEW.ended_at)),
    NEW.updated_at, NEW.updated_at
  FROM order_snapshots
  JOIN (SELECT order_id, SUM(amount) AS back FROM refunds WHERE status = 'succeeded' GROUP BY order_id) ON order_id = id
  WHERE id = NEW.order_id
  ON CONFLICT (type, subject) DO NOTHING;
END;
