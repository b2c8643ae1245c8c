package wechattest

import (
	"strings"
	"testing"
)

func (w *world) fault(kind string) {
	w.t.Helper()
	if err := w.AddFault(Fault{Kind: kind}); err != nil {
		w.t.Fatal(err)
	}
}

// In an odd client the bridge opens no sheet, once.
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
