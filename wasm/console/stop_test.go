package main

import (
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/v1"
)

// An export shows how many rows it has, and can be stopped. Then no file is saved.
func TestExportCanBeStopped(t *testing.T) {
	type part struct {
		Rows, Next string
		N          int
	}
	f := full(t, every).on("GET /v1/tables/orders", part{"\ufeffid\r\na\r\n", "c2", 1}) // and so on for ever
	screen, client := opened(t, f, screensOf()["/console/orders"])
	p := screen.(*ordersScreen)
	p.table = tableExport{name: "orders", rows: 41, stop: func() {}}
	if html := htmlOf(screen); !strings.Contains(html, `data-exporting="orders"`) || !strings.Contains(html, "41 "+textRows.ZH) || !strings.Contains(html, textStop.ZH) {
		t.Errorf("no progress: %s", html)
	}
	n := 0
	f.during = func(call string) {
		if n++; n == 3 {
			p.table.stop()
		}
	}
	p.export(p.page, &p.table, "orders", nil)
	settle(client)
	if len(f.saved)+len(f.kept) != 0 || p.said != textStopped.ZH || p.table.name != "" || n > 4 {
		t.Errorf("saved %v, kept %v, %q after %d calls", f.saved, f.kept, p.said, n)
	}
}

// The resending of a range shows how many events it has, and can be stopped.
func TestResendCanBeStopped(t *testing.T) {
	f := full(t, every).on("POST /v1/events/replay", v1.Replayed{Events: 200, Next: "c2"}) // and so on for ever
	screen, client := opened(t, f, screensOf()["/console/events"])
	p := screen.(*eventsScreen)
	p.from, p.to = "2026-11-01", "2026-11-30"
	p.resent, p.stopResend = 400, func() {}
	if html := htmlOf(screen); !strings.Contains(html, `data-resending`) || !strings.Contains(html, "400 ") || !strings.Contains(html, textStop.ZH) {
		t.Errorf("no progress: %s", html)
	}
	n := 0
	f.during = func(call string) {
		if strings.HasPrefix(call, "POST") {
			if n++; n == 3 {
				p.stopResend()
			}
		}
	}
	p.resend(p.page)
	settle(client)
	if n != 3 || p.stopResend != nil || !strings.HasPrefix(p.said, textStopped.ZH) {
		t.Errorf("%d calls, %q", n, p.said)
	}
}

// The comparison of a day shows how far it is, and can be stopped.
func TestComparisonCanBeStopped(t *testing.T) {
	day := cst.In(time.Now()).AddDate(0, 0, -1).Format(time.DateOnly)
	f := full(t, every).on("GET /v1/bills/"+day, v1.Bill{Date: day, Status: v1.BillAgrees}).
		on("POST /v1/bills/"+day+"/check", api.CodeConflict, v1.Bill{Date: day, Status: v1.BillDiffers}, api.CodeRateLimited).
		on("POST /v1/bills/"+day+"/stop", v1.Bill{Date: day})
	screen, client := opened(t, f, screensOf()["/console/bills"])
	p := screen.(*billsScreen)
	p.show(day)
	settle(client)
	p.comparing, p.progress = day, v1.BillProgress{Compared: 4000, Rows: 12_000}
	if html := htmlOf(screen); !strings.Contains(html, `data-comparing="`+day+`"`) || !strings.Contains(html, "4000 / 12000") || !strings.Contains(html, textStop.ZH) {
		t.Errorf("no progress: %s", html)
	}
	p.stopComparing()
	settle(client)
	if last := f.calls[len(f.calls)-1]; !strings.HasPrefix(last, "POST /v1/bills/"+day+"/stop") {
		t.Errorf("%s", last)
	}
	for _, want := range []struct {
		said  text
		wrong bool
	}{{textStopped, false}, {textCompared, false}, {errorTexts[api.CodeRateLimited], true}} {
		p.compare(p.page)
		if p.comparing != day {
			t.Error("the screen does not wait")
		}
		settle(client)
		if p.comparing != "" || p.wrong != want.wrong || !strings.HasPrefix(p.said, want.said.ZH) {
			t.Errorf("%q, want %q", p.said, want.said.ZH)
		}
	}
	if p.bill.Status != v1.BillDiffers {
		t.Errorf("the screen shows %+v", p.bill)
	}
}

// The screen follows a comparison that another call or the timer has begun, and can stop it.
func TestComparisonThatIsUnderWayIsFollowed(t *testing.T) {
	day := cst.In(time.Now()).AddDate(0, 0, -1).Format(time.DateOnly)
	running := v1.Bill{Date: day, Status: v1.BillAgrees, Running: &v1.BillProgress{Compared: 2000, Rows: 12_000}}
	for name, test := range map[string]struct {
		stop, begin bool
		said        text
	}{"it ends": {false, false, textCompared}, "it is stopped": {true, false, textStopped}, "it is begun twice": {false, true, textCompared}} {
		t.Run(name, func(t *testing.T) {
			f := full(t, every)
			if test.begin {
				f.on("GET /v1/bills/"+day, v1.Bill{Date: day, Status: v1.BillAgrees})
			}
			f.on("GET /v1/bills/"+day, running, running, v1.Bill{Date: day, Status: v1.BillDiffers}).
				on("POST /v1/bills/"+day+"/check", api.CodeRateLimited).on("POST /v1/bills/"+day+"/stop", running)
			screen, client := opened(t, f, screensOf()["/console/bills"])
			p := screen.(*billsScreen)
			if !test.begin {
				p.show(day)
				settle(client)
				if html := htmlOf(screen); p.comparing != day || !strings.Contains(html, "2000 / 12000") || !strings.Contains(html, textStop.ZH) {
					t.Errorf("no progress: %s", html)
				}
				if test.stop {
					p.stopComparing()
					settle(client)
				}
				f.sleeps = 5
				p.follow(p.page, nil)
				p.stopping = test.stop
			} else {
				p.show(day)
				settle(client)
				asked := false
				f.during = func(call string) {
					if asked = asked || strings.HasPrefix(call, "POST"); asked && strings.HasPrefix(call, "GET") {
						f.sleeps = 1000
					}
				}
				p.compare(p.page)
			}
			settle(client)
			if p.comparing != "" || p.said != test.said.ZH || p.wrong || p.bill.Status != v1.BillDiffers {
				t.Errorf("%q, %q, %+v", p.comparing, p.said, p.bill)
			}
		})
	}
}
