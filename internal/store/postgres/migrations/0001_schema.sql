-- Generated from internal/store/migrations/0001_schema.sql by go generate ./internal/store/postgres. Do not change it here.

-- The members of a JSON list or object.
CREATE FUNCTION h5pay_each(list text) RETURNS TABLE (key text, value text) LANGUAGE sql IMMUTABLE ROWS 10 AS $$
  SELECT (items.n - 1)::text, items.item
  FROM jsonb_array_elements_text(CASE jsonb_typeof(list::jsonb) WHEN 'array' THEN list::jsonb ELSE '[]' END) WITH ORDINALITY AS items (item, n)
  UNION ALL
  SELECT members.key, members.value
  FROM jsonb_each_text(CASE jsonb_typeof(list::jsonb) WHEN 'object' THEN list::jsonb ELSE '{}' END) AS members (key, value)
$$;

-- The schema of the signer, for D1 and for plain SQLite.
--
-- Money is whole fen. Times are Unix milliseconds, UTC. NULL means "has not
-- happened". Triggers continue the work of a statement inside that statement; each
-- names the Go file whose work it continues.
--
-- D1 bills each written row, and each index entry as another one. So indexes are partial
-- where they can be, and tables with a text as their key have no rowid. A column that
-- changes often is in no index that does not need it. Rows that are read cost a
-- thousandth.
--
-- The machines that write have clocks of their own, which differ. So a statement
-- that writes the time of a step takes the later one of its own time and of the
-- stored time: a step is never earlier than the one before it. Times that WeChat
-- reports (paid_at) are stored as they are.

-- ---------------------------------------------------------------------------
-- Catalogue
-- ---------------------------------------------------------------------------

CREATE TABLE products (
  id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  name      TEXT COLLATE "C" NOT NULL,
  detail    TEXT COLLATE "C" NOT NULL DEFAULT '',
  image     TEXT COLLATE "C" NOT NULL DEFAULT '', -- a path on the shop
  price     BIGINT NOT NULL CHECK (price > 0),
  position  BIGINT NOT NULL DEFAULT 0, -- products are shown in this order
  for_sale  BIGINT NOT NULL DEFAULT 1 CHECK (for_sale IN (0, 1)),
  -- With both bounds the payer names the amount within them, and price is the
  -- suggestion. A product has both bounds or neither.
  min_price BIGINT CHECK (min_price > 0),
  max_price BIGINT CHECK ((min_price IS NULL) = (max_price IS NULL) AND (max_price IS NULL OR max_price >= min_price)),
  stock     BIGINT -- pieces that can be sold; NULL: any number. Below 0 after the late payment of a closed order
);

-- ---------------------------------------------------------------------------
-- Orders
-- ---------------------------------------------------------------------------

-- An order is what is sold. Its payments are the attempts to collect it, and the first
-- one that WeChat reports as paid pays it. The columns up to expires_at are never
-- updated, except that owner is removed when the person is erased (persons.go). Only
-- internal/order/status.go says which status may follow which.
CREATE TABLE orders (
  id          TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- the public one, in URLs of the shop
  token       TEXT COLLATE "C",    -- of the customer's URL /o/{token}: anybody who knows it may pay the order
  source      TEXT COLLATE "C" NOT NULL CHECK (source IN ('shop', 'api', 'link')), -- what made it
  reference   TEXT COLLATE "C",    -- the merchant's own number
  key_id      TEXT COLLATE "C",    -- the API key that made it
  link_id     TEXT COLLATE "C",    -- the payment link that made it
  owner       TEXT COLLATE "C",    -- the openid of a user, the id of a guest, or 'erased:' and the order's id; of an order of the shop or of a link
  guest       BIGINT NOT NULL, -- 1 if the owner is a guest
  client_key  TEXT COLLATE "C",    -- makes a repeated request the same order: of the owner, or of the API key
  fingerprint TEXT COLLATE "C" NOT NULL, -- of the request under client_key
  shop        TEXT COLLATE "C" NOT NULL, -- the origin of the shop that made it
  appid       TEXT COLLATE "C" NOT NULL,
  mch_id      TEXT COLLATE "C" NOT NULL,
  items       TEXT COLLATE "C" NOT NULL, -- JSON: [{"product_id","name","price","quantity"}]
  total       BIGINT NOT NULL CHECK (total > 0),
  currency    TEXT COLLATE "C" NOT NULL,
  description TEXT COLLATE "C" NOT NULL, -- the payer reads it on the payment sheet
  metadata    TEXT COLLATE "C" CHECK (metadata IS NULL OR ((metadata)::jsonb IS NOT NULL)), -- JSON object of the merchant
  return_url  TEXT COLLATE "C",    -- where the customer's page leads after the payment
  trade_types TEXT COLLATE "C" CHECK (trade_types IS NULL OR ((trade_types)::jsonb IS NOT NULL)), -- JSON list of those that may pay it; NULL: all
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  status      TEXT COLLATE "C" NOT NULL,
  paid_by     TEXT COLLATE "C",    -- the out_trade_no of the payment that pays it, never changed
  refunded    BIGINT NOT NULL DEFAULT 0, -- fen of that payment that were refunded
  due_at      BIGINT, -- when the timer closes it; NULL once it is not open
  network     TEXT COLLATE "C",    -- the network of a guest, as internal/server/limit.go counts it, while the order is open
  taken       TEXT COLLATE "C" CHECK (taken IS NULL OR ((taken)::jsonb IS NOT NULL)), -- JSON object: the pieces that it took of the stock, by product; NULL: none; never updated
  -- Whether a simulator took the place of WeChat when the order was made, or when it
  -- was paid. Events say so, also from a database that was moved to another shop.
  simulated   BIGINT NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
  updated_at  BIGINT NOT NULL,
  CHECK (source = 'api' OR owner IS NOT NULL AND client_key IS NOT NULL),
  CHECK ((source = 'link') = (link_id IS NOT NULL)),
  CHECK (guest = (CASE WHEN substr(COALESCE(owner, ''), 1, 6) = 'guest:' THEN 1 ELSE 0 END)),
  CHECK ((paid_by IS NULL) = (status IN ('open', 'closing', 'closed'))),
  CHECK ((due_at IS NULL) = (status <> 'open'))
);

CREATE UNIQUE INDEX orders_by_token ON orders (token) WHERE token IS NOT NULL;
CREATE UNIQUE INDEX orders_by_reference ON orders (reference) WHERE reference IS NOT NULL;
CREATE UNIQUE INDEX orders_by_client_key ON orders (owner, client_key) WHERE owner IS NOT NULL;
CREATE INDEX orders_by_owner ON orders (owner, created_at, id) WHERE owner IS NOT NULL;
CREATE INDEX orders_by_time ON orders (created_at, id);
-- Most orders are paid, so lists find them by time.
CREATE INDEX orders_by_status ON orders (status, created_at, id) WHERE status <> 'paid';
CREATE UNIQUE INDEX orders_by_key ON orders (key_id, client_key) WHERE key_id IS NOT NULL;
-- Finds the open orders whose time is over.
CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL;
-- These two count the orders that wait for a payment, for bounds.go.
CREATE INDEX orders_open_by_owner ON orders (owner) WHERE status = 'open';
CREATE INDEX orders_open_by_network ON orders (network) WHERE network IS NOT NULL;

-- The changes of an order's status.
CREATE TABLE order_changes (
  order_id TEXT COLLATE "C" NOT NULL,
  n        BIGINT NOT NULL, -- 1 for the first
  status   TEXT COLLATE "C" NOT NULL, -- the new one
  at       BIGINT NOT NULL,
  PRIMARY KEY (order_id, n)
);

-- The statuses that an order went through. It begins open.
CREATE VIEW order_steps AS
SELECT id AS order_id, 0 AS n, 'open' AS status, created_at AS at FROM orders
UNION ALL
SELECT order_id, n, status, at FROM order_changes;

-- Continues the changes in orderchanges.go, and those of other triggers.
CREATE FUNCTION order_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO order_changes (order_id, n, status, at)
  SELECT NEW.id, COUNT(*) + 1, NEW.status, GREATEST(NEW.updated_at, OLD.updated_at) FROM order_changes WHERE order_id = NEW.id;
  RETURN NULL;
END $$;

