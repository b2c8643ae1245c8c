package e2e

import (
	"strings"
	"testing"

	"h5pay/wechat/wechattest"
)

// The trip to WeChat's sign-in and back, in web views that lose what they kept.

// signInWith opens the shop as the first person, with a fault that waits for every
// sign-in.
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

// Two trips to WeChat, then an honest page: the count is in the signed state, which no
// web view can lose.
func TestSignInStopsWithoutStorage(t *testing.T) {
	for _, kind := range []string{wechattest.FaultFreshView, wechattest.FaultCookieLost} {
		t.Run(kind, func(t *testing.T) {
			before := countSignIns()
			p := signInWith(t, kind, 100)
			p.until("a message and a way on", `document.querySelector('[data-error="cookies"] button')`)
			p.sees("无法保持登录状态")
			if n := countSignIns() - before; n != 2 {
				t.Errorf("%d trips to WeChat", n)
			}
			if kind == wechattest.FaultFreshView {
				p.screenshots("trip-" + kind)
			}
			world.sim.ClearFaults()
			p.tap(button("重试"))
			p.until("the shop", onShop)
		})
	}
}

// One trip that loses everything costs another one, and no more.
func TestOneFailedSignInIsRetried(t *testing.T) {
	before := countSignIns()
	p := signInWith(t, wechattest.FaultFreshView, 1)
	p.until("the shop", onShop)
	if n := countSignIns() - before; n != 2 {
		t.Errorf("%d trips to WeChat", n)
	}
}

// Whoever opens a copied link with somebody's code signs in as nobody but themselves.
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
