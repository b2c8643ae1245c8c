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
  id        TEXT    NOT NULL PRIMARY KEY,
  name      TEXT    NOT NULL,
  detail    TEXT    NOT NULL DEFAULT '',
  image     TEXT    NOT NULL DEFAULT '', -- a path on the shop
  price     INTEGER NOT NULL CHECK (price > 0),
  position  INTEGER NOT NULL DEFAULT 0, -- products are shown in this order
  for_sale  INTEGER NOT NULL DEFAULT 1 CHECK (for_sale IN (0, 1)),
  -- With both bounds the payer names the amount within them, and price is the
  -- suggestion. A product has both bounds or neither.
  min_price INTEGER CHECK (min_price > 0),
  max_price INTEGER CHECK ((min_price IS NULL) = (max_price IS NULL) AND (max_price IS NULL OR max_price >= min_price)),
  stock     INTEGER -- pieces that can be sold; NULL: any number. Below 0 after the late payment of a closed order
) STRICT;

-- ---------------------------------------------------------------------------
-- Orders
-- ---------------------------------------------------------------------------

-- An order is what is sold. Its payments are the attempts to collect it, and the first
-- one that WeChat reports as paid pays it. The columns up to expires_at are never
-- updated, except that owner is removed when the person is erased (persons.go). Only
-- internal/order/status.go says which status may follow which.
CREATE TABLE orders (
  id          TEXT    NOT NULL PRIMARY KEY, -- the public one, in URLs of the shop
  token       TEXT,    -- of the customer's URL /o/{token}: anybody who knows it may pay the order
  source      TEXT    NOT NULL CHECK (source IN ('shop', 'api', 'link')), -- what made it
  reference   TEXT,    -- the merchant's own number
  key_id      TEXT,    -- the API key that made it
  link_id     TEXT,    -- the payment link that made it
  owner       TEXT,    -- the openid of a user, the id of a guest, or 'erased:' and the order's id; of an order of the shop or of a link
  guest       INTEGER NOT NULL, -- 1 if the owner is a guest
  client_key  TEXT,    -- makes a repeated request the same order: of the owner, or of the API key
  fingerprint TEXT    NOT NULL, -- of the request under client_key
  shop        TEXT    NOT NULL, -- the origin of the shop that made it
  appid       TEXT    NOT NULL,
  mch_id      TEXT    NOT NULL,
  items       TEXT    NOT NULL, -- JSON: [{"product_id","name","price","quantity"}]
  total       INTEGER NOT NULL CHECK (total > 0),
  currency    TEXT    NOT NULL,
  description TEXT    NOT NULL, -- the payer reads it on the payment sheet
  metadata    TEXT    CHECK (metadata IS NULL OR json_valid(metadata)), -- JSON object of the merchant
  return_url  TEXT,    -- where the customer's page leads after the payment
  trade_types TEXT    CHECK (trade_types IS NULL OR json_valid(trade_types)), -- JSON list of those that may pay it; NULL: all
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  status      TEXT    NOT NULL,
  paid_by     TEXT,    -- the out_trade_no of the payment that pays it, never changed
  refunded    INTEGER NOT NULL DEFAULT 0, -- fen of that payment that were refunded
  due_at      INTEGER, -- when the timer closes it; NULL once it is not open
  network     TEXT,    -- the network of a guest, as internal/server/limit.go counts it, while the order is open
  taken       TEXT    CHECK (taken IS NULL OR json_valid(taken)), -- JSON object: the pieces that it took of the stock, by product; NULL: none; never updated
  -- Whether a simulator took the place of WeChat when the order was made, or when it
  -- was paid. Events say so, also from a database that was moved to another shop.
  simulated   INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),
  updated_at  INTEGER NOT NULL,
  CHECK (source = 'api' OR owner IS NOT NULL AND client_key IS NOT NULL),
  CHECK ((source = 'link') = (link_id IS NOT NULL)),
  CHECK (guest = (substr(COALESCE(owner, ''), 1, 6) = 'guest:')),
  CHECK ((paid_by IS NULL) = (status IN ('open', 'closing', 'closed'))),
  CHECK ((due_at IS NULL) = (status <> 'open'))
) STRICT, WITHOUT ROWID;

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
  order_id TEXT    NOT NULL,
  n        INTEGER NOT NULL, -- 1 for the first
  status   TEXT    NOT NULL, -- the new one
  at       INTEGER NOT NULL,
  PRIMARY KEY (order_id, n)
) STRICT, WITHOUT ROWID;

-- The statuses that an order went through. It begins open.
CREATE VIEW order_steps AS
SELECT id AS order_id, 0 AS n, 'open' AS status, created_at AS at FROM orders
UNION ALL
SELECT order_id, n, status, at FROM order_changes;

-- Continues the changes in orderchanges.go, and those of other triggers.
CREATE TRIGGER order_goes_on AFTER UPDATE OF status ON orders WHEN NEW.status <> OLD.status
BEGIN
  INSERT INTO order_changes (order_id, n, status, at)
  SELECT NEW.id, COUNT(*) + 1, NEW.status, MAX(NEW.updated_at, OLD.updated_at) FROM order_changes WHERE order_id = NEW.id;
END;

-- Continues DeleteUnpaid and DeleteOld in retention.go.
CREATE TRIGGER order_is_deleted AFTER DELETE ON orders
BEGIN
  DELETE FROM order_changes WHERE order_id = OLD.id;
  DELETE FROM payments WHERE order_id = OLD.id;
  DELETE FROM events WHERE order_id = OLD.id;
END;

-- ---------------------------------------------------------------------------
-- Stock
-- ---------------------------------------------------------------------------

-- An order holds what it took until it is closed. A paid order keeps it, also when it is
-- refunded. No other status leads to closed, and closed leads to paid alone, so that each of
-- these triggers runs once at most for an order.

