package e2e

import (
	"strings"
	"testing"

	"h5pay/wechat/wechattest"
)

// The redirect to WeChat's sign-in and back, in web views that lose their storage.

// signInWith opens the shop as the first user, with a fault for each of count sign-ins.
func signInWith(t *testing.T, kind string, count int) phone {
	t.Helper()
	world.sim.ClearFaults()
	takePhone(t, 0)
	moveTo(t, wechattest.Android)
	fault(t, wechattest.Fault{Kind: kind, Count: count})
	t.Cleanup(func() { world.sim.ClearFaults(); takePhone(t, 0) })
	p := phone{newTab(t)}
	p.open(world.sim.PhoneURL + "/")
	return p
}

// After two redirects to WeChat the page shows an error. The count is in the signed state, which a
// web view cannot lose.
func TestSignInStopsWithoutStorage(t *testing.T) {
	for _, kind := range []string{wechattest.FaultFreshView, wechattest.FaultCookieLost} {
		t.Run(kind, func(t *testing.T) {
			newest := lastMessage()
			p := signInWith(t, kind, 100)
			p.until("a message and a way on", `document.querySelector('[data-error="cookies"] button')`)
			p.sees("无法保持登录状态")
			if n := signInsAfter(newest); n != 2 {
				t.Errorf("%d redirects to WeChat", n)
			}
			if kind == wechattest.FaultFreshView {
				p.screenshots("signin-" + kind)
			}
			world.sim.ClearFaults()
			p.tap(button("重试"))
			p.until("the shop", onShop)
		})
	}
}

// A sign-in that loses all its data causes one retry, and no more.
func TestOneFailedSignInIsRetried(t *testing.T) {
	newest := lastMessage()
	p := signInWith(t, wechattest.FaultFreshView, 1)
	p.until("the shop", onShop)
	if n := signInsAfter(newest); n != 2 {
		t.Errorf("%d redirects to WeChat", n)
	}
}

// A user who opens a copied link with another user's code signs in as themselves.
func TestCopiedLinkSignsInItsOwnUser(t *testing.T) {
	p := signInWith(t, wechattest.FaultLandingShared, 1)
	p.until("the shop", onShop)
	_, session := p.fetch("GET", "/api/session", "")
	for n, user := range world.sim.Users()[:2] {
		masked := user.OpenID[:4] + "…" + user.OpenID[len(user.OpenID)-4:]
		if got := strings.Contains(session, masked); got != (n == 1) {
			t.Errorf("the second person is signed in by %s", session)
		}
	}
}
