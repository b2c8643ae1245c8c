//go:build campaign && !js

package main

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"h5pay/internal/job"
	"h5pay/internal/telemetry"
	"h5pay/wechat"
)

// The fault campaign builds the server with this file (go build -tags campaign), so that it decides
// about the time and the jobs. The command that users get has none of it.
//
// These variables of the environment are required:
const (
	clockVariable  = "CAMPAIGN_CLOCK"  // file: ms that the campaign's time is ahead, int64, little endian
	skewVariable   = "CAMPAIGN_SKEW"   // ms that this machine is ahead of the campaign's time
	nodeVariable   = "CAMPAIGN_NODE"   // the name of this node, for the header of its calls
	eventsVariable = "CAMPAIGN_EVENTS" // host:port on which events start the jobs
)

// nodeHeader is a header of all calls that the server makes. By it the campaign knows which node
// calls.
const nodeHeader = "Campaign-Node"

// adapt gives the server the campaign's time. The rate limits are off, because they count in real
// time.
func adapt(p *platform) {
	p.now = campaignClock(os.Getenv(clockVariable), os.Getenv(skewVariable))
	p.addressLimit, p.ownerLimit, p.keyLimit = nil, nil, nil
	for _, d := range []*wechat.Doer{&p.doer, &p.certDoer, &p.webhookDoer, &p.endpointDoer} {
		if *d != nil {
			*d = namedDoer{*d, os.Getenv(nodeVariable)}
		}
	}
}

// campaignClock returns a clock that reads the file at each call: the campaign's time jumps, also
// while this program is stopped.
func campaignClock(file, skew string) func() time.Time {
	f, err := os.Open(file)
	if err != nil {
		panic(err)
	}
	ahead, err := strconv.ParseInt(skew, 10, 64)
	if err != nil {
		panic(err)
	}
	return func() time.Time {
		var b [8]byte
		if _, err := f.ReadAt(b[:], 0); err != nil {
			panic(err)
		}
		lead := int64(binary.LittleEndian.Uint64(b[:])) + ahead
		return time.Now().Add(time.Duration(lead) * time.Millisecond).Round(0)
	}
}

// namedDoer adds nodeHeader.
type namedDoer struct {
	wechat.Doer
	node string
}

func (d namedDoer) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(nodeHeader, d.node)
	return d.Doer.Do(r)
}

// startJobs runs jobs when an event comes, as in a Worker: POST /scheduled?cron=PATTERN, and POST
// /queue. The events that the server makes are delivered at once, as without the campaign.
func startJobs(stop context.Context, a app, events deliverySignal, _ *database, t *telemetry.Telemetry, log *slog.Logger) *jobs {
	ctx, cancel := context.WithCancel(job.WithStop(context.WithoutCancel(stop), stop.Done()))
	w := &jobs{cancel: cancel}
	deliver := t.Job("deliver", a.deliver)
	w.running.Go(func() {
		const never = 1000 * time.Hour
		events.run(stop, never, func() { runSafely(ctx, log, "delivering events", deliver) })
	})
	l, err := net.Listen("tcp", os.Getenv(eventsVariable))
	if err != nil {
		panic(err)
	}
	var mux http.ServeMux
	serve := func(pattern string, run func(r *http.Request) error) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
			if err := run(r); err != nil {
				log.Error("the event failed", "error", err)
				http.Error(rw, err.Error(), http.StatusInternalServerError)
				return
			}
			rw.Header().Set("Content-Type", "application/json")
			rw.Write([]byte(`{"outcome":"ok"}`))
		})
	}
	serve("POST /scheduled", func(r *http.Request) error { return a.runCron(ctx, r.URL.Query().Get("cron")) })
	serve("POST /queue", func(*http.Request) error { return a.deliver(ctx) })
	srv := &http.Server{Handler: &mux, ReadHeaderTimeout: 10 * time.Second}
	w.running.Go(func() { srv.Serve(l) }) // ends with Close
	context.AfterFunc(stop, func() { srv.Close() })
	return w
}