-- Continues Insert in orders.go.
CREATE TRIGGER stock_is_taken AFTER INSERT ON orders WHEN NEW.taken IS NOT NULL AND NEW.status <> 'closed'
BEGIN
  UPDATE products SET stock = stock - (SELECT CAST(value AS INTEGER) FROM json_each(NEW.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM json_each(NEW.taken));
END;

-- Continues BeginCloseAll and Expire in orderchanges.go, CloseWhole in whole.go, and payment_ends. An
-- order that is closing keeps its pieces: WeChat may still take its payment.
CREATE TRIGGER stock_comes_back AFTER UPDATE OF status ON orders WHEN NEW.taken IS NOT NULL AND NEW.status = 'closed' AND OLD.status <> 'closed'
BEGIN
  UPDATE products SET stock = stock + (SELECT CAST(value AS INTEGER) FROM json_each(NEW.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM json_each(NEW.taken));
END;

-- Continues Pay in paymentchanges.go, by payment_is_paid: a payment that comes late takes the
-- pieces again, also those that were sold meanwhile.
CREATE TRIGGER stock_is_taken_late AFTER UPDATE OF status ON orders WHEN NEW.taken IS NOT NULL AND OLD.status = 'closed' AND NEW.status <> 'closed'
BEGIN
  UPDATE products SET stock = stock - (SELECT CAST(value AS INTEGER) FROM json_each(NEW.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM json_each(NEW.taken));
END;

-- The changes of the stock by operators and back ends, for a day: a repeated request changes nothing.
CREATE TABLE stock_changes (
  product_id  TEXT    NOT NULL,
  key         TEXT    NOT NULL, -- of the request
  fingerprint TEXT    NOT NULL, -- of the request under key
  stock       INTEGER,          -- after the change; NULL: any number
  at          INTEGER NOT NULL,
  PRIMARY KEY (product_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX stock_changes_by_time ON stock_changes (at);

-- Continues ChangeStock in stock.go.
CREATE TRIGGER stock_is_changed AFTER INSERT ON stock_changes
BEGIN
  UPDATE products SET stock = NEW.stock WHERE id = NEW.product_id;
  DELETE FROM stock_changes WHERE at < NEW.at - 86400000;
END;

-- An operator deleted an order by hand that was not paid: for the stock in stock.go.
CREATE TRIGGER stock_of_deleted_order AFTER DELETE ON orders WHEN OLD.taken IS NOT NULL AND OLD.status IN ('open', 'closing')
BEGIN
  UPDATE products SET stock = stock + (SELECT CAST(value AS INTEGER) FROM json_each(OLD.taken) WHERE key = products.id)
  WHERE id IN (SELECT key FROM json_each(OLD.taken));
END;

-- ---------------------------------------------------------------------------
-- Payment links
-- ---------------------------------------------------------------------------

-- A link makes orders: one for each payer who opens its URL and confirms. The amount is
-- fixed, or the payer names it within two bounds. The columns up to return_url are never
-- updated, except title and description.
CREATE TABLE links (
  id              TEXT    NOT NULL PRIMARY KEY,
  token           TEXT    NOT NULL UNIQUE, -- of the URL /l/{token}
  title           TEXT    NOT NULL,
  description     TEXT    NOT NULL,
  amount          INTEGER CHECK (amount > 0), -- fen; NULL: the payer names it
  min_amount      INTEGER CHECK (min_amount > 0),
  max_amount      INTEGER CHECK (max_amount >= min_amount),
  metadata        TEXT    CHECK (metadata IS NULL OR json_valid(metadata)), -- of each order
  trade_types     TEXT    CHECK (trade_types IS NULL OR json_valid(trade_types)), -- as of an order
  return_url      TEXT,
  max_orders      INTEGER CHECK (max_orders > 0), -- the most that orders may be; NULL: any number
  expires_at      INTEGER, -- no new order from then on
  withdrawn_at    INTEGER, -- no new order while it is set
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  orders          INTEGER NOT NULL DEFAULT 0, -- those that are open, and those that were paid
  paid            INTEGER NOT NULL DEFAULT 0, -- those that were paid
  paid_amount     INTEGER NOT NULL DEFAULT 0, -- what was paid, in fen
  deleted         INTEGER NOT NULL DEFAULT 0, -- those that were paid and are deleted; the three above count them
  deleted_amount  INTEGER NOT NULL DEFAULT 0, -- what was paid for those, in fen
  made_by         TEXT    NOT NULL, -- the API key that made it, or 'root'
  idempotency_key TEXT    NOT NULL, -- makes a repeated request the same link
  fingerprint     TEXT    NOT NULL, -- of the request
  UNIQUE (made_by, idempotency_key),
  CHECK ((amount IS NULL) = (min_amount IS NOT NULL)),
  CHECK ((min_amount IS NULL) = (max_amount IS NULL))
) STRICT;

CREATE INDEX links_by_time ON links (created_at, id);
CREATE INDEX orders_by_link ON orders (link_id, created_at, id) WHERE link_id IS NOT NULL;

-- Continues Insert in orders.go: the order takes a place of its link.
CREATE TRIGGER link_order_begins AFTER INSERT ON orders WHEN NEW.link_id IS NOT NULL
BEGIN
  UPDATE links SET orders = orders + 1 WHERE id = NEW.link_id;
END;

-- Continues BeginCloseAll and Expire in orderchanges.go, and CloseWhole in whole.go: an order that ends
-- without a payment frees its place.
CREATE TRIGGER link_order_ends AFTER UPDATE OF status ON orders
WHEN NEW.link_id IS NOT NULL AND OLD.status = 'open' AND NEW.status IN ('closing', 'closed')
BEGIN
  UPDATE links SET orders = orders - 1 WHERE id = NEW.link_id;
END;

-- Continues Pay in paymentchanges.go, by payment_is_paid. A payment that comes late takes a
-- place even if there is none.
CREATE TRIGGER link_order_paid AFTER UPDATE OF paid_by ON orders
WHEN NEW.link_id IS NOT NULL AND OLD.paid_by IS NULL AND NEW.paid_by IS NOT NULL
BEGIN
  UPDATE links SET paid = paid + 1, paid_amount = paid_amount + NEW.total, orders = orders + IIF(OLD.status = 'open', 0, 1) WHERE id = NEW.link_id;
END;

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
  out_trade_no   TEXT    NOT NULL PRIMARY KEY, -- the number WeChat knows
  order_id       TEXT    NOT NULL,
  guest          INTEGER NOT NULL, -- 1 if the owner of the order is a guest: see payments_due
  appid          TEXT    NOT NULL,
  mch_id         TEXT    NOT NULL,
  api_version    TEXT    NOT NULL CHECK (api_version IN ('v2', 'v3')), -- of WeChat's API: the payment ends with the version with which it began
  trade_type     TEXT    NOT NULL,
  openid         TEXT    NOT NULL, -- JSAPI: who is to pay; '' otherwise, and once the person is erased
  own            INTEGER NOT NULL DEFAULT 0 CHECK (own IN (0, 1)), -- 1 if openid is the owner of the order: the order's owner finds such a payment
  total          INTEGER NOT NULL CHECK (total > 0),
  currency       TEXT    NOT NULL,
  shop_name      TEXT    NOT NULL, -- MWEB sends it
  body           TEXT    NOT NULL, -- the description of the order
  client_ip      TEXT    NOT NULL, -- '' once the payment has ended
  notify_url     TEXT    NOT NULL,
  created_at     INTEGER NOT NULL, -- just before the first call of unifiedorder; also time_start
  expires_at     INTEGER NOT NULL, -- of the order; also time_expire
  status         TEXT    NOT NULL,
  closing        INTEGER NOT NULL DEFAULT 0 CHECK (closing IN (0, 1)), -- 1 once it is to be closed; payments_due has it in place of the status
  prepay_id      TEXT,    -- of WeChat; pay_url where APIv3 gives none
  prepay_at      INTEGER,
  sign_type      TEXT,    -- of the call that returned prepay_id; the page signs with the same one
  pay_url        TEXT,    -- the code_url or mweb_url that came with prepay_id
  claimed_until  INTEGER, -- until then one request alone may call unifiedorder: a second code_url voids the first
  failure        TEXT,    -- WeChat's code when it last declined the payment
  queried_at     INTEGER, -- when WeChat was last queried about the payment
  notified_at    INTEGER, -- when a notification last said that it is paid, and WeChat was queried to confirm it
  due_at         INTEGER, -- when the timer next queries WeChat about it; NULL when it has ended
  transaction_id TEXT,
  -- After a refund WeChat need not report who paid and when. Then payer and paid_at are
  -- NULL until the bill of that day was compared.
  payer          TEXT,    -- the openid of the payer; '' once the person is erased
  paid_at        INTEGER, -- WeChat's time_end
  settled_at     INTEGER, -- when it became known here that it is paid
  settled_by     TEXT,    -- how it became known: notify, poll, cron, ...
  duplicate      INTEGER NOT NULL DEFAULT 0 CHECK (duplicate IN (0, 1)), -- 1: another payment pays the order, and this one is refunded
  refunded       INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND total), -- fen that were refunded
  billed         TEXT,    -- the day of the bill that holds the payment, where it differs from the day of paid_at
  simulated      INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)), -- as of an order
  updated_at     INTEGER NOT NULL,
  CHECK ((openid = '') OR trade_type = 'JSAPI'),
  CHECK (closing = 1 OR status <> 'closing'),
  CHECK (closing = 0 OR status NOT IN ('created', 'pending')),
  CHECK ((prepay_id IS NULL) = (prepay_at IS NULL)),
  CHECK ((transaction_id IS NULL) = (settled_at IS NULL)),
  CHECK ((transaction_id IS NULL) = (status <> 'paid')),
  CHECK (transaction_id IS NOT NULL OR paid_at IS NULL AND payer IS NULL AND duplicate = 0 AND refunded = 0),
  CHECK ((due_at IS NULL) = (status NOT IN ('created', 'pending', 'closing')))
) STRICT, WITHOUT ROWID;

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
CREATE TRIGGER order_closes AFTER UPDATE OF status ON orders WHEN NEW.status = 'closing' AND OLD.status <> 'closing'
BEGIN
  UPDATE payments SET status = 'closing', closing = 1, due_at = MAX(created_at + 315000, NEW.updated_at), updated_at = MAX(updated_at, NEW.updated_at)
  WHERE order_id = NEW.id AND status IN ('created', 'pending');
END;

-- Continues Close and Fail in paymentchanges.go: an order that is closing, or whose time is
-- over, is closed when none of its payments can be paid at WeChat any more.
CREATE TRIGGER payment_ends AFTER UPDATE OF status ON payments WHEN NEW.status IN ('closed', 'failed') AND OLD.status <> NEW.status
BEGIN
  UPDATE orders SET status = 'closed', network = NULL, due_at = NULL, updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND (status = 'closing' OR status = 'open' AND due_at <= NEW.updated_at)
  AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = NEW.order_id AND status IN ('created', 'pending', 'closing'));
