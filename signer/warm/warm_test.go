package warm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeJS simulates JavaScript: it answers calls with do in another goroutine. If do returns nil,
// the call is answered when it is aborted.
func fakeJS(do func(op op, r *reader) *message) *bridge {
	var b *bridge
	hanging := map[uint32]bool{}
	b = newBridge(func(op op, id uint32, m []byte) {
		if op == opAbort {
			if hanging[id] {
				go b.reply(id, new(message).add("fetch failed").bytes())
			}
			return
		}
		if answer := do(op, newReader(m)); answer != nil {
			go b.reply(id, answer.bytes())
			return
		}
		hanging[id] = true
	})
	return b
}

func TestFetchCarriesTheWholeRequest(t *testing.T) {
	t.Parallel()
	var got []string
	b := fakeJS(func(op op, r *reader) *message {
		if op != opFetch {
			t.Errorf("op %d", op)
		}
		for r.remaining() > 0 {
			got = append(got, r.string())
		}
		return new(message).add("").addInt(302).addHeader(http.Header{"Location": {"/x"}, "Set-Cookie": {"a", "b"}}).add("moved")
	})
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.example.com/x?y=1", strings.NewReader("<xml>"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/xml")
	res, err := Fetch{calls: b, binding: "CERT"}.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CERT", "POST", "https://api.example.com/x?y=1", "1", "Content-Type", "text/xml", "<xml>", "4194304"}, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 302 || res.ContentLength != 5 || string(body) != "moved" || len(res.Header["Set-Cookie"]) != 2 {
		t.Errorf("got %+v %q, %v", res, body, err)
	}
}

