package wechattest

import (
	"net/http"
	"strings"
	"testing"
)

func (w *world) fault(kind string) {
	w.t.Helper()
	if err := w.AddFault(Fault{Kind: kind}); err != nil {
		w.t.Fatal(err)
	}
}

// What the bridge answers in an odd client opens no sheet, once.
func TestOddAnswersOfTheBridge(t *testing.T) {
	w := newWorld(t)
	prepay := w.prepay("answer01")
	for _, a := range answerFaults {
		w.fault(a.kind)
		if _, bad := w.Invoke(w.call(w.payArgs(prepay))); bad == nil || bad.ErrMsg != a.errMsg || bad.Shape != a.shape || !strings.Contains(w.last().Note, a.kind) {
			t.Errorf("%s: %+v", a.kind, bad)
		}
	}
	if _, bad := w.Invoke(w.call(w.payArgs(prepay))); bad != nil {
		t.Errorf("after the faults: %+v", bad)
	}
}

// A web view that is new after the sign-in has neither cookies nor storage; one that
// lost its cookies has its storage; a copied link is opened by somebody else.
func TestTheWayBackFromTheSignIn(t *testing.T) {
	for _, test := range []struct {
		kind                         string
		cookies, storage, samePerson bool
	}{
		{"", true, true, true},
		{FaultFreshView, false, false, true},
		{FaultCookieLost, false, true, true},
		{FaultLandingShared, false, false, false},
	} {
		w := newWorld(t)
		person, cookies, storage := w.User(), w.jar(), w.storageJar()
		if test.kind != "" {
			w.fault(test.kind)
		}
		if rec := w.do("GET", w.link(scopeBase), ""); rec.Code != http.StatusFound {
			t.Fatalf("%s: %d", test.kind, rec.Code)
		}
		if got := w.User() == person; got != test.samePerson {
			t.Errorf("%s: the same person is %v", test.kind, got)
		}
		if got := w.jar() == cookies; got != test.cookies {
			t.Errorf("%s: the cookies are kept is %v", test.kind, got)
		}
		if got := w.storageJar() == storage; got != test.storage {
			t.Errorf("%s: the storage is kept is %v", test.kind, got)
		}
		after := w.jar()
		w.do("GET", w.link(scopeBase), "")
		if w.jar() != after {
			t.Errorf("%s: the next sign-in loses something too", test.kind)
		}
	}
}

func TestOddServiceWorkers(t *testing.T) {
	w, url := phoneOf(t, http.NotFoundHandler())
	for _, want := range []string{"undefined", "throws"} {
		if err := w.AddFault(Fault{Kind: "worker_" + want}); err != nil {
			t.Fatal(err)
		}
		if cfg := clientConfig(t, url, ""); cfg.Worker != want {
			t.Errorf("worker %q, want %q", cfg.Worker, want)
		}
		if cfg := clientConfig(t, url, ""); cfg.Worker != "" {
			t.Errorf("the next page: worker %q", cfg.Worker)
		}
	}
}

// A merchant without permission for H5 payment gets SUCCESS and nothing to open.
func TestMWEBWithoutPermission(t *testing.T) {
	w := newWorld(t, tame)
	w.fault(FaultMWEBMissing)
	reply := w.pay(pathUnifiedOrder, w.mwebOrder("mweb90"))
	if valueOf(reply, "result_code") != "SUCCESS" || valueOf(reply, "prepay_id") == "" || valueOf(reply, "mweb_url") != "" {
		t.Errorf("%v", reply)
	}
	if reply = w.pay(pathUnifiedOrder, w.mwebOrder("mweb91")); valueOf(reply, "mweb_url") == "" {
		t.Errorf("the next order: %v", reply)
	}
}

func TestMWEBFromAnotherAddress(t *testing.T) {
	w := newWorld(t)
	w.move(Safari)
	u := w.mwebURL("mweb92")
	w.fault(FaultMWEBAddress)
	if page := w.browse(u).Body.String(); !strings.Contains(page, mwebNetwork) {
		t.Errorf("%s", page)
	}
	if page := w.browse(u).Body.String(); strings.Contains(page, mwebNetwork) {
		t.Errorf("the next try: %s", page)
	}
}
