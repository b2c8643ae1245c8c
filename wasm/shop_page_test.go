package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

func shopScript(f *fake) *fake {
	return f.on(getSession, me).on(getConfig, shopConfig).on(getProducts, catalogue)
}

func TestShopOrdersOnce(t *testing.T) {
	f := shopScript(newFake(t, "https://shop.example/")).on(postOrder, pendingO1)
	p := newShopPage(f)
	client := mount(t, p)
	shows(t, p, "山岚小铺", `data-product="tea"`, "去支付")
	if title := client.Context().Page().Title(); title != "山岚小铺" {
		t.Errorf("title %q", title)
	}

	p.basket.add("tea", 1)
	p.basket.save(f)
	p.order(client.Context(), app.Event{})
	p.order(client.Context(), app.Event{}) // a double tap
	client.Consume()
	if f.countCalls(postOrder) != 1 || f.lastNavigation() != "/pay?order=o1" {
		t.Errorf("%d orders, navigated to %q", f.countCalls(postOrder), f.lastNavigation())
	}
	shows(t, p, textOrdering.ZH)

	f.onReturn(fromHistory)
	client.Consume()
	shows(t, p, "去支付 (1)")
	p.order(client.Context(), app.Event{})
	client.Consume()
	if first, last := f.calls[3], f.calls[len(f.calls)-1]; first != last {
		t.Errorf("the same basket became another order:\n%s\n%s", first, last)
	}

	// Back once more after a payment.
	clearDrafts(f, paidO1)
	f.onReturn(fromHistory)
	client.Consume()
	shows(t, p, textChooseProducts.ZH)
}

func TestShopFails(t *testing.T) {
	f := shopScript(newFake(t, "https://shop.example/")).on(postOrder, errors.New("down"), pendingO1)
	p := newShopPage(f)
	p.basket = basket{"tea": 1}
	p.basket.save(f)
	client := mount(t, p)
	p.order(client.Context(), app.Event{})
	client.Consume()
	shows(t, p, `data-error="offline"`, textRetry.ZH)
	f.onReturn(fromHistory)
	client.Consume()
	shows(t, p, "去支付 (1)")
}