// The body of a response is not requested.
func TestFetchWithoutBody(t *testing.T) {
	t.Parallel()
	b := fakeJS(func(_ op, r *reader) *message {
		for r.remaining() > 1 {
			r.string()
		}
		if most := r.string(); most != "0" {
			t.Errorf("requested %s bytes", most)
		}
		return new(message).add("").addInt(503).addInt(1).add("retry-after").add("9").add("")
	})
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://api.example.com/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := (Fetch{calls: b}).NoBody().Do(req); err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") != "9" {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestQueueSendDoesNotWait(t *testing.T) {
	t.Parallel()
	var got []string
	q := Queue{func(op op, id uint32, m []byte) {
		if op != opEnqueue || id != 0 {
			t.Errorf("op %d, id %d: no call waits for this reply", op, id)
		}
		for r := newReader(m); r.remaining() > 0; {
			got = append(got, r.string())
		}
	}, "OUTBOX"}
	q.Send(`{"a":1}`)
	if diff := cmp.Diff([]string{"OUTBOX", `{"a":1}`}, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := fakeJS(func(op, *reader) *message { return nil })
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://api.example.com/?secret=s", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second call has an ended context
		if _, err := (Fetch{calls: b}).Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
	if len(b.waiting) != 0 {
		t.Errorf("%d calls still wait", len(b.waiting))
	}
}

func TestRateLimitReturnsTheBindingsResult(t *testing.T) {
	t.Parallel()
	for want, reply := range map[string]*message{
		"true <nil>":                  new(message).add("").addInt(1),
		"false <nil>":                 new(message).add("").addInt(0),
		"false no limits":             new(message).add("no limits"),
		"false " + errMessage.Error(): new(message).add(""),
	} {
		l := RateLimit{fakeJS(func(op op, r *reader) *message {
			if binding, key := r.string(), r.string(); op != opLimit || binding != "LIMIT" || key != "203.0.113.7" {
				t.Errorf("sent %d %q %q", op, binding, key)
			}
			return reply
		}), "LIMIT"}
		if ok, err := l.Allow(t.Context(), "203.0.113.7"); fmt.Sprint(ok, " ", err) != want {
			t.Errorf("got %v %v, want %s", ok, err, want)
		}
	}
}

func TestLateReplyIsIgnored(t *testing.T) {
	t.Parallel()
	newBridge(nil).reply(7, nil)
}

func TestMalformedRepliesAreErrors(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]*message{
		"empty":          new(message),
		"no status":      new(message).add(""),
		"too few pairs":  new(message).add("").addInt(200).addInt(3).add("a").add("b"),
		"without a body": new(message).add("").addInt(200).addInt(0),
		"a failure":      new(message).add("fetch failed"),
	} {
		b := fakeJS(func(op, *reader) *message { return reply })
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := (Fetch{calls: b}).Do(req); err == nil {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

func TestD1ThroughDatabaseSQL(t *testing.T) {
	t.Parallel()
	var args []string
	db := sql.OpenDB(newDatabase(fakeJS(func(op op, r *reader) *message {
		args = nil
		for r.remaining() > 0 {
			args = append(args, r.string())
		}
		if op == opExec {
			return new(message).add("").addInt(2).addInt(41).addInt(8192)
		}
		return new(message).add("").addInt(5).add("a").add("b").add("c").add("d").add("e").
			add("stext").add("i-9007199254740991").add("f0.25").add("n").add("s").
			add("s中").add("i0").add("f1e+300").add("i1").add("sx")
	}), "DB"))
	defer db.Close()

	if size := DatabaseSize(db); size != 0 {
		t.Errorf("%d bytes before the first statement", size)
	}
	res, err := db.ExecContext(t.Context(), "UPDATE t SET a = ?", "x", 7, int64(-1), 0.5, nil, true, false)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n != 2 || err != nil {
		t.Errorf("rows %d, %v", n, err)
	}
	if n, err := res.LastInsertId(); n != 41 || err != nil {
		t.Errorf("id %d, %v", n, err)
	}
	if size := DatabaseSize(db); size != 8192 {
		t.Errorf("%d bytes, want 8192", size)
	}
	if diff := cmp.Diff([]string{"DB", "UPDATE t SET a = ?", "7", "sx", "i7", "i-1", "f0.5", "n", "i1", "i0"}, args); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}

	rows, err := db.QueryContext(t.Context(), "SELECT")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var a, e string
		var b int64
		var c float64
		var d sql.NullInt64
		if err := rows.Scan(&a, &b, &c, &d, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, a, e)
		if a == "text" && (b != -9007199254740991 || c != 0.25 || d.Valid) || a == "中" && (b != 0 || c != 1e300 || d.Int64 != 1) {
			t.Errorf("%s: %d %v %v", a, b, c, d)
		}
	}
	if diff := cmp.Diff([]string{"text", "", "中", "x"}, got); diff != "" || rows.Err() != nil {
		t.Errorf("rows (-want +got):\n%s%v", diff, rows.Err())
	}
}

func TestD1RejectsValuesItWouldChange(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(newDatabase(fakeJS(func(op, *reader) *message {
		t.Error("it was sent")
		return new(message).add("")
	}), "DB"))
	defer db.Close()
	for _, arg := range []any{time.Now(), []byte("x"), int64(1) << 53, -(int64(1) << 53), sql.Named("a", 1)} {
		if _, err := db.ExecContext(t.Context(), "UPDATE t SET a = ?", arg); err == nil {
			t.Errorf("%T %v is accepted", arg, arg)
		}
	}
	if _, err := db.BeginTx(t.Context(), nil); err == nil {
		t.Error("a transaction began")
	}
}

// statements is a batch for D1.
type statements struct {
	queries []string
	args    [][]any
}

func (s statements) Batch() ([]string, [][]any) { return s.queries, s.args }

// The statements of a batch travel in one message. The rows of each are a result set.
func TestD1Batch(t *testing.T) {
	t.Parallel()
	var sent []string
	db := sql.OpenDB(newDatabase(fakeJS(func(op op, r *reader) *message {
		for r.remaining() > 0 {
			sent = append(sent, r.string())
		}
		if op != opBatch {
			t.Errorf("operation %d", op)
		}
		return new(message).add("").addInt(8192).
			addInt(2).add("a").add("b").addInt(2).add("i1").add("sone").add("i2").add("stwo").
			addInt(0).addInt(0).
			addInt(1).add("c").addInt(1).add("f0.5")
	}), "DB"))
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "", statements{[]string{"SELECT a", "UPDATE b", "SELECT c"}, [][]any{{1, "x"}, {}, {true}}})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if diff := cmp.Diff([]string{"DB", "3", "SELECT a", "2", "i1", "sx", "UPDATE b", "0", "SELECT c", "1", "i1"}, sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	var a int
	var b string
	if !rows.Next() || rows.Scan(&a, &b) != nil || a != 1 || b != "one" { // the second row is skipped
		t.Errorf("%d %q, %v", a, b, rows.Err())
	}
	if !rows.NextResultSet() || rows.Next() {
		t.Errorf("the second statement has rows, or no result: %v", rows.Err())
	}
	var c float64
	if !rows.NextResultSet() || !rows.Next() || rows.Scan(&c) != nil || c != 0.5 || rows.Next() || rows.NextResultSet() {
		t.Errorf("%v, %v", c, rows.Err())
	}
	if size := DatabaseSize(db); size != 8192 {
		t.Errorf("%d bytes", size)
	}
	if _, err := db.QueryContext(t.Context(), "", statements{[]string{"SELECT a"}, [][]any{{time.Now()}}}); err == nil {
		t.Error("a time is accepted")
	}
}

func TestD1Failures(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]*message{
		"failed":          new(message).add("D1_ERROR: UNIQUE constraint failed"),
		"no result":       new(message).add(""),
		"unknown tag":     new(message).add("").addInt(1).add("a").add("?1"),
		"not a number":    new(message).add("").addInt(1).add("a").add("ix"),
		"half a row":      new(message).add("").addInt(2).add("a").add("b").add("i1"),
		"an empty column": new(message).add("").addInt(1).add("a").add(""),
	} {
		db := sql.OpenDB(newDatabase(fakeJS(func(op, *reader) *message { return reply }), "DB"))
		var a, b any
		err := db.QueryRowContext(t.Context(), "SELECT").Scan(&a, &b)
		if err == nil {
			err = db.QueryRowContext(t.Context(), "SELECT").Scan(&a)
		}
		if err == nil || errors.Is(err, sql.ErrNoRows) {
			t.Errorf("%s: %v", name, err)
		}
		db.Close()
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	p := Program{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Seen", r.Method+" "+r.URL.String()+" "+r.RemoteAddr+" "+r.Header.Get("Cookie"))
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusTeapot) // ignored
			w.Write(b)
		}),
		Cron: func(_ context.Context, pattern string, at time.Time) error {
			if pattern == "fail" {
				return errors.New("on demand")
			}
			if at != time.UnixMilli(1000) {
				t.Errorf("due %s", at)
			}
			return nil
		},
		Queue: func(_ context.Context, b *Batch) error {
			if b.Queue != "q" || len(b.Messages) != 2 || b.Messages[1].Attempts != 3 || string(b.Messages[1].Body) != `{"a":1}` {
				t.Errorf("batch %+v", b)
			}
			b.Messages[1].Ack()
			return errors.New("half")
		},
	}
	request := func(method, url string) *message {
		return new(message).add(eventRequest).add(method).add(url).addInt(3).
			add("cf-connecting-ip").add("203.0.113.7").add("cookie").add("a=1").add("cookie").add("b=2").add("body")
	}
	queue := new(message).add(eventQueue).add("q").addInt(2).add("m1").addInt(1).add("1").add("m2").addInt(3).add(`{"a":1}`)
	for _, test := range []struct {
		name  string
		event *message
		want  []string
	}{
		{"request", request("POST", "https://shop.example.com/api?x=1"),
			[]string{"", "201", "1", "X-Seen", "POST https://shop.example.com/api?x=1 203.0.113.7 a=1", "body"}},
		{"bad method", request("P OST", "https://shop.example.com/"), []string{"", "201", "1", "X-Seen", "GET /malformed 203.0.113.7 a=1", ""}},
		{"bad URL", request("GET", "https://shop.example.com/%zz"), []string{"", "201", "1", "X-Seen", "GET /malformed 203.0.113.7 a=1", ""}},
		{"half a request", new(message).add(eventRequest).add("GET"), []string{errMessage.Error()}},
		{"cron", new(message).add(eventCron).add("* * * * *").addInt(1000), []string{""}},
		{"cron that fails", new(message).add(eventCron).add("fail").addInt(1000), []string{"on demand"}},
		{"half a cron", new(message).add(eventCron).add("x"), []string{errMessage.Error()}},
		{"queue", queue, []string{"half", "m2"}},
		{"half a queue", new(message).add(eventQueue).add("q").addInt(1).add("m1"), []string{errMessage.Error()}},
		{"unknown", new(message).add("email"), []string{"warm: no handler for this event"}},
	} {
		r := newReader(p.event(t.Context(), test.event.bytes()).bytes())
		var got []string
		for r.remaining() > 0 {
			got = append(got, r.string())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if r := newReader((Program{}).event(t.Context(), queue.bytes()).bytes()); r.string() == "" {
		t.Error("a program without a queue handler accepted a batch")
	}
}
