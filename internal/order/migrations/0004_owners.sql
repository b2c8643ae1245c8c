-- Orders outside WeChat: their owner is a guest, and whoever scans the code pays.
ALTER TABLE orders RENAME COLUMN openid TO owner; -- the openid of a user, or the id of a guest
ALTER TABLE orders ADD COLUMN payer TEXT;         -- the openid of who paid
ALTER TABLE orders ADD COLUMN pay_url TEXT;       -- the code_url or mweb_url that came with prepay_id
ALTER TABLE orders ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0; -- fen that have gone back to the payer

-- What an order went through. The triggers write it in the statement that changes
-- the order, so that neither can be without the other.
CREATE TABLE order_steps (
  order_id TEXT    NOT NULL,
  status   TEXT    NOT NULL, -- what it became
  at       INTEGER NOT NULL
) STRICT;

CREATE INDEX order_steps_by_order ON order_steps (order_id);

INSERT INTO order_steps SELECT id, 'created', created_at FROM orders;
INSERT INTO order_steps SELECT id, status, COALESCE(paid_at, updated_at) FROM orders WHERE status <> 'created';

CREATE TRIGGER order_begins AFTER INSERT ON orders
BEGIN
  INSERT INTO order_steps (order_id, status, at) VALUES (NEW.id, NEW.status, NEW.created_at);
END;

CREATE TRIGGER order_goes_on AFTER UPDATE OF status ON orders WHEN NEW.status <> OLD.status
BEGIN
  INSERT INTO order_steps (order_id, status, at) VALUES (NEW.id, NEW.status, NEW.updated_at);
END;
