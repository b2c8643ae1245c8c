// The sign-in that begins with the start page. In WeChat a browser without a session is sent to
// WeChat's authorize page anyway. So the page names its address, and goes there before it loads the
// program: see check.js of the site. signer/signinpage_other.go does the same natively.

// opensSignIn reports whether a request for the page comes from a place of WeChat that signs in, and
// opens the page in a browser that has neither a session nor a sign-in that was begun, nor returns from
// one. A request in advance, as for a preview, signs nobody in.
function opensSignIn({ method, url, headers }) {
  const agent = (headers.get("User-Agent") ?? "").toLowerCase();
  const { searchParams } = new URL(url);
  const dest = headers.get("Sec-Fetch-Dest");
  return (
    method === "GET" &&
    agent.includes("micromessenger/") &&
    !/wxwork\/|(miniprogram|wmpf)(?![a-z])/.test(agent) &&
    !/h5pay_(session|state)=/.test(headers.get("Cookie")) &&
    !searchParams.has("code") &&
    !searchParams.has("state") &&
    // An old web view sends no Sec-Fetch-Dest, and accepts another type for a picture or a script's call.
    (dest ? dest === "document" : (headers.get("Accept") || "text/html").includes("text/html")) &&
    !["Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"].some((name) => headers.has(name))
  );
}

// beginSignIn returns the address of WeChat's authorize page and the cookie that binds the sign-in
// to the browser, undefined if the page is sent without them. call makes a call to the program.
// It never throws an error.
export async function beginSignIn(request, call) {
  if (!opensSignIn(request)) return undefined;
  try {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers); // the caller's address is in one of them
    for (const name of [...headers.keys()]) if (name.startsWith("sec-") || name === "cookie" || name === "origin") headers.delete(name);
    headers.set("Content-Type", "application/json");
    const body = JSON.stringify({ return_to: pathname + search });
    const response = await call(new Request(new URL("/api/oauth/authorize", request.url), { method: "POST", headers, body }));
    const { url } = await response.json();
    return response.ok && url ? { url, cookies: response.headers.getSetCookie() } : undefined;
  } catch {
    return undefined;
  }
}

// withSignIn puts a sign-in into the text of the page. The response is for one load of one browser.
export function withSignIn(text, pageHeaders, { url, cookies }) {
  const headers = new Headers(pageHeaders);
  headers.set("Cache-Control", "no-store");
  for (const cookie of cookies) headers.append("Set-Cookie", cookie);
  const address = url.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return new Response(text.replace("<html ", () => `<html data-sign-in="${address}" `), { headers });
}