CREATE TRIGGER order_goes_on AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.status <> OLD.status)
EXECUTE FUNCTION order_goes_on();

-- Continues DeleteUnpaid and DeleteOld in retention.go.
CREATE FUNCTION order_is_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM order_changes WHERE order_id = OLD.id;
  DELETE FROM payments WHERE order_id = OLD.id;
  DELETE FROM events WHERE order_id = OLD.id;
  RETURN NULL;
END $$;

CREATE TRIGGER order_is_deleted AFTER DELETE ON orders
FOR EACH ROW
EXECUTE FUNCTION order_is_deleted();

-- ---------------------------------------------------------------------------
-- Stock
-- ---------------------------------------------------------------------------

-- An order holds what it took until it is closed. A paid order keeps it, also when it is
-- refunded. No other status leads to closed, and closed leads to paid alone, so that each of
-- these triggers runs once at most for an order.

-- Continues Insert in orders.go.
CREATE FUNCTION stock_is_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE products SET stock = stock - (SELECT (value)::bigint FROM h5pay_each(NEW.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM h5pay_each(NEW.taken));
  RETURN NULL;
END $$;

CREATE TRIGGER stock_is_taken AFTER INSERT ON orders
FOR EACH ROW
WHEN (NEW.taken IS NOT NULL AND NEW.status <> 'closed')
EXECUTE FUNCTION stock_is_taken();

-- Continues BeginCloseAll and Expire in orderchanges.go, CloseWhole in whole.go, and payment_ends. An
-- order that is closing keeps its pieces: WeChat may still take its payment.
CREATE FUNCTION stock_comes_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE products SET stock = stock + (SELECT (value)::bigint FROM h5pay_each(NEW.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM h5pay_each(NEW.taken));
  RETURN NULL;
END $$;

CREATE TRIGGER stock_comes_back AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.taken IS NOT NULL AND NEW.status = 'closed' AND OLD.status <> 'closed')
EXECUTE FUNCTION stock_comes_back();

-- Continues Pay in paymentchanges.go, by payment_is_paid: a payment that comes late takes the
-- pieces again, also those that were sold meanwhile.
CREATE FUNCTION stock_is_taken_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE products SET stock = stock - (SELECT (value)::bigint FROM h5pay_each(NEW.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM h5pay_each(NEW.taken));
  RETURN NULL;
END $$;

CREATE TRIGGER stock_is_taken_late AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.taken IS NOT NULL AND OLD.status = 'closed' AND NEW.status <> 'closed')
EXECUTE FUNCTION stock_is_taken_late();

-- The changes of the stock by operators and back ends, for a day: a repeated request changes nothing.
CREATE TABLE stock_changes (
  product_id  TEXT COLLATE "C" NOT NULL,
  key         TEXT COLLATE "C" NOT NULL, -- of the request
  fingerprint TEXT COLLATE "C" NOT NULL, -- of the request under key
  stock       BIGINT,          -- after the change; NULL: any number
  at          BIGINT NOT NULL,
  PRIMARY KEY (product_id, key)
);

CREATE INDEX stock_changes_by_time ON stock_changes (at);

-- Continues ChangeStock in stock.go.
CREATE FUNCTION stock_is_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE products SET stock = NEW.stock WHERE id = NEW.product_id;
  DELETE FROM stock_changes WHERE at < NEW.at - 86400000;
  RETURN NULL;
END $$;

CREATE TRIGGER stock_is_changed AFTER INSERT ON stock_changes
FOR EACH ROW
EXECUTE FUNCTION stock_is_changed();

-- An operator deleted an order by hand that was not paid: for the stock in stock.go.
CREATE FUNCTION stock_of_deleted_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE products SET stock = stock + (SELECT (value)::bigint FROM h5pay_each(OLD.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM h5pay_each(OLD.taken));
  RETURN NULL;
END $$;

CREATE TRIGGER stock_of_deleted_order AFTER DELETE ON orders
FOR EACH ROW
WHEN (OLD.taken IS NOT NULL AND OLD.status IN ('open', 'closing'))
EXECUTE FUNCTION stock_of_deleted_order();

-- ---------------------------------------------------------------------------
-- Payment links
-- ---------------------------------------------------------------------------

-- A link makes orders: one for each payer who opens its URL and confirms. The amount is
-- fixed, or the payer names it within two bounds. The columns up to return_url are never
-- updated, except title and description.
CREATE TABLE links (
  id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  token           TEXT COLLATE "C" NOT NULL UNIQUE, -- of the URL /l/{token}
  title           TEXT COLLATE "C" NOT NULL,
  description     TEXT COLLATE "C" NOT NULL,
  amount          BIGINT CHECK (amount > 0), -- fen; NULL: the payer names it
  min_amount      BIGINT CHECK (min_amount > 0),
  max_amount      BIGINT CHECK (max_amount >= min_amount),
  metadata        TEXT COLLATE "C" CHECK (metadata IS NULL OR ((metadata)::jsonb IS NOT NULL)), -- of each order
  trade_types     TEXT COLLATE "C" CHECK (trade_types IS NULL OR ((trade_types)::jsonb IS NOT NULL)), -- as of an order
  return_url      TEXT COLLATE "C",
  max_orders      BIGINT CHECK (max_orders > 0), -- the most that orders may be; NULL: any number
  expires_at      BIGINT, -- no new order from then on
  withdrawn_at    BIGINT, -- no new order while it is set
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  orders          BIGINT NOT NULL DEFAULT 0, -- those that are open, and those that were paid
  paid            BIGINT NOT NULL DEFAULT 0, -- those that were paid
  paid_amount     BIGINT NOT NULL DEFAULT 0, -- what was paid, in fen
  deleted         BIGINT NOT NULL DEFAULT 0, -- those that were paid and are deleted; the three above count them
  deleted_amount  BIGINT NOT NULL DEFAULT 0, -- what was paid for those, in fen
  made_by         TEXT COLLATE "C" NOT NULL, -- the API key that made it, or 'root'
  idempotency_key TEXT COLLATE "C" NOT NULL, -- makes a repeated request the same link
  fingerprint     TEXT COLLATE "C" NOT NULL, -- of the request
  UNIQUE (made_by, idempotency_key),
  CHECK ((amount IS NULL) = (min_amount IS NOT NULL)),
  CHECK ((min_amount IS NULL) = (max_amount IS NULL))
);

CREATE INDEX links_by_time ON links (created_at, id);
CREATE INDEX orders_by_link ON orders (link_id, created_at, id) WHERE link_id IS NOT NULL;

-- Continues Insert in orders.go: the order takes a place of its link.
CREATE FUNCTION link_order_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE links SET orders = orders + 1 WHERE id = NEW.link_id;
  RETURN NULL;
END $$;

CREATE TRIGGER link_order_begins AFTER INSERT ON orders
FOR EACH ROW
WHEN (NEW.link_id IS NOT NULL)
EXECUTE FUNCTION link_order_begins();

-- Continues BeginCloseAll and Expire in orderchanges.go, and CloseWhole in whole.go: an order that ends
-- without a payment frees its place.
CREATE FUNCTION link_order_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE links SET orders = orders - 1 WHERE id = NEW.link_id;
  RETURN NULL;
END $$;

CREATE TRIGGER link_order_ends AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.link_id IS NOT NULL AND OLD.status = 'open' AND NEW.status IN ('closing', 'closed'))
EXECUTE FUNCTION link_order_ends();

-- Continues Pay in paymentchanges.go, by payment_is_paid. A payment that comes late takes a
-- place even if there is none.
CREATE FUNCTION link_order_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE links SET paid = paid + 1, paid_amount = paid_amount + NEW.total, orders = orders + CASE WHEN OLD.status = 'open' THEN 0 ELSE 1 END WHERE id = NEW.link_id;
  RETURN NULL;
END $$;

CREATE TRIGGER link_order_paid AFTER UPDATE OF paid_by ON orders
FOR EACH ROW
WHEN (NEW.link_id IS NOT NULL AND OLD.paid_by IS NULL AND NEW.paid_by IS NOT NULL)
EXECUTE FUNCTION link_order_paid();

-- ---------------------------------------------------------------------------
-- Payments
-- ---------------------------------------------------------------------------

-- A payment is one attempt to collect an order. It is stored before WeChat is called,
-- with every parameter of the call: WeChat takes a repeated out_trade_no only when
-- nothing in the call has changed. So another payer or another trade type is another
-- payment of the same order. The columns up to expires_at are never updated, with two
-- exceptions. client_ip is removed when the payment ends, since no call is made for it
-- any more. openid is removed when the person is erased. Only
-- internal/order/paymentstatus.go says which status may follow which.
CREATE TABLE payments (
  out_trade_no   TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- the number WeChat knows
  order_id       TEXT COLLATE "C" NOT NULL,
  guest          BIGINT NOT NULL, -- 1 if the owner of the order is a guest: see payments_due
  appid          TEXT COLLATE "C" NOT NULL,
  mch_id         TEXT COLLATE "C" NOT NULL,
  api_version    TEXT COLLATE "C" NOT NULL CHECK (api_version IN ('v2', 'v3')), -- of WeChat's API: the payment ends with the version with which it began
  trade_type     TEXT COLLATE "C" NOT NULL,
  openid         TEXT COLLATE "C" NOT NULL, -- JSAPI: who is to pay; '' otherwise, and once the person is erased
  own            BIGINT NOT NULL DEFAULT 0 CHECK (own IN (0, 1)), -- 1 if openid is the owner of the order: the order's owner finds such a payment
  total          BIGINT NOT NULL CHECK (total > 0),
  currency       TEXT COLLATE "C" NOT NULL,
  shop_name      TEXT COLLATE "C" NOT NULL, -- MWEB sends it
  body           TEXT COLLATE "C" NOT NULL, -- the description of the order
  client_ip      TEXT COLLATE "C" NOT NULL, -- '' once the payment has ended
  notify_url     TEXT COLLATE "C" NOT NULL,
  created_at     BIGINT NOT NULL, -- just before the first call of unifiedorder; also time_start
  expires_at     BIGINT NOT NULL, -- of the order; also time_expire
  status         TEXT COLLATE "C" NOT NULL,
  closing        BIGINT NOT NULL DEFAULT 0 CHECK (closing IN (0, 1)), -- 1 once it is to be closed; payments_due has it in place of the status
  prepay_id      TEXT COLLATE "C",    -- of WeChat; pay_url where APIv3 gives none
  prepay_at      BIGINT,
  sign_type      TEXT COLLATE "C",    -- of the call that returned prepay_id; the page signs with the same one
  pay_url        TEXT COLLATE "C",    -- the code_url or mweb_url that came with prepay_id
  claimed_until  BIGINT, -- until then one request alone may call unifiedorder: a second code_url voids the first
  failure        TEXT COLLATE "C",    -- WeChat's code when it last declined the payment
  queried_at     BIGINT, -- when WeChat was last queried about the payment
  notified_at    BIGINT, -- when a notification last said that it is paid, and WeChat was queried to confirm it
  due_at         BIGINT, -- when the timer next queries WeChat about it; NULL when it has ended
  transaction_id TEXT COLLATE "C",
  -- After a refund WeChat need not report who paid and when. Then payer and paid_at are
  -- NULL until the bill of that day was compared.
  payer          TEXT COLLATE "C",    -- the openid of the payer; '' once the person is erased
  paid_at        BIGINT, -- WeChat's time_end
  settled_at     BIGINT, -- when it became known here that it is paid
  settled_by     TEXT COLLATE "C",    -- how it became known: notify, poll, cron, ...
  duplicate      BIGINT NOT NULL DEFAULT 0 CHECK (duplicate IN (0, 1)), -- 1: another payment pays the order, and this one is refunded
  refunded       BIGINT NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND total), -- fen that were refunded
  billed         TEXT COLLATE "C",    -- the day of the bill that holds the payment, where it differs from the day of paid_at
  simulated      BIGINT NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)), -- as of an order
  updated_at     BIGINT NOT NULL,
  CHECK ((openid = '') OR trade_type = 'JSAPI'),
  CHECK (closing = 1 OR status <> 'closing'),
  CHECK (closing = 0 OR status NOT IN ('created', 'pending')),
  CHECK ((prepay_id IS NULL) = (prepay_at IS NULL)),
  CHECK ((transaction_id IS NULL) = (settled_at IS NULL)),
  CHECK ((transaction_id IS NULL) = (status <> 'paid')),
  CHECK (transaction_id IS NOT NULL OR paid_at IS NULL AND payer IS NULL AND duplicate = 0 AND refunded = 0),
  CHECK ((due_at IS NULL) = (status NOT IN ('created', 'pending', 'closing')))
);