END;

-- Continues Pay in paymentchanges.go. The first payment of an order that is paid pays
-- the order. Every other one is a duplicate and refunded in full, by a refund that is
-- stored here and sent like every refund. The payments that are not paid are closed at
-- WeChat.
CREATE TRIGGER payment_is_paid AFTER UPDATE OF transaction_id ON payments
WHEN OLD.transaction_id IS NULL AND NEW.transaction_id IS NOT NULL
BEGIN
  UPDATE orders SET paid_by = COALESCE(paid_by, NEW.out_trade_no), status = IIF(paid_by IS NULL, 'paid', status),
    due_at = NULL, network = NULL, simulated = MAX(simulated, NEW.simulated), updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id;
  UPDATE payments SET status = 'closing', closing = 1, due_at = MAX(created_at + 315000, NEW.updated_at), updated_at = MAX(updated_at, NEW.updated_at)
  WHERE order_id = NEW.order_id AND status IN ('created', 'pending');
  UPDATE payments SET duplicate = 1
  WHERE out_trade_no = NEW.out_trade_no AND NEW.out_trade_no <> (SELECT paid_by FROM orders WHERE id = NEW.order_id);
  INSERT INTO refunds (id, order_id, out_trade_no, refund_key, api_version, amount, reason, notify_url, created_at, status, updated_at)
  SELECT 'DUP' || out_trade_no, order_id, out_trade_no, 'duplicate:' || out_trade_no, api_version, total, '重复支付，全额退款',
    replace(notify_url, '/api/notify/pay', '/api/notify/refund'), updated_at, 'created', updated_at
  FROM payments WHERE out_trade_no = NEW.out_trade_no AND duplicate = 1
  ON CONFLICT DO NOTHING;
  INSERT INTO events (id, type, order_id, subject, data, created_at)
  SELECT IIF(duplicate = 1, 'evt_duplicate_' || out_trade_no, 'evt_paid_' || orders.id), IIF(duplicate = 1, 'payment.duplicate', 'order.paid'),
    orders.id, IIF(duplicate = 1, out_trade_no, orders.id),
    IIF(duplicate = 1,
      json_object('order', json(order_snapshots.data), 'payment', json(payment_snapshots.data), 'refund', json_object('id', 'DUP' || out_trade_no, 'amount', payments.total)),
      json_object('order', json(order_snapshots.data), 'payment', json(payment_snapshots.data))),
    orders.updated_at
  FROM payments JOIN orders ON orders.id = payments.order_id
  JOIN order_snapshots ON order_snapshots.id = orders.id JOIN payment_snapshots ON number = out_trade_no
  WHERE out_trade_no = NEW.out_trade_no
  ON CONFLICT (order_id, id) DO NOTHING;
END;

-- ---------------------------------------------------------------------------
-- Bounds of new orders
-- ---------------------------------------------------------------------------

-- Insert in orders.go reads these tables, so that a bound costs one row however many
-- orders there are. Triggers keep them in the statement that changes an order.

