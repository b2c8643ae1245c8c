// Where the shop is open: a phone at 390x844 or a window, with the client's own
// bars around the page. The page inside has another origin. Its client.js reports the
// title and obeys "back" and "reload".

import { act, el, icon } from "./dom.js";
import { post } from "./control.js";
import { said, t } from "./t.js";

// The devices with their rims, in their own pixels.
const sizes = { phone: { width: 410, height: 864 }, window: { width: 1080, height: 740 } };

// The appearance of the bars, and the groups of the list.
const places = {
  android: ["wechat", "group.wechat"], ios: ["wechat", "group.wechat"], windows: ["client", "group.wechat"], mac: ["client", "group.wechat"],
  work: ["wechat", "group.almost"], miniprogram: ["mini", "group.almost"], "miniprogram-ios": ["mini", "group.almost"],
  "windows-4": ["client", "group.wechat"], "mac-4": ["client", "group.wechat"], "linux-4": ["client", "group.wechat"], "mac-browser": ["client", "group.wechat"],
  harmony: ["wechat", "group.wechat"], "android-old": ["wechat", "group.wechat"],
  "miniprogram-windows": ["client", "group.almost"], "miniprogram-mac": ["client", "group.almost"],
  chrome: ["chrome", "group.browsers"], safari: ["safari", "group.browsers"], desktop: ["browser", "group.browsers"],
};

export class Phone {
  // info is the response of GET /control/info.
  constructor(info) {
    this.home = info.phone_url + "/";
    this.origin = info.phone_url;
    this.shop = info.shop_name;
    this.places = new Map(info.environments.map((place) => [place.environment, place]));
    this.stage = document.getElementById("stage");
    this.view = document.getElementById("view");
    this.title = document.getElementById("title");
    this.pill = document.getElementById("pill");
    this.address = document.getElementById("address");
    document.getElementById("tab").href = this.home;
    this.buttons();
    this.chooser(info.environments);
    const desktop = document.getElementById("desktop");
    this.desktop = desktop;
    new ResizeObserver(() => this.fit()).observe(desktop);
    window.addEventListener("message", (event) => this.hear(event));
    this.move(info.environment);
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

  chooser(environments) {
    this.select = document.getElementById("place");
    const groups = Map.groupBy(environments, (place) => places[place.environment][1]);
    this.select.replaceChildren(...[...groups].map(([label, members]) => el("optgroup", { label: t(label) },
      members.map((place) => el("option", { value: place.environment }, said(`place.${place.environment}`, place.title))))));
    this.select.addEventListener("change", () => act(this.select, () => post("environment", { environment: this.select.value })));
  }

  // move opens the shop in another place.
  move(environment) {
    this.place = this.places.get(environment);
    this.select.value = environment;
    this.stage.dataset.shape = this.place.shape;
    this.stage.dataset.frame = places[environment][0];
    this.fit();
    this.open(this.home);
  }

  // fit scales the device to the free space, down to a readable size.
  fit() {
    const { width, height } = sizes[this.place.shape];
    const wide = innerWidth > 820;
    const share = this.place.shape === "window" ? 0.47 : 0.36;
    const room = Math.min(1, this.desktop.clientHeight / height, (wide ? innerWidth * share : innerWidth - 32) / width);
    this.stage.style.setProperty("--scale", wide && this.place.shape === "phone" ? Math.max(0.5, room) : room);
    this.stage.style.setProperty("--device-width", `${width}px`);
    this.stage.style.setProperty("--device-height", `${height}px`);
  }

  open(url) {
    this.show("", url);
    this.frame = el("iframe", { title: said(`place.${this.place.environment}`, this.place.title), src: url, allow: "clipboard-write" });
    this.frame.addEventListener("load", () => this.loaded());
    this.view.replaceChildren(this.frame);
    this.opened = true;
  }

  // loaded requests the title of the new page. WeChat's own pages do not respond.
  loaded() {
    this.answered = false;
    this.tell("hello");
    setTimeout(() => {
      if (!this.answered && this.opened) this.show("微信", t("wechat.page"), false);
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
    this.pill.textContent = url.replace(/^https?:\/\//, "");
    this.back.hidden = !canGoBack;
  }

  reload() {
    if (!this.opened) this.open(this.home);
    else if (this.answered) this.tell("reload");
    else this.open(this.frame.src); // a page of WeChat: begin again
  }

  // close shows the conversation behind the webview, with a link that opens the shop
  // again.
  close() {
    this.opened = false;
    this.frame = undefined;
    this.show(this.shop, t("closed"));
    this.view.replaceChildren(el("div", { class: "chat" },
      el("div", { class: "bubble" },
        el("span", { class: "face" }, [...this.shop][0] ?? "微"),
        el("button", { type: "button", class: "card", click: () => this.open(this.home) },
          el("b", {}, this.shop),
          el("span", {}, this.home),
          el("small", {}, t("open.in", { place: said(`place.${this.place.environment}`, this.place.title) }))))));
  }
}