CREATE INDEX payments_by_order ON payments (order_id, created_at, out_trade_no);
CREATE UNIQUE INDEX payments_by_transaction ON payments (transaction_id) WHERE transaction_id IS NOT NULL;
CREATE INDEX payments_by_time ON payments (COALESCE(paid_at, settled_at), out_trade_no) WHERE transaction_id IS NOT NULL;
-- These two find the payments of a person in orders of others.
CREATE INDEX payments_by_payer ON payments (payer) WHERE payer <> openid;
CREATE INDEX payments_by_openid ON payments (openid) WHERE openid <> '' AND own = 0;
-- Finds the payments of which WeChat has not reported the payer or the time.
CREATE INDEX incomplete_payments ON payments (settled_at) WHERE transaction_id IS NOT NULL AND (paid_at IS NULL OR payer IS NULL);
-- Finds the payments that were notified and are not confirmed.
CREATE INDEX notified_payments ON payments (queried_at) WHERE notified_at IS NOT NULL AND transaction_id IS NULL;
-- Finds the payments that the timer queries WeChat about. Due in payments.go reads each of
-- the kinds of one merchant by itself.
CREATE INDEX payments_due ON payments (mch_id, api_version, guest, closing, due_at) WHERE due_at IS NOT NULL;
-- Finds the duplicates that are not refunded.
CREATE INDEX unreturned_payments ON payments (settled_at) WHERE duplicate = 1 AND refunded < total;

-- Continues BeginCloseAll and Expire in orderchanges.go, and CloseWhole in whole.go: nobody gets payment
-- parameters of the order any more. WeChat closes no payment that is younger than 315
-- seconds (order.MinCloseAge).
CREATE FUNCTION order_closes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE payments SET status = 'closing', closing = 1, due_at = GREATEST(created_at + 315000, NEW.updated_at), updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE order_id = NEW.id AND status IN ('created', 'pending');
  RETURN NULL;
END $$;

CREATE TRIGGER order_closes AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.status = 'closing' AND OLD.status <> 'closing')
EXECUTE FUNCTION order_closes();

-- Continues Close and Fail in paymentchanges.go: an order that is closing, or whose time is
-- over, is closed when none of its payments can be paid at WeChat any more.
CREATE FUNCTION payment_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE orders SET status = 'closed', network = NULL, due_at = NULL, updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND (status = 'closing' OR status = 'open' AND due_at <= NEW.updated_at)
  AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = NEW.order_id AND status IN ('created', 'pending', 'closing'));
  RETURN NULL;
END $$;

CREATE TRIGGER payment_ends AFTER UPDATE OF status ON payments
FOR EACH ROW
WHEN (NEW.status IN ('closed', 'failed') AND OLD.status <> NEW.status)
EXECUTE FUNCTION payment_ends();

