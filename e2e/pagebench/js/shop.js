// The start page by hand: steppers, basket, total and checkout over the same calls. It has no
// framework, no sign-in and one language, so it is a floor for any start page.
"use strict";
const { config, products } = JSON.parse(document.getElementById("data").textContent);
const maxQuantity = 99;
const maxItems = 20;
const yuan = (fen) => `${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
const find = (selector, within = document) => within.querySelector(selector);

let basket = {};
try {
  basket = JSON.parse(sessionStorage.getItem("js.basket")) ?? {};
} catch {} // storage is blocked
let ordering = false;

const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const counter = (n) => make("output", { textContent: n });
const removeButton = () => {
  const button = make("button", { type: "button", className: "step remove", textContent: "−", ariaLabel: "减一件" });
  button.dataset.action = "remove";
  return button;
};

const draw = () => {
  let total = 0;
  let count = 0;
  for (const { id, price, amount } of products) {
    const n = basket[id] ?? 0;
    const card = find(`[data-product="${CSS.escape(id)}"]`);
    if (amount || !card) continue;
    total += price * n;
    count += n;
    const [add, ...others] = find(".stepper", card).children;
    if (n === 0) for (const element of others) element.remove();
    else if (others.length > 0) others[0].textContent = n;
    else add.after(counter(n), removeButton());
    add.disabled = n >= maxQuantity || (n === 0 && Object.keys(basket).length >= maxItems);
  }
  const bag = find(".bag");
  bag.disabled = count === 0;
  bag.setAttribute("aria-label", `购物车 ${count}`);
  const sum = find(".total");
  sum.textContent = count ? `合计 ¥${yuan(total)}` : "请选择商品";
  const pay = find('[data-action="checkout"]');
  pay.disabled = count === 0 || ordering;
  pay.textContent = ordering ? "正在下单" : count ? `去支付 (${count})` : "去支付";
  return total;
};

const change = (id, by) => {
  basket[id] = Math.min(Math.max((basket[id] ?? 0) + by, 0), maxQuantity);
  if (basket[id] === 0) delete basket[id];
  try {
    sessionStorage.setItem("js.basket", JSON.stringify(basket));
  } catch {}
  draw();
};

const post = async (path, body) => {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const result = await response.json();
  if (!response.ok) throw new Error(result.message);
  return result;
};

const checkout = async () => {
  ordering = true;
  const total = draw();
  const items = Object.entries(basket).map(([product_id, quantity]) => ({ product_id, quantity }));
  try {
    await post("/api/session", {});
    const order = await post("/api/orders", { items, client_key: crypto.randomUUID(), total });
    location.assign(`/pay?order=${order.id}`);
  } catch (err) {
    ordering = false;
    draw();
    find(".total").textContent = err.message;
  }
};

document.title = config.shop_name;
document.addEventListener("click", ({ target }) => {
  const { action } = target.dataset;
  const id = target.closest("[data-product]")?.dataset.product;
  if (action === "add") change(id, 1);
  else if (action === "remove") change(id, -1);
  else if (action === "checkout") checkout();
});
draw();
