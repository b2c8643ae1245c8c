package warm_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const mib = 1 << 20

// Hundreds of parallel requests with different waits: each gets its own response, none is lost, and
// no program serves two requests at once.
func TestParallelRequestsGetTheirOwnResponses(t *testing.T) {
	w := newWorld(t, nil)
	w.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 300
	inParallel(2000, 300, func(i int) {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		kinds := [][]string{
			{"sleep", strconv.Itoa(random.IntN(40))},
			{"fetch", "2", "delay", strconv.Itoa(random.IntN(30))},
			{"hang", strconv.Itoa(1 + random.IntN(60))},
			{"fail", []string{"301", "404", "500", "503"}[random.IntN(4)]},
			{"reset", "1"},
			{"d1", "1", "sleep", "3"},
			{"fetch", "1", "d1", "1", "hang", "20"},
		}
		w.wantWork(strconv.Itoa(i), kinds[random.IntN(len(kinds))]...)
	})
	if s := w.pool(nil); s.Memory > 96*mib || s.Count > 16 {
		t.Errorf("after the crowd: %+v", s)
	}
}

// The death of a program fails only its current request.
func TestProgramDeathFailsOneRequest(t *testing.T) {
	w := newWorld(t, nil)
	ways := []string{"goroutine", "exit", "memory", "panic", "recursion"}
	var lost atomic.Int32
	inParallel(400, 20, func(i int) {
		if i%10 != 0 {
			w.wantWork(strconv.Itoa(i), "sleep", "2", "fetch", "1")
			return
		}
		status, text, err := w.get("/die", "by", ways[i/10%len(ways)])
		if err != nil || status != http.StatusInternalServerError || !strings.Contains(text, `"code":"internal"`) || strings.Contains(text, "demand") {
			t.Errorf("dying by %s: %d %q, %v", ways[i/10%len(ways)], status, text, err)
		}
		lost.Add(1)
	})
	if s := w.pool(nil); s.Discarded < int(lost.Load()) {
		t.Errorf("%d died, %+v", lost.Load(), s)
	}
	if !strings.Contains(w.log.String(), `"msg":"request lost"`) {
		t.Error("the log has no line about it")
	}
}

// A program that never responds is ended after the deadline.
func TestHungProgramIsEnded(t *testing.T) {
	w := newWorld(t, map[string]int{"count": 1, "deadline": 300, "spareAfter": 5000})
	status, text, err := w.get("/die", "by", "deadlock")
	if err != nil || status != http.StatusInternalServerError || !strings.Contains(text, `"code":"internal"`) {
		t.Errorf("hung: %d %q, %v", status, text, err)
	}
	w.wantWork("next")
	if s := w.pool(nil); s.Count != 1 || s.Started != 2 {
		t.Errorf("%+v", s)
	}
}

// When the pool is full, requests wait in order. A request that has waited too long gets a spare
// program.
func TestFullPool(t *testing.T) {
	w := newWorld(t, map[string]int{"count": 1, "spareAfter": 10_000})
	w.wantWork("first")
	inParallel(20, 20, func(i int) { w.wantWork(strconv.Itoa(i), "sleep", "10") })
	if s := w.pool(nil); s.Started != 1 {
		t.Errorf("those who waited: %+v", s)
	}
	w.pool(url.Values{"spareAfter": {"50"}})
	inParallel(3, 3, func(i int) { w.wantWork(strconv.Itoa(i), "sleep", "1500") })
	if s := w.pool(nil); s.Started != 3 || s.Count != 1 || s.Discarded != 2 {
		t.Errorf("those who could not wait: %+v", s)
	}
}

// An instance is replaced after a number of requests, and when it has grown.
func TestUsedInstancesAreReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]int{"served": 10})
	for i := range 100 {
		w.wantWork(strconv.Itoa(i))
	}
	if s := w.pool(nil); s.Started != 10 || s.Discarded != 10 || s.Count != 0 {
		t.Errorf("after 100 requests of 10: %+v", s)
	}
	w.pool(url.Values{"served": {"1000"}})
	w.wantWork("fresh")
	before := w.pool(nil)
	if _, text, err := w.get("/grow", "mib", "40"); text != "grown" {
		t.Fatal(text, err)
	}
	if s := w.pool(nil); s.Count != 0 || s.Discarded != before.Discarded+1 {
		t.Errorf("one that grew is kept: %+v", s)
	}
}