-- How many orders of guests wait for a payment.
CREATE TABLE guests_open (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  n   INTEGER NOT NULL
) STRICT;

INSERT INTO guests_open (one, n) VALUES (1, 0);

-- How many orders guests made in an hour, without those that were paid: from one
-- network, and from all of them under ''.
CREATE TABLE guests_by_hour (
  hour    INTEGER NOT NULL, -- since 1970
  network TEXT    NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (hour, network)
) STRICT, WITHOUT ROWID;

-- Continues Insert in orders.go.
CREATE TRIGGER guest_order_begins AFTER INSERT ON orders WHEN NEW.guest = 1 AND NEW.status = 'open'
BEGIN
  UPDATE guests_open SET n = n + 1;
  INSERT INTO guests_by_hour (hour, network, n)
  SELECT NEW.created_at / 3600000, '', 1 UNION ALL SELECT NEW.created_at / 3600000, NEW.network, 1 WHERE NEW.network IS NOT NULL
  ON CONFLICT (hour, network) DO UPDATE SET n = guests_by_hour.n + 1;
END;

-- Continues BeginCloseAll and Expire in orderchanges.go, CloseWhole in whole.go, and
-- payment_is_paid: these end the wait for a payment.
CREATE TRIGGER guest_order_ends AFTER UPDATE OF status ON orders
WHEN NEW.guest = 1 AND OLD.status = 'open' AND NEW.status <> 'open'
BEGIN
  UPDATE guests_open SET n = n - 1;
END;

-- Continues Pay in paymentchanges.go, by payment_is_paid. A paid order takes no place of the hour.
CREATE TRIGGER guest_order_paid AFTER UPDATE OF status ON orders
WHEN NEW.guest = 1 AND OLD.status = 'open' AND NEW.status = 'paid'
BEGIN
  UPDATE guests_by_hour SET n = n - 1 WHERE hour = OLD.created_at / 3600000 AND network IN ('', OLD.network);
END;

-- An operator deleted an open order by hand: for the bounds in bounds.go.
CREATE TRIGGER guest_order_is_deleted AFTER DELETE ON orders WHEN OLD.guest = 1 AND OLD.status = 'open'
BEGIN
  UPDATE guests_open SET n = n - 1;
END;

-- The size of the database as the timer last saw it, in bytes. No row: not known.
CREATE TABLE database_size (
  one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  used     INTEGER NOT NULL,
  capacity INTEGER NOT NULL CHECK (capacity > 0)
) STRICT;

-- ---------------------------------------------------------------------------
-- Refunds
-- ---------------------------------------------------------------------------

