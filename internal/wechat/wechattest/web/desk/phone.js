// The phone: a frame at 390x844 with the client's own bars around the webview.
// The page inside is of another origin; client.js in it tells the title and
// obeys "back" and "reload".

import { el, icon } from "./dom.js";

const width = 410, height = 864; // of the phone with its rim, in its own pixels

export class Phone {
  // info is what GET /control/info answered.
  constructor(info) {
    this.home = info.phone_url + "/";
    this.origin = info.phone_url;
    this.shop = info.shop_name;
    this.view = document.getElementById("view");
    this.title = document.getElementById("title");
    this.address = document.getElementById("address");
    this.buttons();
    this.fit();
    window.addEventListener("message", (event) => this.hear(event));
    const outside = document.getElementById("outside");
    if (info.shop_url) outside.href = info.shop_url;
    else outside.hidden = true;
    this.open(this.home);
  }

  buttons() {
    const button = (id, name, press) => {
      const node = document.getElementById(id);
      node.replaceChildren(icon(name));
      node.addEventListener("click", press);
      return node;
    };
    button("close", "close", () => this.close());
    button("reload", "reload", () => this.reload());
    this.back = button("back", "back", () => this.tell("back"));
    document.getElementById("radio").replaceChildren(icon("cellular"), icon("wifi"), icon("battery"));
  }

  // fit scales the phone to the height that is left, down to what can be read.
  fit() {
    const desktop = document.getElementById("desktop");
    const stage = desktop.parentElement;
    new ResizeObserver(() => {
      const scale = Math.max(0.5, Math.min(1, desktop.clientHeight / height, innerWidth * 0.36 / width));
      stage.style.setProperty("--scale", innerWidth > 820 ? scale : Math.min(1, desktop.clientHeight / height));
    }).observe(desktop);
  }

  open(url) {
    this.show("", url);
    this.frame = el("iframe", { title: "The webview", src: url, allow: "clipboard-write" });
    this.frame.addEventListener("load", () => this.loaded());
    this.view.replaceChildren(this.frame);
    this.opened = true;
  }

  // loaded asks the new page who it is. Pages of WeChat itself do not answer.
  loaded() {
    this.answered = false;
    this.tell("hello");
    setTimeout(() => {
      if (!this.answered && this.opened) this.show("微信", "a page of WeChat", false);
    }, 400);
  }

  tell(word) {
    this.frame?.contentWindow?.postMessage({ wechat: word }, this.origin);
  }

  hear(event) {
    if (event.source !== this.frame?.contentWindow || event.origin !== this.origin) return;
    if (event.data?.wechat === "close") this.close();
    if (event.data?.wechat !== "page") return;
    this.answered = true;
    this.show(String(event.data.title), String(event.data.url), Boolean(event.data.canGoBack));
  }

  show(title, url, canGoBack = false) {
    this.title.textContent = title;
    this.address.textContent = url;
    this.address.title = url;
    this.back.hidden = !canGoBack;
  }

  reload() {
    if (!this.opened) this.open(this.home);
    else if (this.answered) this.tell("reload");
    else this.open(this.frame.src); // a page of WeChat: begin again
  }

  // close shows the conversation behind the webview, with the link to open it
  // anew, as the person with the phone would.
  close() {
    this.opened = false;
    this.frame = undefined;
    this.show(this.shop, "closed");
    this.view.replaceChildren(el("div", { class: "chat" },
      el("div", { class: "bubble" },
        el("span", { class: "face" }, [...this.shop][0] ?? "微"),
        el("button", { type: "button", class: "card", click: () => this.open(this.home) },
          el("b", {}, this.shop),
          el("span", {}, this.home),
          el("small", {}, "Open in WeChat")))));
  }
}