-- Continues Pay in paymentchanges.go. The first payment of an order that is paid pays
-- the order. Every other one is a duplicate and refunded in full, by a refund that is
-- stored here and sent like every refund. The payments that are not paid are closed at
-- WeChat.
CREATE FUNCTION payment_is_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE orders SET paid_by = COALESCE(paid_by, NEW.out_trade_no), status = CASE WHEN paid_by IS NULL THEN 'paid' ELSE status END,
    due_at = NULL, network = NULL, simulated = GREATEST(simulated, NEW.simulated), updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id;
  UPDATE payments SET status = 'closing', closing = 1, due_at = GREATEST(created_at + 315000, NEW.updated_at), updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE order_id = NEW.order_id AND status IN ('created', 'pending');
  UPDATE payments SET duplicate = 1
  WHERE out_trade_no = NEW.out_trade_no AND NEW.out_trade_no <> (SELECT paid_by FROM orders WHERE id = NEW.order_id);
  INSERT INTO refunds (id, order_id, out_trade_no, refund_key, api_version, amount, reason, notify_url, created_at, status, updated_at)
  SELECT 'DUP' || out_trade_no, order_id, out_trade_no, 'duplicate:' || out_trade_no, api_version, total, '重复支付，全额退款',
    replace(notify_url, '/api/notify/pay', '/api/notify/refund'), updated_at, 'created', updated_at
  FROM payments WHERE out_trade_no = NEW.out_trade_no AND duplicate = 1
  ON CONFLICT DO NOTHING;
  INSERT INTO events (id, type, order_id, subject, data, created_at)
  SELECT CASE WHEN duplicate = 1 THEN 'evt_duplicate_' || out_trade_no ELSE 'evt_paid_' || orders.id END, CASE WHEN duplicate = 1 THEN 'payment.duplicate' ELSE 'order.paid' END,
    orders.id, CASE WHEN duplicate = 1 THEN out_trade_no ELSE orders.id END,
    CASE WHEN duplicate = 1 THEN jsonb_build_object('order', (order_snapshots.data)::jsonb, 'payment', (payment_snapshots.data)::jsonb, 'refund', jsonb_build_object('id', 'DUP' || out_trade_no, 'amount', payments.total)) ELSE jsonb_build_object('order', (order_snapshots.data)::jsonb, 'payment', (payment_snapshots.data)::jsonb) END,
    orders.updated_at
  FROM payments JOIN orders ON orders.id = payments.order_id
  JOIN order_snapshots ON order_snapshots.id = orders.id JOIN payment_snapshots ON number = out_trade_no
  WHERE out_trade_no = NEW.out_trade_no
  ON CONFLICT (order_id, id) DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER payment_is_paid AFTER UPDATE OF transaction_id ON payments
FOR EACH ROW
WHEN (OLD.transaction_id IS NULL AND NEW.transaction_id IS NOT NULL)
EXECUTE FUNCTION payment_is_paid();

-- ---------------------------------------------------------------------------
-- Bounds of new orders
-- ---------------------------------------------------------------------------

-- Insert in orders.go reads these tables, so that a bound costs one row however many
-- orders there are. Triggers keep them in the statement that changes an order.

-- How many orders of guests wait for a payment.
CREATE TABLE guests_open (
  one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  n   BIGINT NOT NULL
);

INSERT INTO guests_open (one, n) VALUES (1, 0);

-- How many orders guests made in an hour, without those that were paid: from one
-- network, and from all of them under ''.
CREATE TABLE guests_by_hour (
  hour    BIGINT NOT NULL, -- since 1970
  network TEXT COLLATE "C" NOT NULL,
  n       BIGINT NOT NULL,
  PRIMARY KEY (hour, network)
);

-- Continues Insert in orders.go.
CREATE FUNCTION guest_order_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE guests_open SET n = n + 1;
  INSERT INTO guests_by_hour (hour, network, n)
  SELECT NEW.created_at / 3600000, '', 1 UNION ALL SELECT NEW.created_at / 3600000, NEW.network, 1 WHERE NEW.network IS NOT NULL
  ON CONFLICT (hour, network) DO UPDATE SET n = guests_by_hour.n + 1;
  RETURN NULL;
END $$;

CREATE TRIGGER guest_order_begins AFTER INSERT ON orders
FOR EACH ROW
WHEN (NEW.guest = 1 AND NEW.status = 'open')
EXECUTE FUNCTION guest_order_begins();

-- Continues BeginCloseAll and Expire in orderchanges.go, CloseWhole in whole.go, and
-- payment_is_paid: these end the wait for a payment.
CREATE FUNCTION guest_order_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE guests_open SET n = n - 1;
  RETURN NULL;
END $$;

CREATE TRIGGER guest_order_ends AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.guest = 1 AND OLD.status = 'open' AND NEW.status <> 'open')
EXECUTE FUNCTION guest_order_ends();

-- Continues Pay in paymentchanges.go, by payment_is_paid. A paid order takes no place of the hour.
CREATE FUNCTION guest_order_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE guests_by_hour SET n = n - 1 WHERE hour = OLD.created_at / 3600000 AND network IN ('', OLD.network);
  RETURN NULL;
END $$;

CREATE TRIGGER guest_order_paid AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.guest = 1 AND OLD.status = 'open' AND NEW.status = 'paid')
EXECUTE FUNCTION guest_order_paid();

-- An operator deleted an open order by hand: for the bounds in bounds.go.
CREATE FUNCTION guest_order_is_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE guests_open SET n = n - 1;
  RETURN NULL;
END $$;

CREATE TRIGGER guest_order_is_deleted AFTER DELETE ON orders
FOR EACH ROW
WHEN (OLD.guest = 1 AND OLD.status = 'open')
EXECUTE FUNCTION guest_order_is_deleted();

-- The size of the database as the timer last saw it, in bytes. No row: not known.
CREATE TABLE database_size (
  one      BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
  used     BIGINT NOT NULL,
  capacity BIGINT NOT NULL CHECK (capacity > 0)
);

-- ---------------------------------------------------------------------------
-- Refunds
-- ---------------------------------------------------------------------------

-- A refund returns money of one payment. It keeps every parameter of its call, as a
-- payment does; the columns up to created_at are never updated. Only
-- internal/order/refundstatus.go says which status may follow which.
CREATE TABLE refunds (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- out_refund_no, the number WeChat knows
  order_id   TEXT COLLATE "C" NOT NULL,
  out_trade_no TEXT COLLATE "C" NOT NULL,             -- the payment
  refund_key TEXT COLLATE "C",                         -- makes a repeated request the same refund of the order; NULL for a refund made elsewhere
  fingerprint TEXT COLLATE "C" NOT NULL DEFAULT '',  -- of the request of a back end
  api_version TEXT COLLATE "C" NOT NULL CHECK (api_version IN ('v2', 'v3')), -- that of the payment
  amount     BIGINT NOT NULL CHECK (amount > 0),
  reason     TEXT COLLATE "C" NOT NULL, -- the payer reads it
  notify_url TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  status     TEXT COLLATE "C" NOT NULL,
  refund_id  TEXT COLLATE "C",        -- WeChat's number, once WeChat is known to have accepted the refund
  accepted_at BIGINT,    -- when that became known
  -- 1: the money comes from the available balance (refund_account). It is stored before the
  -- call that sends it, and may change while the refund is created.
  from_balance BIGINT NOT NULL DEFAULT 0 CHECK (from_balance IN (0, 1)),
  failure      TEXT COLLATE "C", -- WeChat's code when it last declined the refund
  failure_text TEXT COLLATE "C", -- WeChat's text for it
  -- 1: WeChat declined it for a reason that a retry does not repair. The operator has to act.
  stuck      BIGINT NOT NULL DEFAULT 0 CHECK (stuck IN (0, 1)),
  queried_at BIGINT,     -- when WeChat was last sent the refund, or queried about it
  ended_at   BIGINT,
  billed     TEXT COLLATE "C",        -- the day of the bill that holds the refund, where it differs from the day of accepted_at
  updated_at BIGINT NOT NULL,
  UNIQUE (order_id, refund_key),
  CHECK ((refund_id IS NULL) = (accepted_at IS NULL)),
  CHECK (stuck = 0 OR status = 'created'),
  CHECK (status IN ('created', 'failed') OR refund_id IS NOT NULL)
);

CREATE UNIQUE INDEX refunds_by_refund_id ON refunds (refund_id) WHERE refund_id IS NOT NULL;

CREATE INDEX refunds_by_acceptance ON refunds (accepted_at, id) WHERE accepted_at IS NOT NULL;
-- Finds the refunds that WeChat is to be sent, or queried about.
CREATE INDEX open_refunds ON refunds (COALESCE(queried_at, created_at)) WHERE status IN ('created', 'processing', 'abnormal');

-- These two find the refunds that need an operator.
CREATE INDEX stuck_refunds ON refunds (status) WHERE status = 'created' AND stuck = 1;
CREATE INDEX abnormal_refunds ON refunds (status) WHERE status = 'abnormal';

-- A refund changes its payment and its order in the statement that writes the refund. So
-- they agree whatever fails afterwards. An order is refunding while a refund of the
-- payment that pays it has not ended. The refund of a duplicate does not change the
-- order. Continues InsertRefund and RecordRefund in refunds.go.
CREATE FUNCTION refund_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE orders SET status = 'refunding', updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND status = 'paid';
  RETURN NULL;
