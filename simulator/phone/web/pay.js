// The phone after it scanned a code: a page of the client with the payment sheet, then
// the result.

async function payPage() {
  const main = document.getElementById("pay");
  const sheet = JSON.parse(main.dataset.sheet);
  if (sheet.state === "open") await openSheet(sheet);
  const { state } = await (await nativeFetch(`${prefix}sheets/${encodeURIComponent(sheet.id)}`, { credentials: "omit" })).json();
  const done = el("button", { type: "button", click: () => (desk ? closeWindow() : location.assign("/")) }, "完成");
  main.replaceChildren(
    el("h1", {}, { paid: "支付成功", cancelled: "支付已取消", failed: "支付失败" }[state] ?? "扫一扫"),
    el("p", {}, `¥${yuan(sheet.amount)} · ${sheet.shop}`), done);
  done.focus();
}
document.addEventListener("DOMContentLoaded", () => payPage().catch((error) => report("bridge", error.message)));