// An instance that was idle for long is not treated as lost when it works again.
func TestLongIdleInstanceIsKept(t *testing.T) {
	w := newWorld(t, map[string]int{"deadline": 300})
	w.wantWork("first")
	for start := time.Now(); time.Since(start) < 700*time.Millisecond; {
		w.pool(nil) // does not use the pool
	}
	inParallel(2, 2, func(i int) { w.wantWork(strconv.Itoa(i), "sleep", "150") })
	if s := w.pool(nil); s.Discarded != 0 || s.Count != 2 {
		t.Errorf("%+v", s)
	}
}

// After a client that disconnects during its body no state remains.
func TestBrokenBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]int{"count": 1})
	for range 20 {
		c, err := net.Dial("tcp", strings.TrimPrefix(w.worker.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "POST /body?times=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
		c.Close()
	}
	w.wantWork("next")
	if log := w.log.String(); strings.Contains(log, "request lost") || strings.Contains(log, "Uncaught") {
		t.Errorf("the log: %s", log)
	}
}

// A timer that a request did not stop fires during a later request. workerd cancels it with its
// request, and Go does not know that.
func TestTimersSurviveTheirRequest(t *testing.T) {
	w := newWorld(t, map[string]int{"count": 1})
	for i := range 5 {
		if status, text, err := w.get("/later", "ms", "30"); status != http.StatusOK || text != strconv.Itoa(i) {
			t.Fatalf("round %d: %d %q, %v", i, status, text, err)
		}
		w.wantWork("after", "sleep", "60", "hang", "10")
	}
	if s := w.pool(nil); s.Started != 1 {
		t.Errorf("%+v", s)
	}
}

// If a client disconnects, the request is finished and the instance returns to the pool.
func TestClientDisconnect(t *testing.T) {
	w := newWorld(t, map[string]int{"count": 2, "spareAfter": 20_000})
	hasty := *w.client
	hasty.Timeout = 20 * time.Millisecond
	for i := range 30 {
		res, err := hasty.Get(w.worker.URL + "/work?" + url.Values{
			"id": {fmt.Sprint("gone", i)}, "up": {w.up}, "sleep": {"40"}, "fetch": {"1"}, "d1": {"1"}}.Encode())
		if err == nil {
			res.Body.Close()
			t.Fatal("it should have timed out")
		}
	}
	w.wantWork("still", "d1", "1")
	// The rows exist: inserting them again fails.
	for i := range 30 {
		id := fmt.Sprint("gone", i)
		deadline := time.Now().Add(20 * time.Second)
		for {
			status, text, err := w.get("/work", "id", id, "d1", "1")
			if err == nil && status == http.StatusBadGateway && strings.Contains(text, "UNIQUE") {
				break
			}
			if time.Now().After(deadline) || status == http.StatusOK {
				t.Fatalf("%s was not finished: %d %q, %v", id, status, text, err)
			}
		}
	}
	if s := w.pool(nil); s.Started > 2 || s.Count > 2 {
		t.Errorf("%+v", s)
	}
}

// Bodies of any content and length are transferred unchanged.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, test := range []struct {
		body  string
		times int
	}{{"", 1}, {"x", 0}, {"\x00\xff\r\n中文", 3}, {strings.Repeat("0123456789", 6000), 1}, {strings.Repeat("中", 1000), 1000}} {
		res, err := w.client.Post(w.worker.URL+"/body?times="+strconv.Itoa(test.times), "text/plain", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		got := new(strings.Builder)
		if err := res.Write(got); err != nil {
			t.Fatal(err)
		}
		if want := strings.Repeat(test.body, test.times); !strings.HasSuffix(got.String(), want) || res.ContentLength > 0 && int(res.ContentLength) != len(want) {
			t.Errorf("%d bytes %d times: got %d bytes", len(test.body), test.times, res.ContentLength)
		}
		res.Body.Close()
	}
}

