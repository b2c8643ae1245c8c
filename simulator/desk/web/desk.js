// The desk: the page around the phone.

import { get, listen } from "./control.js";
import { Clock, Faults, Holder, Waiting, theme } from "./controls.js";
import { connect, curl } from "./connect.js";
import { toast, unlessSame } from "./dom.js";
import { Ledger } from "./ledger.js";
import { Log } from "./log.js";
import { Phone } from "./phone.js";
import { Camera } from "./scan.js";
import { t } from "./t.js";
import { keys } from "./v3.js";

const panels = ["log", "ledger", "v3", "connect", "curl"];

function tabs() {
  const select = (name, focus) => {
    for (const other of panels) {
      const tab = document.getElementById(`tab-${other}`);
      const on = other === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      document.getElementById(`panel-${other}`).hidden = !on;
      if (on && focus) tab.focus();
    }
    document.getElementById("tools").hidden = name !== "log";
    history.replaceState(null, "", name === "log" ? location.pathname : `#${name}`);
  };
  for (const name of panels) {
    const tab = document.getElementById(`tab-${name}`);
    tab.addEventListener("click", () => select(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) select(panels[(panels.indexOf(name) + step + panels.length) % panels.length], true);
    });
  }
  const asked = location.hash.slice(1);
  select(panels.includes(asked) ? asked : "log");
}

async function start() {
  tabs();
  theme(document.getElementById("theme"));
  const panel = (name) => document.getElementById(`panel-${name}`);
  const state = document.getElementById("link");
  const link = (kind, text) => { state.className = `link ${kind}`; state.textContent = text; };

  const info = await get("info");
  const log = new Log(panel("log"), document.getElementById("tools"), info.api_key);
  let ledger, phone, camera;
  const clock = new Clock(info, () => ledger.read());
  ledger = new Ledger(panel("ledger"), info, clock, (...attempt) => log.setAttempt(...attempt), (orders) => camera?.offer(orders));
  const holder = new Holder(info);
  const faults = new Faults(info);
  const waiting = new Waiting();
  // A change of keys is reported by its response and by an event.
  const showKeys = unlessSame((v3) => {
    info.v3 = v3;
    keys(panel("v3"), v3, showKeys);
    connect(panel("connect"), info);
  });
  showKeys(info.v3);
  curl(panel("curl"), info);

  const readSheets = async () => { (await waiting.read()).forEach((sheet) => log.setSheet(sheet)); };
  listen({
    async open() {
      link("on", t("live"));
      const now = await get("info");
      // The simulator was restarted, so the content of this page is out of date.
      if (now.epoch !== info.epoch) { location.reload(); return; }
      clock.set(now.now);
      holder.set(now.user);
      showKeys(now.v3);
      if (phone && now.environment !== phone.place.environment) phone.move(now.environment);
      await Promise.all([faults.read(), readSheets()]);
      ledger.read();
    },
    lost() { link("off", t("lost")); },
    message(message) { log.add(message); ledger.read(); },
    sheet({ sheet }) { log.setSheet(sheet); waiting.read(); ledger.read(); },
    consent() { waiting.read(); },
    refund() { ledger.read(); },
    user({ user }) { holder.set(user); phone?.open(phone.home); },
    environment({ place }) { phone?.move(place.environment); ledger.read(); },
    fault() { faults.read(); },
    v3() { get("v3").then(showKeys, (error) => toast(error.message)); },
    clock({ now }) { clock.set(now); ledger.read(); },
  });
  // Last, so that the log exists when the first message arrives.
  phone = new Phone(info);
  camera = new Camera(info, phone);
}

start().catch((error) => toast(t("start.failed", { error: error.message })));
