package e2e

import (
	"fmt"
	"strings"
	"testing"

	"h5pay/wechat/wechattest"
)

// optionalAPIs are browser APIs that the page uses but does not require, with scripts that break
// them as some clients do.
var optionalAPIs = map[string][]string{
	"nothing is there and nothing answers": {
		`ServiceWorkerContainer.prototype.register = () => undefined;`,
		`Object.defineProperty(window, "localStorage", {value: null});`,
		`Object.defineProperty(window, "performance", {value: undefined, configurable: true});`,
		`URL.createObjectURL = () => { throw new Error("odd") };`,
		`WebAssembly.compileStreaming = undefined;`,
		throwing("Navigator.prototype", "language"),
		`window.requestAnimationFrame = () => { throw new Error("odd") };`,
	},
	"all that can throws": {
		`ServiceWorkerContainer.prototype.register = () => { throw new DOMException("", "SecurityError") };`,
		throwing("window", "localStorage"),
		throwing("window", "sessionStorage"),
		throwing("Navigator.prototype", "clipboard"),
		`Performance.prototype.now = () => { throw new Error("odd") };`,
		throwing("window", "Worker"),
		`Navigator.prototype.vibrate = () => { throw new Error("odd") };`,
		throwing("window", "MutationObserver"),
		`History.prototype.replaceState = () => { throw new DOMException("", "SecurityError") };`,
		`HTMLDialogElement.prototype.showModal = () => { throw new DOMException("", "InvalidStateError") };`,
	},
	"promises reject": {
		`ServiceWorkerContainer.prototype.register = () => Promise.reject(undefined);`,
		`ServiceWorkerContainer.prototype.getRegistration = () => Promise.reject(new Error("odd"));`,
		`localStorage.setItem("a client's", "1"); Storage.prototype.getItem = () => { throw new DOMException("", "SecurityError") };`,
		`Performance.prototype.getEntriesByType = () => { throw new Error("odd") };`,
		`window.BroadcastChannel = class { constructor() { throw new DOMException("", "SecurityError") } };`,
	},
	"objects throw": {
		throwing("Navigator.prototype", "serviceWorker"),
		fullStorage,
		`addEventListener("load", () => setInterval(() => { for (const kind of ["keydown", "click"]) { document.dispatchEvent(new Event(kind)); window.dispatchEvent(new KeyboardEvent(kind, {key: "Enter"})); } }, 50));`,
	},
	"no service worker": {
		`delete Navigator.prototype.serviceWorker;`,
	},
}

// throwing makes a property throw whenever it is read.
func throwing(object, name string) string {
	return fmt.Sprintf(`Object.defineProperty(%s, %q, {configurable: true, get() { throw new DOMException("odd", "SecurityError") }});`, object, name)
}

// The page runs whichever of the APIs is broken.
func TestPageRunsWithoutOptionalAPIs(t *testing.T) {
	for name, scripts := range optionalAPIs {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			tb := newTab(t)
			for _, script := range scripts {
				tb.addScript("{" + script + "}")
			}
			tb.open(s.URL + "/?code=c1&state=s1")
			tb.waitRunning()
			tb.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
			tb.tap(`document.querySelector('[data-action="basket"]')`)
			tb.until("the basket", dialog)
			tb.await(`new Promise((resolve) => setTimeout(resolve, 300, ""))`)
			if state := tb.eval(`document.querySelector("#loader").dataset.state`); state != "running" {
				t.Errorf("the page is %s", state)
			}
		})
	}
}

// A buyer can pay with many of them broken at once.
func TestPayWithoutOptionalAPIs(t *testing.T) {
	for e, group := range map[wechattest.Environment]string{
		wechattest.Android: "nothing is there and nothing answers",
		wechattest.Desktop: "all that can throws",
	} {
		t.Run(string(e), func(t *testing.T) {
			p := newPlace(t, e, "{"+strings.Join(optionalAPIs[group], "}\n{")+"}")
			p.choose("tea")
			if e == wechattest.Desktop {
				p.payByCode()
			} else {
				p.pay()
			}
			p.until("the result", onResult)
			checkLedger(t)
		})
	}
}

// Copying uses a fallback, however the clipboard API fails.
func TestCopyWithoutAClipboard(t *testing.T) {
	for name, script := range map[string]string{
		"the object throws": throwing("Navigator.prototype", "clipboard"),
		"the call throws":   `Clipboard.prototype.writeText = () => { throw new Error("odd") };`,
		"the call rejects":  `Clipboard.prototype.writeText = () => Promise.reject(undefined);`,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, wechattest.Work, script)
			p.tap(button("复制链接"))
			p.sees("已复制")
		})
	}
}
