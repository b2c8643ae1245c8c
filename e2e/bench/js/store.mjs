// Products and orders in D1: the schema of internal/store/migrations and the
// statements of internal/store. Every change of an order is one conditional
// statement and tells whether it happened.

const selectOrders = `SELECT id, out_trade_no, owner, client_key, fingerprint, appid, mch_id, trade_type, items,
	total, currency, body, client_ip, notify_url, created_at, expires_at, status,
	COALESCE(prepay_id, '') AS prepay_id, COALESCE(prepay_at, 0) AS prepay_at, COALESCE(sign_type, '') AS sign_type,
	COALESCE(failure, '') AS failure, COALESCE(queried_at, 0) AS queried_at,
	COALESCE(transaction_id, '') AS transaction_id, COALESCE(paid_at, 0) AS paid_at, updated_at
	FROM orders `;

const minute = 60_000; // ms

export class Store {
  #db;

  constructor(db) {
    this.#db = db;
  }

  // productsOf returns those of the basket's products that are for sale.
  async productsOf(basket) {
    const marks = Array(basket.size).fill("?").join(", ");
    const select = `SELECT id, name, detail, image, price FROM products WHERE for_sale = 1 AND id IN (${marks})`;
    return (await this.#db.prepare(select).bind(...basket.keys()).all()).results;
  }

  // selling tells whether the shop sells.
  async selling() {
    return (await this.#db.prepare(`SELECT COALESCE(MAX(value), 1) AS selling FROM switches WHERE name = 'selling'`).first()).selling === 1;
  }

  // insert stores a new order. When its owner has used its client_key before,
  // the order of that time is returned and nothing is stored.
  async insert(o) {
    const changes = await this.#run(
      `INSERT INTO orders (id, out_trade_no, owner, guest, client_key, fingerprint, appid, mch_id, trade_type, items,
			total, currency, shop_name, body, client_ip, notify_url, created_at, expires_at, status, updated_at, due_at, simulated)
		VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (owner, client_key) DO NOTHING`,
      [o.id, o.out_trade_no, o.owner, o.client_key, o.fingerprint, o.appid, o.mch_id, o.trade_type, JSON.stringify(o.items),
        o.total, o.currency, o.body, o.client_ip, o.notify_url, o.created_at, o.expires_at, "created", o.created_at,
        o.created_at + minute, o.simulated],
    );
    if (changes === 0) return this.byClientKey(o.owner, o.client_key);
    return { ...o, status: "created", updated_at: o.created_at };
  }

  // get returns an order to its owner, and null to everybody else.
  get(id, owner) {
    return this.#one(`WHERE id = ? AND owner = ?`, id, owner);
  }

  byOutTradeNo(outTradeNo) {
    return this.#one(`WHERE out_trade_no = ?`, outTradeNo);
  }

  byClientKey(owner, key) {
    return this.#one(`WHERE owner = ? AND client_key = ?`, owner, key);
  }

  // timeline returns what an order went through, oldest first.
  async timeline(id) {
    return (await this.#db.prepare(`SELECT status, at FROM order_steps WHERE order_id = ? ORDER BY rowid`).bind(id).all()).results;
  }

  // setPrepay stores a prepay_id: created or pending -> pending.
  setPrepay(id, prepayID, signType, now) {
    return this.#changed(
      `UPDATE orders SET status = ?, updated_at = MAX(updated_at, ?), prepay_id = ?, prepay_at = ?, pay_url = ?, sign_type = ?, failure = NULL, asking_until = NULL WHERE id = ? AND status IN (?, ?) AND asking_until IS ?`,
      ["pending", now, prepayID, now, "", signType, id, "created", "pending", null],
    );
  }

  // fail ends an order that WeChat refused to take: created -> failed.
  fail(id, code, now) {
    return this.#changed(`UPDATE orders SET status = ?, updated_at = MAX(updated_at, ?), network = NULL, due_at = NULL, client_ip = '', failure = ? WHERE id = ? AND status IN (?)`, [
      "failed", now, code, id, "created",
    ]);
  }

  // close ends an order that can no longer be paid: created, pending or closing -> closed.
  close(id, now) {
    return this.#changed(`UPDATE orders SET status = ?, updated_at = MAX(updated_at, ?), network = NULL, due_at = NULL, client_ip = '' WHERE id = ? AND status IN (?, ?, ?)`, [
      "closed", now, id, "created", "pending", "closing",
    ]);
  }

  // pay marks an order paid, unless the transaction has paid another one. A late
  // payment of a closed or refused order is money all the same.
  pay(id, { transactionID, paidAt, payer, source, simulated }, now) {
    return this.#changed(
      `UPDATE orders SET status = ?, updated_at = MAX(updated_at, ?), network = NULL, due_at = NULL, client_ip = '', transaction_id = ?, paid_at = ?, payer = IIF(owner LIKE 'erased:%', '', NULLIF(?, '')), settled_by = ?, settled_at = MAX(updated_at, ?), simulated = MAX(simulated, ?) WHERE id = ? AND status IN (?, ?, ?, ?, ?, ?) AND transaction_id IS NULL AND NOT EXISTS (SELECT 1 FROM orders AS other WHERE other.transaction_id = ?)`,
      ["paid", now, transactionID, paidAt, payer, source, now, simulated, id, "created", "pending", "closing", "closed", "failed", "refunding", transactionID],
    );
  }

  // claimQuery tells whether the caller is the one to ask WeChat about an unpaid
  // order now, once in window ms.
  claimQuery(id, window, now) {
    return this.#changed(
      `UPDATE orders SET queried_at = ?1, due_at = CAST(MAX(IIF(status = 'closing', created_at + ?4, 0),
			MIN(?1 + MAX(?2, (?1 - IIF(status = 'closing', updated_at, created_at)) / 2), MAX(expires_at + ?3, ?1 + MAX(?2, MIN(?5, (?1 - expires_at) / 2))))) AS INTEGER)
		WHERE id = ?6 AND status IN ('created', 'pending', 'closing') AND (queried_at IS NULL OR queried_at <= ?7)`,
      [now, minute, minute, 5 * minute + 15000, 360 * minute, id, now - window],
    );
  }

  // claimTold tells whether the caller is the one to query WeChat about an unpaid
  // order whose payment a notification tells of, once in window ms. It writes
  // nothing when the order differs from the notification.
  claimTold({ outTradeNo, appid, mchID, totalFee, currency }, window, now) {
    return this.#changed(
      `UPDATE orders SET told_at = ?, queried_at = ?
		WHERE out_trade_no = ? AND transaction_id IS NULL AND appid = ? AND mch_id = ? AND total = ? AND currency = ?
		AND (told_at IS NULL OR told_at <= ?)`,
      [now, now, outTradeNo, appid, mchID, totalFee, currency, now - window],
    );
  }

  // noteFailure stores why WeChat refused an unpaid order that stays as it is.
  noteFailure(id, code, now) {
    return this.#run(`UPDATE orders SET failure = ?, updated_at = MAX(updated_at, ?) WHERE id = ? AND status IN (?, ?)`, [
      code, now, id, "created", "pending",
    ]);
  }

  async #one(where, ...values) {
    const order = await this.#db.prepare(selectOrders + where).bind(...values).first();
    if (order) order.items = JSON.parse(order.items);
    return order;
  }

  async #changed(update, values) {
    return (await this.#run(update, values)) > 0; // D1 counts what triggers write too
  }

  async #run(statement, values) {
    return (await this.#db.prepare(statement).bind(...values).run()).meta.changes;
  }
}
