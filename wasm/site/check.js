// Runs before every other script. It removes the code and the state of a sign-in from the address,
// and shows why the program cannot start. Engines that are too old for the program run it too, so
// it is ECMAScript 5: see es5_test.go.
(function () {
  "use strict";
  // first.js, start.js and the program share this object.
  var startup = (window.startup = {
    ready: false, // first.js has run
    started: false, // start.js is running
    failed: "", // why the program cannot start
    leaving: false, // the page goes to WeChat's sign-in
    programAddress: document.querySelector("script[data-wasm]").getAttribute("data-wasm"),
    request: null, // the request of requestProgram
    endRequest: function () {}, // ends that request
    signInQuery: "" // the query with code and state, for wasm/signin.go
  });

  // WeChat opens the page with an unused code. Remove it before the browser sends a request, so
  // that no Referer contains it.
  var here = location.pathname + location.search + location.hash;
  var pairs = location.search.replace(/^\?/, "").split("&");
  var rest = [];
  for (var i = 0; i < pairs.length; i++) {
    if (!/^(code|state)(=|$)/.test(pairs[i])) rest.push(pairs[i]);
  }
  if (rest.length < pairs.length) {
    startup.signInQuery = pairs.join("&");
    replaceAddress(location.pathname + (rest.length ? "?" + rest.join("&") : ""));
  }

  function replaceAddress(address) {
    try {
      history.replaceState(null, "", address);
    } catch (err) {} // the program tries again
  }

  // reload loads the page again, with the code that it was opened with. It first removes what the
  // service worker keeps, so that the network answers.
  startup.reload = function () {
    if (startup.signInQuery) replaceAddress(here);
    var reload = function () { location.reload(); };
    setTimeout(reload, 1000);
    try {
      caches.keys().then(function (names) {
        return Promise.all(names.map(function (name) { return caches.delete(name); }));
      }).then(reload, reload);
    } catch (err) { // there is no cache
      reload();
    }
  };

  // fail shows one of the messages of page.html.
  startup.fail = function (why) {
    startup.failed = why;
    var loader = document.getElementById("loader");
    if (!loader) {
      document.addEventListener("DOMContentLoaded", function () { startup.fail(why); });
      return;
    }
    translate(loader);
    var messages = loader.querySelectorAll(".failed");
    for (var i = 0; i < messages.length; i++) messages[i].hidden = messages[i].getAttribute("data-why") !== why;
    loader.setAttribute("data-state", "failed");
    loader.setAttribute("data-why", why);
  };

  // translate is a copy of the translation in first.js, which may not have run.
  function translate(element) {
    var choice = "";
    var tag = "";
    try {
      choice = localStorage.getItem("h5pay.lang") || "";
    } catch (err) {} // storage is blocked
    try {
      tag = navigator.language || "";
    } catch (err) {}
    if (choice ? choice !== "en" : !tag || /^zh\b/i.test(tag)) return;
    document.documentElement.lang = "en";
    var texts = element.querySelectorAll("[data-en]");
    for (var i = 0; i < texts.length; i++) texts[i].textContent = texts[i].getAttribute("data-en");
  }

  // missingFeature returns why this engine cannot run the program, "" if it can. The module uses
  // the instructions that Go needs beyond WebAssembly 1.0: sign extension, saturating conversion,
  // memory.copy and memory.fill. Engines without support for 'wasm-unsafe-eval' in the page's
  // policy reject every module.
  function missingFeature() {
    var modern = !!Array.prototype.toReversed; // Chromium 110, Safari 16, Firefox 115
    if (typeof WebAssembly !== "object") return modern ? "off" : "old";
    var names = ["Promise", "Reflect", "fetch", "AbortController", "TextEncoder", "TextDecoder", "globalThis", "crypto"];
    for (var i = 0; i < names.length; i++) {
      if (!window[names[i]]) return "old";
    }
    try {
      new WebAssembly.Module(new Uint8Array([
        0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 10, 39, 1, 37, 0, 65, 0,
        192, 26, 68, 0, 0, 0, 0, 0, 0, 0, 0, 252, 2, 26, 65, 0, 65, 0, 65, 0, 252, 11, 0, 65, 0, 65, 0, 65,
        0, 252, 10, 0, 0, 11
      ]));
    } catch (err) {
      if (err instanceof RangeError) return "memory";
      return modern ? "blocked" : "old";
    }
    return "";
  }

  // Go's runtime needs performance.now. A browser without it gets one based on Date.
  try {
    performance.now();
  } catch (err) {
    var began = Date.now();
    try {
      Object.defineProperty(window, "performance", { configurable: true, value: { now: function () { return Date.now() - began; } } });
    } catch (err) {}
  }

  // blockedAddresses are the addresses that the Content-Security-Policy blocked.
  var blockedAddresses = [];
  document.addEventListener("securitypolicyviolation", function (event) {
    blockedAddresses.push(event.blockedURI);
  });

  // probe finds out why an address does not load and calls done with the reason, "" if it loads
  // now. A browser reports a lost network and a blocking extension in the same way.
  startup.probe = function (address, done) {
    head(address, function (status, type) {
      for (var i = 0; i < blockedAddresses.length; i++) {
        if (blockedAddresses[i].indexOf(address) >= 0) return done("blocked");
      }
      if (status >= 400) return done("server");
      if (status && /html/.test(type)) return done("altered");
      if (status) return done("");
      head(location.pathname, function (page) {
        if (!page) return done("network");
        head(address, function (again) { done(again ? "network" : "blocked"); });
      });
    });
  };

  function head(address, done) {
    var call = new XMLHttpRequest();
    call.onreadystatechange = function () {
      if (call.readyState !== 4) return;
      done(call.status, call.getResponseHeader("Content-Type") || "");
    };
    call.open("HEAD", address);
    call.send();
  }

  // An engine that cannot parse a script reports an error event and runs the other scripts.
  var syntaxError = false;
  var probing = false;
  window.addEventListener("error", function (event) {
    var script = event.target;
    if (script && script.id === "start") {
      probing = true;
      startup.probe(script.src, function (why) { startup.fail(why || "network"); });
    } else if (/syntax|unexpected/i.test(event.message)) {
      syntaxError = true;
    }
  }, true);

  // reportMissingScript shows why one of the other scripts did not run. It may be the sign-in page
  // of a public network, which is not a script.
  function reportMissingScript() {
    if (startup.failed || probing) return;
    var why = syntaxError ? "old" : blockedAddresses.indexOf("inline") >= 0 ? "blocked" : "broken";
    if (!startup.ready) return startup.fail(why);
    probing = true;
    startup.probe(document.getElementById("start").src, function (other) { startup.fail(other || why); });
  }
  document.addEventListener("readystatechange", function () {
    if (document.readyState !== "loading" && !startup.ready) reportMissingScript();
  });
  document.addEventListener("DOMContentLoaded", function () {
    if (!startup.started) reportMissingScript();
  });
  setTimeout(function () {
    if (!startup.started && !startup.failed && !probing) startup.fail("network");
  }, 20000);

  // goToSignIn goes to WeChat's authorize page if the page arrived with its address: see
  // signin.mjs of the Worker. The sign-in then needs no program on this page. Storage counts the
  // attempt like wasm/signin.go, so the program handles every other case. A reload is one: the
  // page reloads if it is still here after leaveTimeout, because some browsers have stopped parsing
  // it.
  var leaveTimeout = 10000; // ms
  function goToSignIn() {
    var address = document.documentElement.getAttribute("data-sign-in");
    if (!address) return;
    document.documentElement.removeAttribute("data-sign-in");
    try {
      if (performance.navigation && performance.navigation.type === 1) return;
      if (sessionStorage.getItem("h5pay.sign_in_attempts")) return;
      sessionStorage.setItem("h5pay.sign_in_attempts", "1");
    } catch (err) {} // storage is blocked; the state counts too
    startup.leaving = true;
    setTimeout(startup.reload, leaveTimeout);
    location.replace(address);
  }

  // requestProgram requests the program before the page is painted, or takes the response if the headers
  // of the start page have requested it. Later the worker of first.js requests it too, and gets this
  // response. Only Chromium joins two requests for one file; others would receive it twice. Versions with
  // two digits may be too old for the other scripts. The priority is that of pictures, which would otherwise
  // wait for the program. A copy that the service worker kept needs no request, because the browser has the
  // program.
  function requestProgram() {
    if (!/Chrome\/\d{3}/.test(navigator.userAgent) || document.documentElement.hasAttribute("data-kept")) return;
    var abort = new AbortController();
    startup.endRequest = function () { abort.abort(); };
    startup.request = fetch(startup.programAddress, { priority: "low", signal: abort.signal });
    startup.request.catch(function () {}); // the worker meets the same error
  }

  var why = missingFeature();
  if (why) startup.fail(why);
  else goToSignIn();
  if (!startup.failed && !startup.leaving) requestProgram();
})();