// Statuses, headers and methods are transferred unchanged.
func TestAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, status := range []int{200, 201, 204, 301, 304, 400, 404, 500, 599} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
			req, err := http.NewRequest(method, w.worker.URL+"/answer?status="+strconv.Itoa(status), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Header", "caf\u00e9 \u4e2d")
			res, err := w.client.Transport.RoundTrip(req)
			if err != nil {
				t.Fatal(method, status, err)
			}
			res.Body.Close()
			if res.StatusCode != status || res.Header.Get("X-Method") != method || len(res.Cookies()) != 2 {
				t.Errorf("%s %d: %d %v", method, status, res.StatusCode, res.Header)
			}
			if got := res.Header.Get("X-Header"); got != "caf\u00e9 \u4e2d" {
				t.Errorf("%s %d: the header was returned as %q", method, status, got)
			}
		}
	}
}

// D1 returns texts and numbers as they were stored.
func TestTextInD1(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for i, text := range []string{"", "plain", "\ufeffwith a mark", "中文 \U0001F600", "\x00 in \x00 it", strings.Repeat("é", 20000), "null", "i12", "\r\n'\"\\"} {
		res, err := w.client.Post(w.worker.URL+"/text?id="+strconv.Itoa(i), "text/plain", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || string(got) != text {
			t.Errorf("%.20q was returned as %d %.40q, %v", text, res.StatusCode, got, err)
		}
	}
}

// The responses of upstream and the bodies of clients are limited, compressed or not.
func TestLongBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]int{"count": 1})
	for path, want := range map[string]string{
		"/long?bytes=1000": "200 1000 <nil>", "/long?bytes=1048576": "200 1048576 <nil>",
		"/long?bytes=9000000": "200 4194304 <nil>", "/gzip": "200 4194304 <nil>",
	} {
		if status, text, err := w.get("/fetch", "url", w.up+path); status != http.StatusOK || text != want {
			t.Errorf("%s: %d %q, %v", path, status, text, err)
		}
	}
	for _, n := range []int{65535, 65536, 65537, 5 << 20} {
		res, err := w.client.Post(w.worker.URL+"/body?times=1", "text/plain", io.LimitReader(zeroes{}, int64(n))) // chunked
		if err != nil {
			t.Fatal(n, err)
		}
		got, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		// One byte more than Go accepts shows that the body was longer.
		if want := int64(min(n, 65537)); err != nil || got != want {
			t.Errorf("%d bytes: %d were returned, %v", n, got, err)
		}
	}
	if s := w.pool(nil); s.Count != 1 {
		t.Errorf("%+v", s)
	}
}

// All kinds of events share the pool.
func TestCronAndQueueUseThePool(t *testing.T) {
	w := newWorld(t, map[string]int{"count": 4})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { w.wantWork(strconv.Itoa(i), "sleep", "5", "d1", "1") })
		wg.Go(func() {
			if got := w.event("/scheduled", url.Values{"cron": {"* * * * *"}, "due": {strconv.Itoa(1000 + i)}}, ""); !strings.Contains(got, `"outcome":"ok"`) {
				t.Errorf("cron: %s", got)
			}
		})
		wg.Go(func() {
			body := fmt.Sprintf(`[{"id":"a%d","attempts":1,"body":{"n":%d}},{"id":"b%d","attempts":2,"body":"again"}]`, i, i, i)
			got := w.event("/queue", url.Values{"name": {"outbox"}}, body)
			if !strings.Contains(got, fmt.Sprintf(`"explicitAcks":["a%d"]`, i)) || !strings.Contains(got, fmt.Sprintf(`"msgId":"b%d"`, i)) {
				t.Errorf("queue: %s", got)
			}
		})
	}
	wg.Wait()
	got := w.event("/queue", url.Values{"name": {"outbox"}}, `[{"id":"c","attempts":1,"body":1}]`)
	if !strings.Contains(got, `"ackAll":true`) {
		t.Errorf("a batch without an error: %s", got)
	}
	for _, pattern := range []string{"fail", "die"} {
		if got := w.event("/scheduled", url.Values{"cron": {pattern}}, ""); !strings.Contains(got, `"outcome":"exception"`) {
			t.Errorf("cron %s: %s", pattern, got)
		}
	}
	w.wantWork("after all", "d1", "1")
	if s := w.pool(nil); s.Count > 4 {
		t.Errorf("%+v", s)
	}
}