END $$;

CREATE TRIGGER refund_begins AFTER INSERT ON refunds
FOR EACH ROW
WHEN (NEW.status <> 'closed')
EXECUTE FUNCTION refund_begins();

-- Continues MoveRefund and FailRefund in refunds.go.
CREATE FUNCTION refund_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE payments SET refunded = refunded + NEW.amount, updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE out_trade_no = NEW.out_trade_no AND NEW.status = 'succeeded';
  UPDATE orders SET refunded = refunded + NEW.amount, updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND NEW.status = 'succeeded';
  UPDATE orders SET status = 'refunding', updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND status = 'paid' AND NEW.status IN ('processing', 'abnormal');
  UPDATE orders SET status = CASE WHEN refunded = total THEN 'refunded' ELSE 'paid' END, updated_at = GREATEST(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND status = 'refunding'
  AND NOT EXISTS (SELECT 1 FROM refunds WHERE order_id = NEW.order_id AND out_trade_no = NEW.out_trade_no AND status IN ('created', 'processing', 'abnormal'));
  RETURN NULL;
END $$;

CREATE TRIGGER refund_goes_on AFTER UPDATE OF status ON refunds
FOR EACH ROW
WHEN (NEW.status <> OLD.status)
EXECUTE FUNCTION refund_goes_on();

-- Continues DeleteOld in retention.go. Only a paid order has refunds. Its link goes on
-- counting it.
CREATE FUNCTION paid_order_is_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM refunds WHERE order_id = OLD.id;
  UPDATE links SET deleted = deleted + 1, deleted_amount = deleted_amount + OLD.total WHERE id = OLD.link_id;
  RETURN NULL;
END $$;

CREATE TRIGGER paid_order_is_deleted AFTER DELETE ON orders
FOR EACH ROW
WHEN (OLD.paid_by IS NOT NULL)
EXECUTE FUNCTION paid_order_is_deleted();

-- ---------------------------------------------------------------------------
-- Events: the outbox
-- ---------------------------------------------------------------------------

-- Triggers write an event in the statement that makes an order or a payment paid, or ends
-- the order: no failure can lose the event, and no second statement can double it.

-- The order as an event describes it.
CREATE VIEW order_snapshots AS
SELECT id, jsonb_build_object('id', id, 'reference', reference, 'source', source, 'link_id', link_id, 'status', status, 'items', (items)::jsonb, 'description', description, 'metadata', (metadata)::jsonb, 'total', total, 'currency', currency, 'refunded', refunded, 'created_at', created_at, 'expires_at', expires_at) AS data
FROM orders;

-- The payment as an event describes it.
CREATE VIEW payment_snapshots AS
SELECT out_trade_no AS number, jsonb_build_object('out_trade_no', out_trade_no, 'transaction_id', transaction_id, 'trade_type', trade_type, 'payer', NULLIF(payer, ''), 'paid_at', paid_at, 'api_version', api_version, 'appid', appid, 'mch_id', mch_id) AS data
FROM payments;

CREATE TABLE events (
  seq          BIGINT GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY,
  txid         XID8 NOT NULL DEFAULT pg_current_xact_id() /* the transaction that inserted the row */, -- in the order of creation
  -- The receiver recognises repetitions by it. It follows from type and subject, so
  -- that a database that was restored gives an event the same id again. An
  -- out_refund_no of the merchant platform may have '|', '*' and '@', which an id
  -- does not: '~' and a letter replace them. No number of WeChat's has a '~'. An id
  -- has no '.', because '.' divides the signed content of a delivery.
  id           TEXT COLLATE "C" NOT NULL,
  type         TEXT COLLATE "C" NOT NULL,
  order_id     TEXT COLLATE "C" NOT NULL,
  subject      TEXT COLLATE "C" NOT NULL, -- the order, the payment or the refund that the event is about
  data         TEXT COLLATE "C" NOT NULL, -- JSON; nothing of it changes, but the payer is removed after some time
  created_at   BIGINT NOT NULL,
  -- An id names its order (eventOfID in events.go), so this makes ids unique, and it finds the
  -- events of an order.
  UNIQUE (order_id, id)
);

-- Finds the events of a time, for ReplayRange in deliveries.go.
CREATE INDEX events_by_time ON events (created_at, seq);
-- Finds the events whose payer is to be removed.
CREATE INDEX events_with_payer ON events (created_at) WHERE ((data)::jsonb #>> '{payment,payer}') IS NOT NULL;

-- Where events are delivered to. The endpoint 'settings' is always here: the settings of
-- the shop have its URL and its secrets. API calls make the others, MaxEndpoints in
-- endpoints.go at most.
CREATE TABLE endpoints (
  id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  url             TEXT COLLATE "C" NOT NULL DEFAULT '',
  description     TEXT COLLATE "C" NOT NULL DEFAULT '',
  types           TEXT COLLATE "C" NOT NULL DEFAULT '[]' CHECK (((types)::jsonb IS NOT NULL)), -- JSON list of the event types that it gets; empty: all
  secret          TEXT COLLATE "C" NOT NULL DEFAULT '', -- sealed (internal/outbox/target.go)
  secret_old      TEXT COLLATE "C",    -- sealed; the secret before, which signs too until secret_old_until
  secret_old_until BIGINT,
  -- enabled; disabled by an operator; gone: the receiver responded 410; unset: the
  -- endpoint 'settings' of a shop without WEBHOOK_URL that has other endpoints; deleted:
  -- the timer deletes its deliveries, and then the row.
  state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('enabled', 'disabled', 'gone', 'unset', 'deleted')),
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL,
  attempts        BIGINT NOT NULL DEFAULT 0, -- deliveries that had a result
  failures        BIGINT NOT NULL DEFAULT 0, -- those that failed since the last one that was acknowledged
  last_success_at BIGINT,
  last_failure_at BIGINT,
  last_error      TEXT COLLATE "C",    -- of the last failure
  made_by         TEXT COLLATE "C",    -- the API key that made it, or 'root'
  idempotency_key TEXT COLLATE "C",    -- makes a repeated request the same endpoint
  fingerprint     TEXT COLLATE "C",    -- of the request
  rotation        TEXT COLLATE "C",    -- makes a repeated rotation of the secret the same rotation
  UNIQUE (made_by, idempotency_key),
  CHECK ((secret_old IS NULL) = (secret_old_until IS NULL))
);

INSERT INTO endpoints (id, state, created_at, updated_at) VALUES ('settings', 'enabled', 0, 0);

-- The delivery of one event to one endpoint. A trigger makes it in the statement that
-- makes the event.
CREATE TABLE deliveries (
  endpoint_id  TEXT COLLATE "C" NOT NULL,
  event_seq    BIGINT NOT NULL,
  closed       BIGINT NOT NULL, -- 1 if the event is order.closed, which anybody can make by cancelling orders
  created_at   BIGINT NOT NULL,
  status       TEXT COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
  attempts     BIGINT NOT NULL DEFAULT 0, -- all that were ever made; by this number the late result of an older try is ignored
  tries        BIGINT NOT NULL DEFAULT 0, -- those since the delivery was made, or replayed
  tried_at     BIGINT,                    -- when the last try began
  next_at      BIGINT NOT NULL,           -- of the next try, while pending
  leased_until BIGINT NOT NULL DEFAULT 0, -- until then one try is under way
  blocked      BIGINT NOT NULL DEFAULT 0, -- 1 while an earlier event of the order is pending at the endpoint; order.paid is never blocked
  delivered_at BIGINT,
  last_status  BIGINT, -- HTTP status of the last response; NULL without one
  last_error   TEXT COLLATE "C",
  PRIMARY KEY (endpoint_id, event_seq),
  CHECK ((status = 'delivered') = (delivered_at IS NOT NULL))
);

-- Finds the deliveries that are due: those about money by themselves, and order.closed. It also
-- counts those that wait at an endpoint.
CREATE INDEX deliveries_due ON deliveries (endpoint_id, blocked, closed, next_at) WHERE status = 'pending';
-- These three find events by the status of their deliveries, for Events in events.go.
CREATE INDEX pending_deliveries ON deliveries (event_seq) WHERE status = 'pending';
CREATE INDEX dead_deliveries ON deliveries (event_seq) WHERE status = 'dead';
-- An operator may mark deliveries as dead that were never tried; the health page does
-- not report those.
CREATE INDEX failed_deliveries ON deliveries (endpoint_id) WHERE status = 'dead' AND attempts > 0;

-- Continues the triggers that make events, for ClaimEvents in deliveries.go: makes the
-- deliveries of an event. An endpoint that is disabled gets none.
CREATE FUNCTION event_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO deliveries (endpoint_id, event_seq, closed, created_at, next_at)
  SELECT id, NEW.seq, CASE WHEN NEW.type = 'order.closed' THEN 1 ELSE 0 END, NEW.created_at, NEW.created_at FROM endpoints
  WHERE state IN ('enabled', 'gone') AND (types = '[]' OR EXISTS (SELECT 1 FROM h5pay_each(types) WHERE value = NEW.type));
  RETURN NULL;
END $$;

CREATE TRIGGER event_begins AFTER INSERT ON events
FOR EACH ROW
EXECUTE FUNCTION event_begins();

-- An event waits until the earlier ones of its order are delivered or dead at the same
-- endpoint, but order.paid waits for nothing. The two triggers keep that rule in the
-- column blocked, so that ClaimEvents in deliveries.go reads no delivery that it cannot
-- take. An order has few events: order.paid or order.closed, sometimes both, and one for
-- each refund and each duplicate.
--
-- Continues event_begins, and Replay and ReplayRange in deliveries.go.
CREATE FUNCTION delivery_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE deliveries SET blocked = 1 - blocked
  WHERE endpoint_id = NEW.endpoint_id AND status = 'pending'
  AND event_seq IN (SELECT other.seq FROM events JOIN events AS other ON other.order_id = events.order_id
    WHERE events.seq = NEW.event_seq AND other.type <> 'order.paid')
  AND blocked <> CASE WHEN EXISTS (SELECT 1 FROM events JOIN events AS earlier ON earlier.order_id = events.order_id AND earlier.seq < deliveries.event_seq
    JOIN deliveries AS other ON other.endpoint_id = NEW.endpoint_id AND other.event_seq = earlier.seq AND other.status = 'pending'
    WHERE events.seq = NEW.event_seq) THEN 1 ELSE 0 END;
  RETURN NULL;
END $$;

CREATE TRIGGER delivery_begins AFTER INSERT ON deliveries
FOR EACH ROW
EXECUTE FUNCTION delivery_begins();

-- Continues Deliver, FailDelivery, Replay and ReplayRange in deliveries.go.
CREATE FUNCTION delivery_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE deliveries SET blocked = 1 - blocked
  WHERE endpoint_id = NEW.endpoint_id AND status = 'pending'
  AND event_seq IN (SELECT other.seq FROM events JOIN events AS other ON other.order_id = events.order_id
    WHERE events.seq = NEW.event_seq AND other.type <> 'order.paid')
  AND blocked <> CASE WHEN EXISTS (SELECT 1 FROM events JOIN events AS earlier ON earlier.order_id = events.order_id AND earlier.seq < deliveries.event_seq
    JOIN deliveries AS other ON other.endpoint_id = NEW.endpoint_id AND other.event_seq = earlier.seq AND other.status = 'pending'
    WHERE events.seq = NEW.event_seq) THEN 1 ELSE 0 END;
  -- A replay opens an endpoint that was gone.
  UPDATE endpoints SET state = 'enabled', updated_at = GREATEST(updated_at, NEW.next_at)
  WHERE id = NEW.endpoint_id AND state = 'gone' AND NEW.status = 'pending';
  RETURN NULL;
END $$;

CREATE TRIGGER delivery_goes_on AFTER UPDATE OF status ON deliveries
FOR EACH ROW
WHEN (NEW.status <> OLD.status)
EXECUTE FUNCTION delivery_goes_on();

-- Continues Deliver and FailDelivery in deliveries.go: the result of a try.
CREATE FUNCTION delivery_was_tried() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE endpoints SET attempts = attempts + 1,
    failures = CASE WHEN NEW.status = 'delivered' THEN 0 ELSE failures + 1 END,
    last_success_at = CASE WHEN NEW.status = 'delivered' THEN GREATEST(COALESCE(last_success_at, 0), NEW.delivered_at) ELSE last_success_at END,
    last_failure_at = CASE WHEN NEW.status = 'delivered' THEN last_failure_at ELSE GREATEST(COALESCE(last_failure_at, 0), NEW.tried_at) END,
    last_error = CASE WHEN NEW.status = 'delivered' THEN last_error ELSE NEW.last_error END,
    state = CASE WHEN state = 'enabled' AND NEW.last_error = 'HTTP 410 Gone' THEN 'gone' ELSE state END
  WHERE id = NEW.endpoint_id;
  RETURN NULL;
END $$;

CREATE TRIGGER delivery_was_tried AFTER UPDATE OF leased_until ON deliveries
FOR EACH ROW
WHEN (NEW.leased_until = 0 AND OLD.leased_until <> 0)
EXECUTE FUNCTION delivery_was_tried();

-- Continues order_is_deleted, and DeleteUnpaid and DeleteOld in retention.go.
CREATE FUNCTION event_is_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM deliveries WHERE endpoint_id IN (SELECT id FROM endpoints) AND event_seq = OLD.seq;
  RETURN NULL;
END $$;

CREATE TRIGGER event_is_deleted AFTER DELETE ON events
FOR EACH ROW
EXECUTE FUNCTION event_is_deleted();

-- Continues ErasePerson in persons.go.
CREATE FUNCTION erase_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE payments SET openid = '', client_ip = '', payer = CASE WHEN transaction_id IS NOT NULL AND COALESCE(payer, OLD.owner) = OLD.owner THEN '' ELSE payer END
  WHERE order_id = NEW.id;
  RETURN NULL;
END $$;

CREATE TRIGGER erase_owner AFTER UPDATE OF owner ON orders
FOR EACH ROW
WHEN (NEW.owner <> OLD.owner)
EXECUTE FUNCTION erase_owner();

-- Continues ErasePerson in persons.go.
CREATE FUNCTION erase_payer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE events SET data = jsonb_set((data)::jsonb, '{payment,payer}', 'null')
  WHERE order_id = NEW.order_id AND ((data)::jsonb #>> '{payment,out_trade_no}') = NEW.out_trade_no AND ((data)::jsonb #>> '{payment,payer}') IS NOT NULL;
  RETURN NULL;
END $$;

CREATE TRIGGER erase_payer AFTER UPDATE OF payer ON payments
FOR EACH ROW
WHEN (NEW.payer = '' AND OLD.payer <> '')
EXECUTE FUNCTION erase_payer();

-- Continues BeginCloseAll and Expire in orderchanges.go, CloseWhole in whole.go, and payment_ends.
-- Anybody can make an order of the shop or of a link. It makes no event if nobody ever
-- got payment parameters of it.
CREATE FUNCTION event_order_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (id, type, order_id, subject, data, created_at)
  SELECT 'evt_closed_' || id, 'order.closed', id, id, jsonb_build_object('order', (data)::jsonb), NEW.updated_at
  FROM order_snapshots
  WHERE id = NEW.id AND (NEW.source = 'api' OR EXISTS (SELECT 1 FROM payments WHERE order_id = NEW.id AND prepay_id IS NOT NULL))
  ON CONFLICT (order_id, id) DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER event_order_closed AFTER UPDATE OF status ON orders
FOR EACH ROW
WHEN (NEW.status = 'closed' AND OLD.status <> 'closed')
EXECUTE FUNCTION event_order_closed();

-- Continues MoveRefund in refunds.go. The trigger refund_goes_on may run before this one
-- or after it, so the refunded sum and the status are computed here. The refund of a
-- duplicate makes no event, because payment.duplicate has reported it.
CREATE FUNCTION event_order_refunded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (id, type, order_id, subject, data, created_at)
  SELECT 'evt_refunded_' || replace(replace(replace(NEW.id, '|', '~p'), '*', '~s'), '@', '~a'), 'order.refunded', orders.id, NEW.id, jsonb_build_object('order', jsonb_set(jsonb_set((order_snapshots.data)::jsonb, '{refunded}', COALESCE(to_jsonb(back), 'null')), '{status}', COALESCE(to_jsonb((CASE WHEN back = total THEN 'refunded'
        WHEN EXISTS (SELECT 1 FROM refunds WHERE order_id = NEW.order_id AND out_trade_no = NEW.out_trade_no AND id <> NEW.id
          AND status IN ('created', 'processing', 'abnormal')) THEN 'refunding' ELSE 'paid' END)::text), 'null')), 'payment', (payment_snapshots.data)::jsonb, 'refund', jsonb_build_object('id', NEW.id, 'refund_id', NEW.refund_id, 'amount', NEW.amount, 'reason', NEW.reason, 'created_at', NEW.created_at, 'ended_at', NEW.ended_at)),
    GREATEST(updated_at, NEW.updated_at)
  FROM orders
  JOIN order_snapshots ON order_snapshots.id = orders.id JOIN payment_snapshots ON number = paid_by
  JOIN (SELECT order_id, SUM(amount) AS back FROM refunds WHERE order_id = NEW.order_id AND out_trade_no = NEW.out_trade_no AND status = 'succeeded' GROUP BY order_id) AS sub1 ON order_id = orders.id
  WHERE orders.id = NEW.order_id AND paid_by = NEW.out_trade_no
  ON CONFLICT (order_id, id) DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER event_order_refunded AFTER UPDATE OF status ON refunds
FOR EACH ROW
WHEN (NEW.status = 'succeeded' AND OLD.status <> 'succeeded')
EXECUTE FUNCTION event_order_refunded();

-- ---------------------------------------------------------------------------
-- Takings
-- ---------------------------------------------------------------------------

-- The payments and refunds of an hour. So the sums of a month cost one row an hour,
-- whatever the number of orders is. A payment counts in the hour of WeChat's time, or of
-- its settlement if WeChat did not report the time.
CREATE TABLE takings (
  hour     BIGINT NOT NULL PRIMARY KEY, -- since 1970, UTC
  payments BIGINT NOT NULL DEFAULT 0,
  paid     BIGINT NOT NULL DEFAULT 0, -- fen
  refunds  BIGINT NOT NULL DEFAULT 0,
  refunded BIGINT NOT NULL DEFAULT 0  -- fen
);

-- Continues Pay in paymentchanges.go.
CREATE FUNCTION takings_of_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO takings (hour, payments, paid) VALUES (COALESCE(NEW.paid_at, NEW.settled_at) / 3600000, 1, NEW.total)
  ON CONFLICT (hour) DO UPDATE SET payments = takings.payments + 1, paid = takings.paid + excluded.paid;
  RETURN NULL;
END $$;

CREATE TRIGGER takings_of_payment AFTER UPDATE OF transaction_id ON payments
FOR EACH ROW
WHEN (OLD.transaction_id IS NULL AND NEW.transaction_id IS NOT NULL)
EXECUTE FUNCTION takings_of_payment();

-- Continues MoveRefund in refunds.go.
CREATE FUNCTION takings_of_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO takings (hour, refunds, refunded) VALUES (COALESCE(NEW.ended_at, NEW.updated_at) / 3600000, 1, NEW.amount)
  ON CONFLICT (hour) DO UPDATE SET refunds = takings.refunds + 1, refunded = takings.refunded + excluded.refunded;
  RETURN NULL;
END $$;

CREATE TRIGGER takings_of_refund AFTER UPDATE OF status ON refunds
FOR EACH ROW
WHEN (NEW.status = 'succeeded' AND OLD.status <> 'succeeded')
EXECUTE FUNCTION takings_of_refund();

-- ---------------------------------------------------------------------------
-- Bills
-- ---------------------------------------------------------------------------

-- The daily comparison of payments and refunds with WeChat's bill. Days are
-- Beijing's: "2026-03-01".
CREATE TABLE bill_checks (
  date         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'agrees', 'differs', 'failed')),
  payments     BIGINT NOT NULL DEFAULT 0, -- in the bill
  refunds      BIGINT NOT NULL DEFAULT 0,
  checked_at   BIGINT,
  result       TEXT COLLATE "C",             -- the run that found the differences; NULL until a run has ended
  run          TEXT COLLATE "C" NOT NULL, -- the one under way, or the last one
  leased_until BIGINT NOT NULL, -- until then the run is under way
  compared     BIGINT NOT NULL DEFAULT 0, -- rows of the bill that the run under way has compared, of a bill of several pages
  rows_of_bill BIGINT NOT NULL DEFAULT 0, -- how many the bill has; 0 until it was fetched
  next_at      BIGINT NOT NULL, -- of the next try, while there is no result, or funds is 'pending'
  -- What the payments and refunds come to by the trade bill, in fen. 0 until there is a result.
  income       BIGINT NOT NULL DEFAULT 0,
  refunded     BIGINT NOT NULL DEFAULT 0,
  fees         BIGINT NOT NULL DEFAULT 0,
  settlement   BIGINT NOT NULL DEFAULT 0 CHECK (settlement = income - refunded - fees),
  -- The same by the fund-flow bill, and the other movements of the account. NULL unless it was read.
  funds            TEXT COLLATE "C" NOT NULL DEFAULT 'none' CHECK (funds IN ('none', 'pending', 'read')), -- none: the shop's API version has no such bill
  funds_income     BIGINT,
  funds_refunded   BIGINT,
  funds_fees       BIGINT,
  funds_settlement BIGINT CHECK (funds_settlement = funds_income - funds_refunded - funds_fees),
  funds_other      BIGINT,
  funds_balance    BIGINT,
  CHECK ((status IN ('agrees', 'differs')) = (result IS NOT NULL)),
  CHECK (funds <> 'read' OR funds_balance IS NOT NULL)
);