-- A refund returns money of one payment. It keeps every parameter of its call, as a
-- payment does; the columns up to created_at are never updated. Only
-- internal/order/refundstatus.go says which status may follow which.
CREATE TABLE refunds (
  id         TEXT    NOT NULL PRIMARY KEY, -- out_refund_no, the number WeChat knows
  order_id   TEXT    NOT NULL,
  out_trade_no TEXT  NOT NULL,             -- the payment
  refund_key TEXT,                         -- makes a repeated request the same refund of the order; NULL for a refund made elsewhere
  fingerprint TEXT   NOT NULL DEFAULT '',  -- of the request of a back end
  api_version TEXT   NOT NULL CHECK (api_version IN ('v2', 'v3')), -- that of the payment
  amount     INTEGER NOT NULL CHECK (amount > 0),
  reason     TEXT    NOT NULL, -- the payer reads it
  notify_url TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  status     TEXT    NOT NULL,
  refund_id  TEXT,        -- WeChat's number, once WeChat is known to have accepted the refund
  accepted_at INTEGER,    -- when that became known
  -- 1: the money comes from the available balance (refund_account). It is stored before the
  -- call that sends it, and may change while the refund is created.
  from_balance INTEGER NOT NULL DEFAULT 0 CHECK (from_balance IN (0, 1)),
  failure      TEXT, -- WeChat's code when it last declined the refund
  failure_text TEXT, -- WeChat's text for it
  -- 1: WeChat declined it for a reason that a retry does not repair. The operator has to act.
  stuck      INTEGER NOT NULL DEFAULT 0 CHECK (stuck IN (0, 1)),
  queried_at INTEGER,     -- when WeChat was last sent the refund, or queried about it
  ended_at   INTEGER,
  billed     TEXT,        -- the day of the bill that holds the refund, where it differs from the day of accepted_at
  updated_at INTEGER NOT NULL,
  UNIQUE (order_id, refund_key),
  CHECK ((refund_id IS NULL) = (accepted_at IS NULL)),
  CHECK (stuck = 0 OR status = 'created'),
  CHECK (status IN ('created', 'failed') OR refund_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

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
CREATE TRIGGER refund_begins AFTER INSERT ON refunds WHEN NEW.status <> 'closed'
BEGIN
  UPDATE orders SET status = 'refunding', updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND status = 'paid';
END;

-- Continues MoveRefund and FailRefund in refunds.go.
CREATE TRIGGER refund_goes_on AFTER UPDATE OF status ON refunds WHEN NEW.status <> OLD.status
BEGIN
  UPDATE payments SET refunded = refunded + NEW.amount, updated_at = MAX(updated_at, NEW.updated_at)
  WHERE out_trade_no = NEW.out_trade_no AND NEW.status = 'succeeded';
  UPDATE orders SET refunded = refunded + NEW.amount, updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND NEW.status = 'succeeded';
  UPDATE orders SET status = 'refunding', updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND status = 'paid' AND NEW.status IN ('processing', 'abnormal');
  UPDATE orders SET status = IIF(refunded = total, 'refunded', 'paid'), updated_at = MAX(updated_at, NEW.updated_at)
  WHERE id = NEW.order_id AND paid_by = NEW.out_trade_no AND status = 'refunding'
  AND NOT EXISTS (SELECT 1 FROM refunds WHERE order_id = NEW.order_id AND out_trade_no = NEW.out_trade_no AND status IN ('created', 'processing', 'abnormal'));
END;

-- Continues DeleteOld in retention.go. Only a paid order has refunds. Its link goes on
-- counting it.
CREATE TRIGGER paid_order_is_deleted AFTER DELETE ON orders WHEN OLD.paid_by IS NOT NULL
BEGIN
  DELETE FROM refunds WHERE order_id = OLD.id;
  UPDATE links SET deleted = deleted + 1, deleted_amount = deleted_amount + OLD.total WHERE id = OLD.link_id;
END;

-- ---------------------------------------------------------------------------
-- Events: the outbox
-- ---------------------------------------------------------------------------

-- Triggers write an event in the statement that makes an order or a payment paid, or ends
-- the order: no failure can lose the event, and no second statement can double it.

-- The order as an event describes it.
CREATE VIEW order_snapshots AS
SELECT id, json_object(
  'id', id, 'reference', reference, 'source', source, 'link_id', link_id, 'status', status, 'items', json(items), 'description', description,
  'metadata', json(metadata), 'total', total, 'currency', currency, 'refunded', refunded, 'created_at', created_at, 'expires_at', expires_at) AS data
FROM orders;

-- The payment as an event describes it.
CREATE VIEW payment_snapshots AS
SELECT out_trade_no AS number, json_object(
  'out_trade_no', out_trade_no, 'transaction_id', transaction_id, 'trade_type', trade_type, 'payer', NULLIF(payer, ''), 'paid_at', paid_at,
  'api_version', api_version, 'appid', appid, 'mch_id', mch_id) AS data
FROM payments;

CREATE TABLE events (
  seq          INTEGER NOT NULL PRIMARY KEY, -- in the order of creation
  -- The receiver recognises repetitions by it. It follows from type and subject, so
  -- that a database that was restored gives an event the same id again. An
  -- out_refund_no of the merchant platform may have '|', '*' and '@', which an id
  -- does not: '~' and a letter replace them. No number of WeChat's has a '~'. An id
  -- has no '.', because '.' divides the signed content of a delivery.
  id           TEXT    NOT NULL,
  type         TEXT    NOT NULL,
  order_id     TEXT    NOT NULL,
  subject      TEXT    NOT NULL, -- the order, the payment or the refund that the event is about
  data         TEXT    NOT NULL, -- JSON; nothing of it changes, but the payer is removed after some time
  created_at   INTEGER NOT NULL,
  -- An id names its order (eventOfID in events.go), so this makes ids unique, and it finds the
  -- events of an order.
  UNIQUE (order_id, id)
) STRICT;

-- Finds the events of a time, for ReplayRange in deliveries.go.
CREATE INDEX events_by_time ON events (created_at, seq);
-- Finds the events whose payer is to be removed.
CREATE INDEX events_with_payer ON events (created_at) WHERE json_extract(data, '$.payment.payer') IS NOT NULL;

-- Where events are delivered to. The endpoint 'settings' is always here: the settings of
-- the shop have its URL and its secrets. API calls make the others, MaxEndpoints in
-- endpoints.go at most.
CREATE TABLE endpoints (
  id              TEXT    NOT NULL PRIMARY KEY,
  url             TEXT    NOT NULL DEFAULT '',
  description     TEXT    NOT NULL DEFAULT '',
  types           TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(types)), -- JSON list of the event types that it gets; empty: all
  secret          TEXT    NOT NULL DEFAULT '', -- sealed (internal/outbox/target.go)
  secret_old      TEXT,    -- sealed; the secret before, which signs too until secret_old_until
  secret_old_until INTEGER,
  -- enabled; disabled by an operator; gone: the receiver responded 410; unset: the
  -- endpoint 'settings' of a shop without WEBHOOK_URL that has other endpoints; deleted:
  -- the timer deletes its deliveries, and then the row.
  state           TEXT    NOT NULL CHECK (state IN ('enabled', 'disabled', 'gone', 'unset', 'deleted')),
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0, -- deliveries that had a result
  failures        INTEGER NOT NULL DEFAULT 0, -- those that failed since the last one that was acknowledged
  last_success_at INTEGER,
  last_failure_at INTEGER,
  last_error      TEXT,    -- of the last failure
  made_by         TEXT,    -- the API key that made it, or 'root'
  idempotency_key TEXT,    -- makes a repeated request the same endpoint
  fingerprint     TEXT,    -- of the request
  rotation        TEXT,    -- makes a repeated rotation of the secret the same rotation
  UNIQUE (made_by, idempotency_key),
  CHECK ((secret_old IS NULL) = (secret_old_until IS NULL))
) STRICT;

INSERT INTO endpoints (id, state, created_at, updated_at) VALUES ('settings', 'enabled', 0, 0);

-- The delivery of one event to one endpoint. A trigger makes it in the statement that
-- makes the event.
CREATE TABLE deliveries (
  endpoint_id  TEXT    NOT NULL,
  event_seq    INTEGER NOT NULL,
  closed       INTEGER NOT NULL, -- 1 if the event is order.closed, which anybody can make by cancelling orders
  created_at   INTEGER NOT NULL,
  status       TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
  attempts     INTEGER NOT NULL DEFAULT 0, -- all that were ever made; by this number the late result of an older try is ignored
  tries        INTEGER NOT NULL DEFAULT 0, -- those since the delivery was made, or replayed
  tried_at     INTEGER,                    -- when the last try began
  next_at      INTEGER NOT NULL,           -- of the next try, while pending
  leased_until INTEGER NOT NULL DEFAULT 0, -- until then one try is under way
  blocked      INTEGER NOT NULL DEFAULT 0, -- 1 while an earlier event of the order is pending at the endpoint; order.paid is never blocked
  delivered_at INTEGER,
  last_status  INTEGER, -- HTTP status of the last response; NULL without one
  last_error   TEXT,
  PRIMARY KEY (endpoint_id, event_seq),
  CHECK ((status = 'delivered') = (delivered_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

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
CREATE TRIGGER event_begins AFTER INSERT ON events
BEGIN
  INSERT INTO deliveries (endpoint_id, event_seq, closed, created_at, next_at)
  SELECT id, NEW.seq, IIF(NEW.type = 'order.closed', 1, 0), NEW.created_at, NEW.created_at FROM endpoints
  WHERE state IN ('enabled', 'gone') AND (types = '[]' OR EXISTS (SELECT 1 FROM json_each(types) WHERE value = NEW.type));
END;

-- An event waits until the earlier ones of its order are delivered or dead at the same
-- endpoint, but order.paid waits for nothing. The two triggers keep that rule in the
-- column blocked, so that ClaimEvents in deliveries.go reads no delivery that it cannot
-- take. An order has few events: order.paid or order.closed, sometimes both, and one for
-- each refund and each duplicate.
--
-- Continues event_begins, and Replay and ReplayRange in deliveries.go.
CREATE TRIGGER delivery_begins AFTER INSERT ON deliveries
BEGIN
  UPDATE deliveries SET blocked = 1 - blocked
  WHERE endpoint_id = NEW.endpoint_id AND status = 'pending'
  AND event_seq IN (SELECT other.seq FROM events CROSS JOIN events AS other ON other.order_id = events.order_id
    WHERE events.seq = NEW.event_seq AND other.type <> 'order.paid')
  AND blocked <> IIF(EXISTS (SELECT 1 FROM events CROSS JOIN events AS earlier ON earlier.order_id = events.order_id AND earlier.seq < deliveries.event_seq
    CROSS JOIN deliveries AS other ON other.endpoint_id = NEW.endpoint_id AND other.event_seq = earlier.seq AND other.status = 'pending'
    WHERE events.seq = NEW.event_seq), 1, 0);
END;

-- Continues Deliver, FailDelivery, Replay and ReplayRange in deliveries.go.
CREATE TRIGGER delivery_goes_on AFTER UPDATE OF status ON deliveries WHEN NEW.status <> OLD.status
BEGIN
  UPDATE deliveries SET blocked = 1 - blocked
  WHERE endpoint_id = NEW.endpoint_id AND status = 'pending'
  AND event_seq IN (SELECT other.seq FROM events CROSS JOIN events AS other ON other.order_id = events.order_id
    WHERE events.seq = NEW.event_seq AND other.type <> 'order.paid')
  AND blocked <> IIF(EXISTS (SELECT 1 FROM events CROSS JOIN events AS earlier ON earlier.order_id = events.order_id AND earlier.seq < deliveries.event_seq
    CROSS JOIN deliveries AS other ON other.endpoint_id = NEW.endpoint_id AND other.event_seq = earlier.seq AND other.status = 'pending'
    WHERE events.seq = NEW.event_seq), 1, 0);
  -- A replay opens an endpoint that was gone.
  UPDATE endpoints SET state = 'enabled', updated_at = MAX(updated_at, NEW.next_at)
  WHERE id = NEW.endpoint_id AND state = 'gone' AND NEW.status = 'pending';
END;

-- Continues Deliver and FailDelivery in deliveries.go: the result of a try.
CREATE TRIGGER delivery_was_tried AFTER UPDATE OF leased_until ON deliveries WHEN NEW.leased_until = 0 AND OLD.leased_until <> 0
BEGIN
  UPDATE endpoints SET attempts = attempts + 1,
    failures = IIF(NEW.status = 'delivered', 0, failures + 1),
    last_success_at = IIF(NEW.status = 'delivered', MAX(COALESCE(last_success_at, 0), NEW.delivered_at), last_success_at),
    last_failure_at = IIF(NEW.status = 'delivered', last_failure_at, MAX(COALESCE(last_failure_at, 0), NEW.tried_at)),
    last_error = IIF(NEW.status = 'delivered', last_error, NEW.last_error),
    state = IIF(state = 'enabled' AND NEW.last_error = 'HTTP 410 Gone', 'gone', state)
  WHERE id = NEW.endpoint_id;
END;

-- Continues order_is_deleted, and DeleteUnpaid and DeleteOld in retention.go.
CREATE TRIGGER event_is_deleted AFTER DELETE ON events
BEGIN
  DELETE FROM deliveries WHERE endpoint_id IN (SELECT id FROM endpoints) AND event_seq = OLD.seq;
END;

-- Continues ErasePerson in persons.go.
CREATE TRIGGER erase_owner AFTER UPDATE OF owner ON orders WHEN NEW.owner <> OLD.owner
BEGIN
  UPDATE payments SET openid = '', client_ip = '', payer = IIF(transaction_id IS NOT NULL AND COALESCE(payer, OLD.owner) = OLD.owner, '', payer)
  WHERE order_id = NEW.id;
END;

-- Continues ErasePerson in persons.go.
CREATE TRIGGER erase_payer AFTER UPDATE OF payer ON payments WHEN NEW.payer = '' AND OLD.payer <> ''
BEGIN
  UPDATE events SET data = json_set(data, '$.payment.payer', NULL)
  WHERE order_id = NEW.order_id AND json_extract(data, '$.payment.out_trade_no') = NEW.out_trade_no AND json_extract(data, '$.payment.payer') IS NOT NULL;
END;

-- Continues BeginCloseAll and Expire in orderchanges.go, CloseWhole in whole.go, and payment_ends.
-- Anybody can make an order of the shop or of a link. It makes no event if nobody ever
-- got payment parameters of it.
CREATE TRIGGER event_order_closed AFTER UPDATE OF status ON orders WHEN NEW.status = 'closed' AND OLD.status <> 'closed'
BEGIN
  INSERT INTO events (id, type, order_id, subject, data, created_at)
  SELECT 'evt_closed_' || id, 'order.closed', id, id, json_object('order', json(data)), NEW.updated_at
  FROM order_snapshots
  WHERE id = NEW.id AND (NEW.source = 'api' OR EXISTS (SELECT 1 FROM payments WHERE order_id = NEW.id AND prepay_id IS NOT NULL))
  ON CONFLICT (order_id, id) DO NOTHING;
END;

-- Continues MoveRefund in refunds.go. The trigger refund_goes_on may run before this one
-- or after it, so the refunded sum and the status are computed here. The refund of a
-- duplicate makes no event, because payment.duplicate has reported it.
CREATE TRIGGER event_order_refunded AFTER UPDATE OF status ON refunds
WHEN NEW.status = 'succeeded' AND OLD.status <> 'succeeded'
BEGIN
  INSERT INTO events (id, type, order_id, subject, data, created_at)
  SELECT 'evt_refunded_' || replace(replace(replace(NEW.id, '|', '~p'), '*', '~s'), '@', '~a'), 'order.refunded', orders.id, NEW.id, json_object(
      'order', json_set(order_snapshots.data, '$.refunded', back, '$.status', CASE WHEN back = total THEN 'refunded'
        WHEN EXISTS (SELECT 1 FROM refunds WHERE order_id = NEW.order_id AND out_trade_no = NEW.out_trade_no AND id <> NEW.id
          AND status IN ('created', 'processing', 'abnormal')) THEN 'refunding' ELSE 'paid' END),
      'payment', json(payment_snapshots.data),
      'refund', json_object('id', NEW.id, 'refund_id', NEW.refund_id, 'amount', NEW.amount, 'reason', NEW.reason,
        'created_at', NEW.created_at, 'ended_at', NEW.ended_at)),
    MAX(updated_at, NEW.updated_at)
  FROM orders
  JOIN order_snapshots ON order_snapshots.id = orders.id JOIN payment_snapshots ON number = paid_by
  JOIN (SELECT order_id, SUM(amount) AS back FROM refunds WHERE order_id = NEW.order_id AND out_trade_no = NEW.out_trade_no AND status = 'succeeded' GROUP BY order_id) ON order_id = orders.id
  WHERE orders.id = NEW.order_id AND paid_by = NEW.out_trade_no
  ON CONFLICT (order_id, id) DO NOTHING;
END;

-- ---------------------------------------------------------------------------
-- Takings
-- ---------------------------------------------------------------------------

-- The payments and refunds of an hour. So the sums of a month cost one row an hour,
-- whatever the number of orders is. A payment counts in the hour of WeChat's time, or of
-- its settlement if WeChat did not report the time.
CREATE TABLE takings (
  hour     INTEGER NOT NULL PRIMARY KEY, -- since 1970, UTC
  payments INTEGER NOT NULL DEFAULT 0,
  paid     INTEGER NOT NULL DEFAULT 0, -- fen
  refunds  INTEGER NOT NULL DEFAULT 0,
  refunded INTEGER NOT NULL DEFAULT 0  -- fen
) STRICT;

-- Continues Pay in paymentchanges.go.
CREATE TRIGGER takings_of_payment AFTER UPDATE OF transaction_id ON payments
WHEN OLD.transaction_id IS NULL AND NEW.transaction_id IS NOT NULL
BEGIN
  INSERT INTO takings (hour, payments, paid) VALUES (COALESCE(NEW.paid_at, NEW.settled_at) / 3600000, 1, NEW.total)
  ON CONFLICT (hour) DO UPDATE SET payments = takings.payments + 1, paid = takings.paid + excluded.paid;
END;

-- Continues MoveRefund in refunds.go.
CREATE TRIGGER takings_of_refund AFTER UPDATE OF status ON refunds
WHEN NEW.status = 'succeeded' AND OLD.status <> 'succeeded'
BEGIN
  INSERT INTO takings (hour, refunds, refunded) VALUES (COALESCE(NEW.ended_at, NEW.updated_at) / 3600000, 1, NEW.amount)
  ON CONFLICT (hour) DO UPDATE SET refunds = takings.refunds + 1, refunded = takings.refunded + excluded.refunded;
END;

-- ---------------------------------------------------------------------------
-- Bills
-- ---------------------------------------------------------------------------

-- The daily comparison of payments and refunds with WeChat's bill. Days are
-- Beijing's: "2026-03-01".
CREATE TABLE bill_checks (
  date         TEXT    NOT NULL PRIMARY KEY,
  status       TEXT    NOT NULL CHECK (status IN ('waiting', 'agrees', 'differs', 'failed')),
  payments     INTEGER NOT NULL DEFAULT 0, -- in the bill
  refunds      INTEGER NOT NULL DEFAULT 0,
  checked_at   INTEGER,
  result       TEXT,             -- the run that found the differences; NULL until a run has ended
  run          TEXT    NOT NULL, -- the one under way, or the last one
  leased_until INTEGER NOT NULL, -- until then the run is under way
  compared     INTEGER NOT NULL DEFAULT 0, -- rows of the bill that the run under way has compared, of a bill of several pages
  rows_of_bill INTEGER NOT NULL DEFAULT 0, -- how many the bill has; 0 until it was fetched
  next_at      INTEGER NOT NULL, -- of the next try, while there is no result, or funds is 'pending'
  -- What the payments and refunds come to by the trade bill, in fen. 0 until there is a result.
  income       INTEGER NOT NULL DEFAULT 0,
  refunded     INTEGER NOT NULL DEFAULT 0,
  fees         INTEGER NOT NULL DEFAULT 0,
  settlement   INTEGER NOT NULL DEFAULT 0 CHECK (settlement = income - refunded - fees),
  -- The same by the fund-flow bill, and the other movements of the account. NULL unless it was read.
  funds            TEXT NOT NULL DEFAULT 'none' CHECK (funds IN ('none', 'pending', 'read')), -- none: the shop's API version has no such bill
  funds_income     INTEGER,
  funds_refunded   INTEGER,
  funds_fees       INTEGER,
  funds_settlement INTEGER CHECK (funds_settlement = funds_income - funds_refunded - funds_fees),
  funds_other      INTEGER,
  funds_balance    INTEGER,
  CHECK ((status IN ('agrees', 'differs')) = (result IS NOT NULL)),
  CHECK (funds <> 'read' OR funds_balance IS NOT NULL)
) STRICT;

-- The differences that a run found. Only those of the check's result count.
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

-- ---------------------------------------------------------------------------
-- Sign-ins
-- ---------------------------------------------------------------------------

-- The states of finished sign-ins, kept until they would have expired anyway. The time of a
-- state follows from the state, so that a state has one row.
CREATE TABLE used_states (
  expires_at INTEGER NOT NULL,
  state      TEXT    NOT NULL,
  PRIMARY KEY (expires_at, state)
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------------------
-- Operating. But for switches no order depends on any of it.
-- ---------------------------------------------------------------------------

-- The switches of the operator. 'selling': 0 while no order is taken.
CREATE TABLE switches (
  name  TEXT    NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL CHECK (value IN (0, 1)),
  at    INTEGER NOT NULL -- when it was last changed
) STRICT;

-- WeChat's platform certificates, with which a shop in certificate mode verifies
-- messages of APIv3. WeChat has about two at a time (internal/certificate).
CREATE TABLE wechat_certificates (
  serial     TEXT    NOT NULL PRIMARY KEY, -- upper-case hex digits
  pem        TEXT    NOT NULL,
  not_before INTEGER NOT NULL,
  not_after  INTEGER NOT NULL,
  fetched_at INTEGER NOT NULL -- when WeChat last had it in its list
) STRICT;

-- When a timer last completed. 'certificates': when a download of the platform
-- certificates was last begun. 'checks': when the checks that make calls last ran.
CREATE TABLE timers (
  name    TEXT    NOT NULL PRIMARY KEY,
  at      INTEGER NOT NULL,
  queried INTEGER NOT NULL DEFAULT 0, -- 'reconcile': payments about which it queried WeChat
  failed  INTEGER NOT NULL DEFAULT 0  -- 'reconcile': those queries that failed
) STRICT;

-- Counts of things that no other table stores (Count in counters.go). Counters computes the
-- others from orders, payments, refunds and events.
CREATE TABLE counters (
  name TEXT    NOT NULL PRIMARY KEY,
  n    INTEGER NOT NULL
) STRICT;

-- ---------------------------------------------------------------------------
-- The API for back ends
-- ---------------------------------------------------------------------------

-- The API keys. Only the hash of the secret is stored.
CREATE TABLE keys (
  id              TEXT    NOT NULL PRIMARY KEY,
  hash            TEXT    NOT NULL, -- SHA-256 in hex
  name            TEXT    NOT NULL,
  scopes          TEXT    NOT NULL, -- separated by spaces
  created_at      INTEGER NOT NULL,
  last_used_at    INTEGER, -- exact to an hour
  expires_at      INTEGER,
  revoked_at      INTEGER,
  made_by         TEXT    NOT NULL, -- the key that made this one, or 'root'
  idempotency_key TEXT    NOT NULL, -- makes a repeated request the same key
  fingerprint     TEXT    NOT NULL, -- of the request
  -- How often every session of the console under this key was ended. A session is valid
  -- while the number is the same as at its beginning.
  sign_outs       INTEGER NOT NULL DEFAULT 0,
  UNIQUE (made_by, idempotency_key),
  CHECK (expires_at > created_at),
  CHECK (revoked_at >= created_at)
) STRICT;

-- Counts the keys that have not ended, and finds those that ended long ago (keys.go).
CREATE INDEX keys_by_end ON keys (MIN(COALESCE(revoked_at, 9007199254740991), COALESCE(expires_at, 9007199254740991)));

-- Continues Reconciled in health.go: keys that ended 90 days ago (KeepEndedKeys) are
-- deleted, 100 a minute. A trigger costs the timer no statement.
CREATE TRIGGER timer_ends AFTER UPDATE OF at ON timers WHEN NEW.name = 'reconcile'
BEGIN
  DELETE FROM keys WHERE id IN (
    SELECT id FROM keys WHERE MIN(COALESCE(revoked_at, 9007199254740991), COALESCE(expires_at, 9007199254740991)) <= NEW.at - 7776000000
    ORDER BY MIN(COALESCE(revoked_at, 9007199254740991), COALESCE(expires_at, 9007199254740991)) LIMIT 100);
END;

-- The last messages at the notify URLs: 400 that are WeChat's and 100 that are not. So
-- strangers displace no message of WeChat's.
CREATE TABLE notifications (
  verified      INTEGER NOT NULL CHECK (verified IN (0, 1)),
  n             INTEGER NOT NULL, -- in the order of arrival
  at            INTEGER NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind IN ('payment', 'refund', 'echo')),
  version       TEXT    NOT NULL, -- of WeChat's API
  verdict       TEXT    NOT NULL,
  reason        TEXT    NOT NULL,
  out_trade_no  TEXT    NOT NULL,
  out_refund_no TEXT    NOT NULL,
  request_id    TEXT    NOT NULL,
  more          INTEGER NOT NULL, -- messages since the one before that have no row
  PRIMARY KEY (verified, n)
) STRICT, WITHOUT ROWID;

-- Continues InsertNotification in notifications.go.
CREATE TRIGGER notification_is_stored AFTER INSERT ON notifications
BEGIN
  DELETE FROM notifications WHERE verified = NEW.verified AND n <= NEW.n - IIF(NEW.verified = 1, 400, 100);
END;

-- ---------------------------------------------------------------------------
-- The audit list
-- ---------------------------------------------------------------------------

-- Who changed what by a call of /v1. The hash of an entry covers the hash of the entry
-- before (internal/order/audit.go).
CREATE TABLE audit (
  seq        INTEGER NOT NULL PRIMARY KEY, -- without gaps
  id         TEXT    NOT NULL UNIQUE, -- of the call
  intent     TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  key_id     TEXT    NOT NULL,
  key_name   TEXT    NOT NULL,
  action     TEXT    NOT NULL,
  object     TEXT    NOT NULL,
  before     TEXT    NOT NULL, -- JSON, or ''
  after      TEXT    NOT NULL, -- JSON, or ''
  unknown    INTEGER NOT NULL CHECK (unknown IN (0, 1)), -- 1: the call did not report how it ended
  request_id TEXT    NOT NULL,
  hash       TEXT    NOT NULL
) STRICT;

-- The calls that are under way, or that died.
CREATE TABLE audit_intents (
  intent     TEXT    NOT NULL PRIMARY KEY,
  id         TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  key_id     TEXT    NOT NULL,
  key_name   TEXT    NOT NULL,
  action     TEXT    NOT NULL,
  object     TEXT    NOT NULL,
  before     TEXT    NOT NULL,
  request_id TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_intents_by_time ON audit_intents (at);

-- Continues Audit in audit.go.
CREATE TRIGGER audit_entry_ends_intent AFTER INSERT ON audit
BEGIN
  DELETE FROM audit_intents WHERE intent = NEW.intent;
END;

-- Continues Audit in audit.go: an appended entry cannot be changed.
CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit list is append-only');
END;

-- Continues Audit in audit.go: an appended entry cannot be deleted.
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit list is append-only');
END;

-- ---------------------------------------------------------------------------
-- Refunds that need a second person
-- ---------------------------------------------------------------------------

-- A request becomes a refund when another API key than its own confirms it. The refund's key
-- follows from the id, so that a request makes one refund.
CREATE TABLE refund_requests (
  id           TEXT    NOT NULL PRIMARY KEY,
  order_id     TEXT    NOT NULL,
  out_trade_no TEXT    NOT NULL, -- '' for the payment that pays the order
  amount       INTEGER NOT NULL CHECK (amount > 0),
  reason       TEXT    NOT NULL,
  from_balance INTEGER NOT NULL CHECK (from_balance IN (0, 1)),
  key_id       TEXT    NOT NULL, -- of the operator who requested it
  key_name     TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  status       TEXT    NOT NULL CHECK (status IN ('waiting', 'confirmed', 'declined')),
  decided_by   TEXT, -- the API key of the operator who decided
  decided_name TEXT,
  decided_at   INTEGER,
  CHECK ((decided_by IS NULL) = (status = 'waiting')),
  CHECK (status <> 'confirmed' OR decided_by <> key_id)
) STRICT;

CREATE UNIQUE INDEX waiting_refund_request_of_order ON refund_requests (order_id) WHERE status = 'waiting';
CREATE INDEX waiting_refund_requests ON refund_requests (created_at, id) WHERE status = 'waiting';

-- ---------------------------------------------------------------------------
-- Photos of products
-- ---------------------------------------------------------------------------

-- Pictures that the console stored, at /photos/ and the hash. Products name them in image.
CREATE TABLE product_photos (
  hash TEXT    NOT NULL PRIMARY KEY, -- 32 hex digits of the SHA-256
  type TEXT    NOT NULL, -- "image/jpeg"
  data TEXT    NOT NULL, -- base64
  at   INTEGER NOT NULL
) STRICT;

-- Continues InsertPhoto in photos.go: deletes pictures that no product has shown for a
-- day.
CREATE TRIGGER photo_is_stored AFTER INSERT ON product_photos
BEGIN
  DELETE FROM product_photos WHERE at < NEW.at - 86400000 AND '/photos/' || hash NOT IN (SELECT image FROM products);
END;
