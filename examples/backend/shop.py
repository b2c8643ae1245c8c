"""A tiny shop: it makes orders through h5pay's API, sends the customer to their URL, learns of
payments by a webhook, and refunds by API. docs/backend.md explains it. It needs the standard
library alone, and keeps its orders in a database of SQLite.

  H5PAY_URL=http://localhost:8802 H5PAY_KEY=h5pay_... WEBHOOK_SECRET=whsec_... python3 shop.py
"""
import base64, hmac, json, os, re, secrets, sqlite3, sys, tempfile, time, urllib.error, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

H5PAY_URL, H5PAY_KEY, SECRET = (os.environ.get(name, "") for name in ("H5PAY_URL", "H5PAY_KEY", "WEBHOOK_SECRET"))
OPERATOR_TOKEN, PUBLIC_URL = os.environ.get("OPERATOR_TOKEN", ""), os.environ.get("PUBLIC_URL", "")
PRICE = 6800  # fen
DATABASE = os.path.join(tempfile.gettempdir(), "h5pay-sample.db")


def sql(statement, *values):
    """Runs a statement in a transaction. Returns the rows and how many have changed."""
    db = sqlite3.connect(DATABASE, timeout=10)
    try:
        with db:
            cursor = db.execute(statement, values)
            return cursor.fetchall(), cursor.rowcount
    finally:
        db.close()


def buy():
    reference = secrets.token_hex(10)
    # Before the call, because the webhook can come before the response.
    sql("INSERT INTO orders (reference, status, refunded) VALUES (?, 'new', 0)", reference)
    body = {"amount": PRICE, "description": "高山乌龙茶", "reference": reference}
    if PUBLIC_URL:
        body["return_url"] = f"{PUBLIC_URL}/orders/{reference}"
    return 303, "", {"Location": call("/v1/orders", reference, body)["url"]}


def verify(headers, body):
    """Returns the event of a delivery that WEBHOOK_SECRET signed less than five minutes ago."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    name, at, signatures = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    want = b"v1," + base64.b64encode(hmac.digest(key, f"{name}.{at}.".encode() + body, "sha256"))
    if not any(hmac.compare_digest(want, signature.encode()) for signature in signatures.split(" ")):
        raise ValueError("no signature matches")
    if not re.fullmatch("[0-9]{1,12}", at) or abs(time.time() - int(at)) > 300:
        raise ValueError("it was signed at another time")
    return json.loads(body)


def handle(event):
    """Does what a verified event asks for, once, however often it comes."""
    if event["shop"] != H5PAY_URL or event.get("simulated") and os.environ.get("ACCEPT_SIMULATED") != "1":
        raise ValueError(f"the event is of another shop ({event['shop']}), or simulated")
    sold = event["data"]["order"]
    reference = sold["reference"]
    if not sql("SELECT 1 FROM orders WHERE reference = ?", reference)[0]:
        return  # another program's order
    if sold["total"] != PRICE or sold["currency"] != "CNY":
        raise ValueError(f"order {reference} has another amount")
    if event["type"] == "order.paid":  # also after order.closed: a late payment counts
        if sql("UPDATE orders SET status = 'paid', id = ? WHERE reference = ? AND status <> 'paid'", sold["id"], reference)[1] == 1:
            print("ship order", reference, flush=True)  # in a real shop: in the transaction that marks the order as paid
    elif event["type"] == "order.closed":
        sql("UPDATE orders SET status = 'closed' WHERE reference = ? AND status = 'new'", reference)
    elif event["type"] == "order.refunded":
        sql("UPDATE orders SET refunded = MAX(refunded, ?) WHERE reference = ?", sold["refunded"], reference)


def receive(headers, body):
    try:
        handle(verify(headers, body))  # the received bytes, before a parser changes them
        return 204, ""
    except (ValueError, KeyError, TypeError) as err:
        print("webhook rejected:", err, flush=True)
        return 400, "rejected"  # h5pay sends the event again later


def refund(reference, authorization):
    if not OPERATOR_TOKEN or not hmac.compare_digest(authorization.encode(), f"Bearer {OPERATOR_TOKEN}".encode()):
        return 401, "send the operator's token"
    paid, _ = sql("SELECT id FROM orders WHERE reference = ? AND status = 'paid'", reference)
    if not paid:
        return 409, "no such paid order"
    return 200, json.dumps(call(f"/v1/orders/{paid[0][0]}/refunds", f"refund-{reference}", {"reason": "退货"}))


def call(path, idempotency_key, body):
    """Posts to h5pay. Repeats a call that got no response; the Idempotency-Key keeps it from taking effect twice."""
    headers = {"Authorization": f"Bearer {H5PAY_KEY}", "Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
    request = urllib.request.Request(H5PAY_URL + path, json.dumps(body).encode(), headers)
    for _ in range(3):
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as err:
            problem = f"{err.code} {err.read().decode(errors='replace')}"
            if err.code < 500:
                break
        except (OSError, ValueError) as err:
            problem = err
        time.sleep(1)
    raise RuntimeError(f"{path}: {problem}")


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        reference = re.fullmatch("/orders/([0-9a-f]{20})", urllib.parse.urlsplit(self.path).path)
        if self.path == "/":
            self.answer(200, '<form method="post" action="/buy"><button>高山乌龙茶 ¥68.00</button></form>', {"Content-Type": "text/html; charset=utf-8"})
        elif reference:
            rows, _ = sql("SELECT reference, status, refunded FROM orders WHERE reference = ?", reference[1])
            self.answer(200, json.dumps(dict(zip(("reference", "status", "refunded"), rows[0])) if rows else None))
        else:
            self.answer(404, "no such page")

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20))
        reference = re.fullmatch("/orders/([0-9a-f]{20})/refund", self.path)
        try:
            if self.path == "/buy":
                self.answer(*buy())
            elif self.path == "/webhook":
                self.answer(*receive(self.headers, body))
            elif reference:
                self.answer(*refund(reference[1], self.headers.get("Authorization", "")))
            else:
                self.answer(404, "no such page")
        except RuntimeError as err:
            print(err, flush=True)
            self.answer(502, "h5pay did not do it")

    def answer(self, status, body, headers={}):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    if not H5PAY_URL or not H5PAY_KEY or not re.fullmatch("whsec_[A-Za-z0-9+/]{32,86}={0,2}", SECRET):
        sys.exit("set H5PAY_URL, H5PAY_KEY and WEBHOOK_SECRET (whsec_ and the base64 of 24 to 64 bytes)")
    sql("CREATE TABLE IF NOT EXISTS orders (reference TEXT PRIMARY KEY, id TEXT, status TEXT NOT NULL, refunded INTEGER NOT NULL)")
    port = int(os.environ.get("PORT", "3000"))
    print(f"the shop is at http://localhost:{port}", flush=True)
    ThreadingHTTPServer(("localhost", port), Shop).serve_forever()
