// A back end in TypeScript that uses the client which openapi-fetch makes of the shop's
// OpenAPI document. It prints what it saw as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

const baseUrl = process.env.SHOP!;

function client(token: string) {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

const header = (key: string) => ({ "Idempotency-Key": key });

// must returns the data of a call that has to succeed.
function must<T>(result: { data?: T; error?: components["schemas"]["Error"]; response: Response }): T {
  if (result.error || result.data === undefined) {
    throw new Error(`${result.response.url}: ${result.response.status} ${JSON.stringify(result.error)}`);
  }
  return result.data;
}

const root = client(process.env.ROOT_TOKEN!);
const request: components["schemas"]["CreateKey"] = { name: "typescript", scopes: ["read", "write"] };
const made = must(await root.POST("/v1/keys", { body: request, params: { header: header("first") } }));
const again = must(await root.POST("/v1/keys", { body: request, params: { header: header("first") } }));
if (!made.key || made.key !== again.key) throw new Error("a repeated call made another key");

const shop = client(made.key);
const product = must(
  await shop.PUT("/v1/products/{id}", { params: { path: { id: "pu-er" } }, body: { name: "普洱", price: 9900, position: -1 } }),
);
const names = must(await shop.GET("/v1/products")).products.map((p) => p.name);
const events = must(await shop.GET("/v1/events", { params: { query: { order: "oldest", limit: 5 } } })).events.length;

const order = must(
  await shop.POST("/v1/orders", {
    params: { header: header("order") },
    body: { lines: [{ product_id: "pu-er", quantity: 2 }], reference: "A-1042", metadata: { table: "7" }, trade_types: ["NATIVE"] },
  }),
);
const conflict = await shop.POST("/v1/orders", {
  params: { header: header("another") },
  body: { amount: 1, description: "茶", reference: "A-1042" },
});
const found = must(await shop.GET("/v1/orders", { params: { query: { metadata: "table:7", limit: 1 } } })).orders;
const closed = must(await shop.POST("/v1/orders/{id}/close", { params: { path: { id: order.id } } }));
const unpaid = await shop.POST("/v1/orders/{id}/refunds", { params: { path: { id: order.id }, header: header("refund") }, body: {} });

const wrong = await shop.PUT("/v1/products/{id}", { params: { path: { id: "pu-er" } }, body: { name: "", price: 0 } });
const forbidden = await shop.GET("/v1/keys");
const revoked = must(await root.DELETE("/v1/keys/{id}", { params: { path: { id: made.id } } }));
const after = await shop.GET("/v1/products");

console.log(
  JSON.stringify({
    price: product.price,
    first: names[0],
    events,
    order: [order.status, order.amount, order.url?.includes("/o/"), order.lines?.[0]?.name],
    conflict: [conflict.error?.code, conflict.error?.order_id === order.id],
    found: found.map((o) => o.id === order.id),
    closed: [closed.status, closed.steps?.map((step) => step.status)],
    unpaid: [unpaid.response.status, unpaid.error?.code],
    wrong: [wrong.response.status, wrong.error?.code, wrong.error?.field],
    forbidden: [forbidden.response.status, forbidden.error?.code],
    revoked: revoked.revoked_at !== undefined,
    after: [after.response.status, after.error?.code],
  }),
);