-- The differences that a run found. Only those of the check's result count.
CREATE TABLE bill_differences (
  date          TEXT COLLATE "C" NOT NULL,
  run           TEXT COLLATE "C" NOT NULL,
  n             BIGINT NOT NULL,
  kind          TEXT COLLATE "C" NOT NULL,
  out_trade_no  TEXT COLLATE "C" NOT NULL,
  out_refund_no TEXT COLLATE "C" NOT NULL,
  ours          TEXT COLLATE "C" NOT NULL,
  theirs        TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (date, run, n)
);

-- ---------------------------------------------------------------------------
-- Sign-ins
-- ---------------------------------------------------------------------------

-- The states of finished sign-ins, kept until they would have expired anyway. The time of a
-- state follows from the state, so that a state has one row.
CREATE TABLE used_states (
  expires_at BIGINT NOT NULL,
  state      TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (expires_at, state)
);

-- ---------------------------------------------------------------------------
-- Operating. But for switches no order depends on any of it.
-- ---------------------------------------------------------------------------

-- The switches of the operator. 'selling': 0 while no order is taken.
CREATE TABLE switches (
  name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL CHECK (value IN (0, 1)),
  at    BIGINT NOT NULL -- when it was last changed
);

-- WeChat's platform certificates, with which a shop in certificate mode verifies
-- messages of APIv3. WeChat has about two at a time (internal/certificate).
CREATE TABLE wechat_certificates (
  serial     TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- upper-case hex digits
  pem        TEXT COLLATE "C" NOT NULL,
  not_before BIGINT NOT NULL,
  not_after  BIGINT NOT NULL,
  fetched_at BIGINT NOT NULL -- when WeChat last had it in its list
);