// pageOf is what the page arrives with.
func pageOf(t *testing.T, products ...api.Product) string {
	t.Helper()
	text, err := json.Marshal(api.Catalogue{Config: shopConfig, Products: products})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The first rendering has the catalogue that the page arrived with. The program makes no call for it,
// and signs in while it is shown.
func TestShopFromThePage(t *testing.T) {
	f := newFake(t, "https://shop.example/").on(getSession, me)
	f.pageData = pageOf(t, catalogue.Products...)
	p := newShopPage(f)
	shows(t, p, `data-product="tea"`, "68.00", "山岚小铺")
	p.basket.add("tea", 1)
	p.basket.save(f)
	p.signingIn = true
	showsDisabled(t, p, "checkout") // until the user is known
	p.signingIn = false
	client := mount(t, p)
	if diff := cmp.Diff([]string{getSession}, f.calls); diff != "" || f.navigations != nil {
		t.Errorf("calls (-want +got):\n%s\nnavigated to %q", diff, f.navigations)
	}
	f.on(postOrder, pendingO1)
	p.order(client.Context(), app.Event{})
	client.Consume()
	if f.lastNavigation() != "/pay?order=o1" || !strings.Contains(f.calls[1], `"total":6800`) {
		t.Errorf("calls %q, navigated to %q", f.calls, f.lastNavigation())
	}

	// Outside WeChat nobody signs in.
	f = newFake(t, "https://shop.example/")
	f.ua, f.pageData = "Mozilla/5.0 Chrome/156.0", pageOf(t, catalogue.Products...)
	p = newShopPage(f)
	mount(t, p)
	shows(t, p, `data-product="tea"`, "data-outside")
	if f.calls != nil {
		t.Errorf("calls %q", f.calls)
	}
}

// What was tapped before the program had drawn the page is in the basket, within the stock, and makes
// another order. The page is made in one task and drawn in the next, so taps may come between.
func TestShopTakesEarlyTaps(t *testing.T) {
	one := 1
	f := newFake(t, "https://shop.example/")
	f.ua, f.pageData = "Mozilla/5.0 Chrome/156.0", pageOf(t, append([]api.Product{{ID: "cake", Name: "蛋糕", Price: 100, Left: &one}}, catalogue.Products...)...)
	f.storage[keyOrder] = "o1"
	f.storage[keyTaps] = "tea cake cake"
	p := newShopPage(f)
	f.storage[keyTaps] = "tea"
	mount(t, p)
	shows(t, p, "137.00") // two teas and a cake
	want := basket{"tea": 2, "cake": 1}
	if diff := cmp.Diff(want, loadBasket(f)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if f.storage[keyTaps] != "" || f.storage[keyOrder] != "" || f.storage[keyEarlier] != "o1" {
		t.Errorf("the taps are still there, or the basket still belongs to the order: %q", f.storage)
	}

	// A tap beyond the stock changes nothing, so the order stays that of the basket.
	f.pageData, f.storage[keyOrder], f.storage[keyTaps] = pageOf(t, api.Product{ID: "cake", Name: "蛋糕", Price: 100, Left: &one}), "o2", "cake"
	mount(t, newShopPage(f))
	if f.storage[keyTaps] != "" || f.storage[keyOrder] != "o2" {
		t.Errorf("storage %q", f.storage)
	}
}

// A user who comes back from a sign-in that did not happen is signed in again.
func TestShopFromThePageSignsInAgain(t *testing.T) {
	f := newFake(t, "https://shop.example/").on(getSession, api.CodeUnauthenticated, me).on(postAuthorize, api.AuthorizeResponse{URL: "https://open.weixin.qq.com/x"}).
		on(getConfig, shopConfig).on(getProducts, catalogue)
	f.pageData = pageOf(t, catalogue.Products...)
	p := newShopPage(f)
	client := mount(t, p)
	if !p.signingIn || f.lastNavigation() != "https://open.weixin.qq.com/x" {
		t.Fatalf("signing in: %v, navigated to %q", p.signingIn, f.lastNavigation())
	}
	f.onReturn(fromHistory)
	client.Consume()
	if p.signingIn || p.user == nil {
		t.Error("the user cannot check out")
	}
}

// The page that the service worker kept may be old. It is shown, and nothing can be bought before
// the signer has sent the prices.
func TestShopFromAKeptPage(t *testing.T) {
	f := newFake(t, "https://shop.example/").on(getSession, me).on(getConfig, shopConfig).
		on(getProducts, api.ProductList{Products: []api.Product{{ID: "tea", Name: "乌龙茶", Price: 7200}}})
	f.pageData, f.pageOld = pageOf(t, catalogue.Products...), true
	p := newShopPage(f)
	p.basket = basket{"tea": 1}
	shows(t, p, "68.00")
	showsDisabled(t, p, "checkout", "add")
	client := mount(t, p)
	shows(t, p, "72.00", `data-waits="false"`)
	f.on(postOrder, pendingO1)
	p.order(client.Context(), app.Event{})
	client.Consume()
	if f.lastNavigation() != "/pay?order=o1" || !strings.Contains(f.calls[len(f.calls)-1], `"total":7200`) {
		t.Errorf("calls %q, navigated to %q", f.calls, f.lastNavigation())
	}
}

// If the data cannot be read, or has no products, the page still shows the catalogue.
func TestShopIgnoresBrokenPageData(t *testing.T) {
	for _, data := range []string{"{", "[]", `{"products":[]}`} {
		f := shopScript(newFake(t, "https://shop.example/"))
		f.pageData = data
		p := newShopPage(f)
		mount(t, p)
		shows(t, p, `data-product="tea"`)
	}
}

// If a price has changed since the page was made, the signer rejects the order, and the page fetches
// the new prices.
func TestShopShowsChangedPrices(t *testing.T) {
	f := newFake(t, "https://shop.example/").on(getSession, me).on(postOrder, api.CodePriceChanged).on(getConfig, shopConfig).
		on(getProducts, api.ProductList{Products: []api.Product{{ID: "tea", Name: "乌龙茶", Price: 7200}}})
	f.pageData = pageOf(t, catalogue.Products...)
	p := newShopPage(f)
	p.basket = basket{"tea": 1}
	client := mount(t, p)
	p.order(client.Context(), app.Event{})
	client.Consume()
	shows(t, p, `data-error="price_changed"`, textRetry.ZH)
	if p.products != nil || f.navigations != nil {
		t.Errorf("the old prices stay, or the page left for %q", f.navigations)
	}
	p.err = nil
	p.load(client.Context())
	client.Consume()
	shows(t, p, "72.00")
}

// A product without pieces shows that, and cannot be chosen. The basket has no more than is left.
func TestShopShowsWhatIsSoldOut(t *testing.T) {
	none, two := 0, 2
	left := api.ProductList{Products: []api.Product{{ID: "tea", Name: "乌龙茶", Price: 6800, Left: &none}, {ID: "bun", Name: "包", Price: 100, Left: &two},
		{ID: "tip", Name: "随心付", Amount: &api.AmountBounds{Min: 1, Max: 100}, Left: &none}}}
	f := newFake(t, "https://shop.example/").on(getSession, me).on(getConfig, shopConfig).on(getProducts, left).on(postOrder, api.CodeOutOfStock, pendingO1)
	basket{"tea": 1, "bun": 5}.save(f)
	p := newShopPage(f)
	client := mount(t, p)
	shows(t, p, textLinkSoldOut.ZH, "2.00")
	showsDisabled(t, p, "sold-out", "add")
	if html := htmlOf(t, p.Render()); strings.Contains(html, "/amount?product=tip") || strings.Count(html, `data-action="sold-out"`) != 2 {
		t.Errorf("what is sold out can be chosen: %s", html)
	}
	p.order(client.Context(), app.Event{})
	client.Consume()
	shows(t, p, `data-error="out_of_stock"`, textRetry.ZH)
	if p.products != nil || f.navigations != nil {
		t.Errorf("the old stock stays, or the page left for %q", f.navigations)
	}
	p.err = nil
	p.load(client.Context())
	client.Consume()
	p.order(client.Context(), app.Event{})
	client.Consume()
	if last := f.calls[len(f.calls)-1]; !strings.Contains(last, `"items":[{"product_id":"bun","quantity":2}]`) {
		t.Errorf("ordered %s", last)
	}
}

func TestShopReloadsAfterAFailure(t *testing.T) {
	f := newFake(t, "https://shop.example/").on(getSession, errors.New("down"), me).
		on(getConfig, shopConfig).on(getProducts, catalogue)
	p := newShopPage(f)
	client := mount(t, p)
	shows(t, p, `data-error="offline"`)
	f.onReturn(fromHistory)
	client.Consume()
	shows(t, p, `data-product="tea"`)
}

func TestShopOutsideNeverSignsIn(t *testing.T) {
	for _, ua := range []string{"Mozilla/5.0 Chrome/156.0", "Mozilla/5.0 wxwork/4.1 MicroMessenger/7.0.1"} {
		f := newFake(t, "https://shop.example/").on(getConfig, shopConfig).on(getProducts, catalogue)
		f.ua = ua
		p := newShopPage(f)
		client := mount(t, p)
		shows(t, p, "data-outside", `data-product="tea"`)
		if len(f.calls) != 2 || f.navigations != nil {
			t.Errorf("calls %q, navigated to %q", f.calls, f.navigations)
		}
		p.copyAddress(client.Context(), app.Event{})
		client.Consume()
		shows(t, p, textCopied.ZH)
		f.noCopy = errors.New("not allowed")
		p.copyAddress(client.Context(), app.Event{})
		client.Consume()
		shows(t, p, textNotCopied.ZH)
	}
}
