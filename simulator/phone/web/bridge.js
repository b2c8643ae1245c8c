// WeixinJSBridge. It appears some time after the page, as in WeChat, so that a
// page that does not wait for WeixinJSBridgeReady fails here too.

// The calls that the client answers without WeChat.
const local = {
  closeWindow: () => { closeWindow(); return "close_window:ok"; },
  hideOptionMenu: () => "hideOptionMenu:ok",
  showOptionMenu: () => "showOptionMenu:ok",
  getNetworkType: () => "network_type:wifi",
};

async function invoke(api, args) {
  if (Object.hasOwn(local, api)) return { err_msg: local[api]() };
  const plain = args && typeof args === "object" && !Array.isArray(args) ? args : {};
  const answer = await post("invoke", { api, args: plain, url: location.href, landing });
  if (answer.sheet) return { err_msg: await openSheet(answer.sheet) };
  if (answer.err_desc) await openAlert(answer.err_desc);
  return answer;
}

const WeixinJSBridge = {
  invoke(api, args, callback) {
    if (typeof args === "function") [args, callback] = [{}, args];
    invoke(String(api), args)
      .catch((error) => {
        report("bridge", `WeixinJSBridge.invoke(${api}): ${error.message}`);
        return { err_msg: "system:access_denied", err_desc: error.message };
      })
      .then((answer) => {
        if (typeof callback !== "function") return;
        const { shape, ...rest } = answer;
        switch (shape) {
          case "string": callback(rest.err_msg); break;
          case "undefined": callback(); break;
          case "sdk": callback({ errMsg: rest.err_msg }); break;
          default: callback(rest);
        }
      });
  },
  call(api, args) { this.invoke(api, args); },
  on() {}, // menu and sharing events; this client has no menu
  log() {},
};

function appear() {
  setTimeout(() => {
    if (window.WeixinJSBridge) return;
    window.WeixinJSBridge = WeixinJSBridge;
    if (config.miniProgram) window.__wxjs_environment = "miniprogram";
    document.dispatchEvent(new Event("WeixinJSBridgeReady"));
  }, config.bridgeDelay);
}
if (!config.bridge) ; // see the fault no_bridge
else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", appear);
else appear();