-- When a timer last completed. 'certificates': when a download of the platform
-- certificates was last begun. 'checks': when the checks that make calls last ran.
CREATE TABLE timers (
  name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  at      BIGINT NOT NULL,
  queried BIGINT NOT NULL DEFAULT 0, -- 'reconcile': payments about which it queried WeChat
  failed  BIGINT NOT NULL DEFAULT 0  -- 'reconcile': those queries that failed
);

-- Counts of things that no other table stores (Count in counters.go). Counters computes the
-- others from orders, payments, refunds and events.
CREATE TABLE counters (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  n    BIGINT NOT NULL
);

-- ---------------------------------------------------------------------------
-- The API for back ends
-- ---------------------------------------------------------------------------

-- The API keys. Only the hash of the secret is stored.
CREATE TABLE keys (
  id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  hash            TEXT COLLATE "C" NOT NULL, -- SHA-256 in hex
  name            TEXT COLLATE "C" NOT NULL,
  scopes          TEXT COLLATE "C" NOT NULL, -- separated by spaces
  created_at      BIGINT NOT NULL,
  last_used_at    BIGINT, -- exact to an hour
  expires_at      BIGINT,
  revoked_at      BIGINT,
  made_by         TEXT COLLATE "C" NOT NULL, -- the key that made this one, or 'root'
  idempotency_key TEXT COLLATE "C" NOT NULL, -- makes a repeated request the same key
  fingerprint     TEXT COLLATE "C" NOT NULL, -- of the request
  -- How often every session of the console under this key was ended. A session is valid
  -- while the number is the same as at its beginning.
  sign_outs       BIGINT NOT NULL DEFAULT 0,
  UNIQUE (made_by, idempotency_key),
  CHECK (expires_at > created_at),
  CHECK (revoked_at >= created_at)
);

