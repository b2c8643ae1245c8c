package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"

	"h5pay/internal/alphabet"
	"h5pay/internal/job"
	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

// The numbers of buyers: WeChat users, and guests identified by a cookie. Each may use several
// devices at once.
const (
	people = 24
	guests = 12
)

// world is the simulated WeChat with its users, a shop, and everybody who acts there.
type world struct {
	host
	wechat   *wechattest.WeChat
	backend  *backend
	failures failures
	judge

	shop     string // the origin of the signer's public address
	buyers   []*buyer
	operator *buyer
	phone    sync.Mutex  // the simulator's only phone; one user at a time
	owners   sync.Map    // *buyer by ID of an order that they received
	onV3     atomic.Bool // new orders use APIv3
	keys     keys
	billed   atomic.Bool // the bills were compared, so no payment time is unknown
	bounds   store.Bounds
	floods   *flooding
	fullness fullness

	countMu sync.Mutex
	counted map[string]int // actions of strangers and the operator, for the report
}

// host is where the signer runs, with its database. Both may fail at any time.
type host interface {
	// transport carries the calls of a browser, to the shop and to WeChat.
	transport() http.RoundTripper
	// query runs a statement without injected failures and returns its rows, a JSON list of objects. It
	// returns errNoResponse if no complete response arrived.
	query(statement string, args ...any) (json.RawMessage, error)
	// await returns when the database is up or its restart has failed.
	await()
	// tick runs a job. It reports whether the response was complete.
	tick(context.Context, job.Job) (complete bool, err error)
	// wake sends the queue message that starts a delivery of events.
	wake(context.Context) (complete bool, err error)
	// receive serves an endpoint of the merchant, at a path after webhookPath, and returns its URL.
	receive(path string, h http.Handler) (url string, err error)
	// move makes one of the moves of the options.
	move(ctx context.Context, i int) error
	// stepped is called after each step.
	stepped()
	// leapt is called when the time has leapt: what was stopped until then goes on.
	leapt()
	// settle returns when the signer runs and has finished what it began.
	settle(context.Context) error
	// numbers returns what happened to the machines.
	numbers() numbers
}

// numbers are those of the machines.
type numbers struct {
	program  string // workerd or node
	database string // D1, PostgreSQL or SQLite
	requests int64
	hung     int64 // requests without a response
	deaths   int
	freezes  int
	restarts int // of the database
}

// learnTokens registers WeChat's tokens as secrets, until WeChat closes.
func (w *world) learnTokens() {
	events, stop := w.wechat.Subscribe()
	defer stop()
	for e := range events {
		if e.Kind != wechattest.EventMessage || e.Message.Kind != "access_token" {
			continue
		}
		var tokens struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(e.Message.Response), &tokens) == nil {
			w.secret("an access_token", tokens.Access)
			w.secret("a refresh_token", tokens.Refresh)
		}
	}
}

// populate adds the buyers, the strangers and the operator. token is the operator's.
func (w *world) populate(at host, token string) {
	w.host = at
	for _, u := range w.wechat.Users() {
		w.buyers = append(w.buyers, newBuyer(w, u))
	}
	for range guests {
		w.buyers = append(w.buyers, newBuyer(w, wechattest.User{}))
	}
	w.floods = newFlooding(w)
	w.operator = newBuyer(w, wechattest.User{})
	w.operator.token = token
}

// users returns the users of a seed.
func users(seed uint64) []wechattest.User {
	r := rand.New(rand.NewPCG(seed, 1))
	all := make([]wechattest.User, people)
	for i := range all {
		openID := []byte("o")
		for range 27 {
			openID = append(openID, alphabet.URLSafe[r.IntN(len(alphabet.URLSafe))])
		}
		all[i] = wechattest.User{OpenID: string(openID), Nickname: fmt.Sprint("买家 ", i), Subscribed: i%2 == 0}
	}
	return all
}