-- Counts the keys that have not ended, and finds those that ended long ago (keys.go).
CREATE INDEX keys_by_end ON keys (LEAST(COALESCE(revoked_at, 9007199254740991), COALESCE(expires_at, 9007199254740991)));

-- Continues Reconciled in health.go: keys that ended 90 days ago (KeepEndedKeys) are
-- deleted, 100 a minute. A trigger costs the timer no statement.
CREATE FUNCTION timer_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM keys WHERE id = ANY (ARRAY(
    SELECT id FROM keys WHERE LEAST(COALESCE(revoked_at, 9007199254740991), COALESCE(expires_at, 9007199254740991)) <= NEW.at - 7776000000
    ORDER BY LEAST(COALESCE(revoked_at, 9007199254740991), COALESCE(expires_at, 9007199254740991)) LIMIT 100));
  RETURN NULL;
END $$;

CREATE TRIGGER timer_ends AFTER UPDATE OF at ON timers
FOR EACH ROW
WHEN (NEW.name = 'reconcile')
EXECUTE FUNCTION timer_ends();

-- The last messages at the notify URLs: 400 that are WeChat's and 100 that are not. So
-- strangers displace no message of WeChat's.
CREATE TABLE notifications (
  verified      BIGINT NOT NULL CHECK (verified IN (0, 1)),
  n             BIGINT NOT NULL, -- in the order of arrival
  at            BIGINT NOT NULL,
  kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('payment', 'refund', 'echo')),
  version       TEXT COLLATE "C" NOT NULL, -- of WeChat's API
  verdict       TEXT COLLATE "C" NOT NULL,
  reason        TEXT COLLATE "C" NOT NULL,
  out_trade_no  TEXT COLLATE "C" NOT NULL,
  out_refund_no TEXT COLLATE "C" NOT NULL,
  request_id    TEXT COLLATE "C" NOT NULL,
  more          BIGINT NOT NULL, -- messages since the one before that have no row
  PRIMARY KEY (verified, n)
);

-- Continues InsertNotification in notifications.go.
CREATE FUNCTION notification_is_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM notifications WHERE verified = NEW.verified AND n <= NEW.n - CASE WHEN NEW.verified = 1 THEN 400 ELSE 100 END;
  RETURN NULL;
END $$;

CREATE TRIGGER notification_is_stored AFTER INSERT ON notifications
FOR EACH ROW
EXECUTE FUNCTION notification_is_stored();

-- ---------------------------------------------------------------------------
-- The audit list
-- ---------------------------------------------------------------------------

-- Who changed what by a call of /v1. The hash of an entry covers the hash of the entry
-- before (internal/order/audit.go).
CREATE TABLE audit (
  seq        BIGINT GENERATED BY DEFAULT AS IDENTITY NOT NULL PRIMARY KEY,
  txid         XID8 NOT NULL DEFAULT pg_current_xact_id() /* the transaction that inserted the row */, -- without gaps
  id         TEXT COLLATE "C" NOT NULL UNIQUE, -- of the call
  intent     TEXT COLLATE "C" NOT NULL,
  at         BIGINT NOT NULL,
  key_id     TEXT COLLATE "C" NOT NULL,
  key_name   TEXT COLLATE "C" NOT NULL,
  action     TEXT COLLATE "C" NOT NULL,
  object     TEXT COLLATE "C" NOT NULL,
  before     TEXT COLLATE "C" NOT NULL, -- JSON, or ''
  after      TEXT COLLATE "C" NOT NULL, -- JSON, or ''
  unknown    BIGINT NOT NULL CHECK (unknown IN (0, 1)), -- 1: the call did not report how it ended
  request_id TEXT COLLATE "C" NOT NULL,
  hash       TEXT COLLATE "C" NOT NULL
);

-- The calls that are under way, or that died.
CREATE TABLE audit_intents (
  intent     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  id         TEXT COLLATE "C" NOT NULL,
  at         BIGINT NOT NULL,
  key_id     TEXT COLLATE "C" NOT NULL,
  key_name   TEXT COLLATE "C" NOT NULL,
  action     TEXT COLLATE "C" NOT NULL,
  object     TEXT COLLATE "C" NOT NULL,
  before     TEXT COLLATE "C" NOT NULL,
  request_id TEXT COLLATE "C" NOT NULL
);

CREATE INDEX audit_intents_by_time ON audit_intents (at);

-- Continues Audit in audit.go.
CREATE FUNCTION audit_entry_ends_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM audit_intents WHERE intent = NEW.intent;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_entry_ends_intent AFTER INSERT ON audit
FOR EACH ROW
EXECUTE FUNCTION audit_entry_ends_intent();

-- Continues Audit in audit.go: an appended entry cannot be changed.
CREATE FUNCTION audit_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit list is append-only';
  RETURN NEW;
END $$;

CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit
FOR EACH ROW
EXECUTE FUNCTION audit_is_final();

-- Continues Audit in audit.go: an appended entry cannot be deleted.
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit list is append-only';
  RETURN OLD;
END $$;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
FOR EACH ROW
EXECUTE FUNCTION audit_is_kept();

-- ---------------------------------------------------------------------------
-- Refunds that need a second person
-- ---------------------------------------------------------------------------

-- A request becomes a refund when another API key than its own confirms it. The refund's key
-- follows from the id, so that a request makes one refund.
CREATE TABLE refund_requests (
  id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  order_id     TEXT COLLATE "C" NOT NULL,
  out_trade_no TEXT COLLATE "C" NOT NULL, -- '' for the payment that pays the order
  amount       BIGINT NOT NULL CHECK (amount > 0),
  reason       TEXT COLLATE "C" NOT NULL,
  from_balance BIGINT NOT NULL CHECK (from_balance IN (0, 1)),
  key_id       TEXT COLLATE "C" NOT NULL, -- of the operator who requested it
  key_name     TEXT COLLATE "C" NOT NULL,
  created_at   BIGINT NOT NULL,
  status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'confirmed', 'declined')),
  decided_by   TEXT COLLATE "C", -- the API key of the operator who decided
  decided_name TEXT COLLATE "C",
  decided_at   BIGINT,
  CHECK ((decided_by IS NULL) = (status = 'waiting')),
  CHECK (status <> 'confirmed' OR decided_by <> key_id)
);

CREATE UNIQUE INDEX waiting_refund_request_of_order ON refund_requests (order_id) WHERE status = 'waiting';
CREATE INDEX waiting_refund_requests ON refund_requests (created_at, id) WHERE status = 'waiting';

-- ---------------------------------------------------------------------------
-- Photos of products
-- ---------------------------------------------------------------------------

-- Pictures that the console stored, at /photos/ and the hash. Products name them in image.
CREATE TABLE product_photos (
  hash TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- 32 hex digits of the SHA-256
  type TEXT COLLATE "C" NOT NULL, -- "image/jpeg"
  data TEXT COLLATE "C" NOT NULL, -- base64
  at   BIGINT NOT NULL
);

-- Continues InsertPhoto in photos.go: deletes pictures that no product has shown for a
-- day.
CREATE FUNCTION photo_is_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM product_photos WHERE at < NEW.at - 86400000 AND '/photos/' || hash NOT IN (SELECT image FROM products);
  RETURN NULL;
END $$;

CREATE TRIGGER photo_is_stored AFTER INSERT ON product_photos
FOR EACH ROW
EXECUTE FUNCTION photo_is_stored();
