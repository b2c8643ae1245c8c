package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/job"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

// The numbers of buyers: WeChat users, and guests identified by a cookie. Each may use several
// devices at once.
const (
	people = 24
	guests = 12
)

// MaxSkew is the largest difference between WeChat's clock and the clocks of the machines.
const MaxSkew = 700 * time.Millisecond

// World is the simulated WeChat with its users, a shop, and everybody who acts there.
type World struct {
	Host
	WeChat   *wechattest.WeChat
	Backend  *Backend
	Failures Failures
	Judge

	Shop      string        // the origin of the signer's public address
	BusyPause time.Duration // after a response "busy"
	buyers    []*buyer
	operator  *buyer
	phone     sync.Mutex  // the simulator's only phone; one user at a time
	owners    sync.Map    // *buyer by ID of an order that they received
	OnV3      atomic.Bool // new orders use APIv3
	Keys      Keys
	billed    atomic.Bool // the bills were compared, so no payment time is unknown
	Bounds    store.Bounds
	floods    *flooding
	fullness  fullness

	countMu sync.Mutex
	counted map[string]int // actions of strangers and the operator, for the report
}

// Host is where the signer runs, with its database. Both may fail at any time.
type Host interface {
	// Transport carries the calls of a browser, to the shop and to WeChat.
	Transport() http.RoundTripper
	// Query runs a statement without injected failures and returns its rows, a JSON list of objects. It
	// returns errNoResponse if no complete response arrived.
	Query(statement string, args ...any) (json.RawMessage, error)
	// Await returns when the database is up or its restart has failed.
	Await()
	// Tick runs a job. It reports whether the response was complete.
	Tick(context.Context, job.Job) (complete bool, err error)
	// Wake sends the queue message that starts a delivery of events.
	Wake(context.Context) (complete bool, err error)
	// Receive serves an endpoint of the merchant, at a path after webhookPath, and returns its URL.
	Receive(path string, h http.Handler) (url string, err error)
	// Move makes one of the moves of the options.
	Move(ctx context.Context, i int) error
	// Stepped is called after each step.
	Stepped()
	// Leapt is called when the time has leapt: what was stopped until then goes on.
	Leapt()
	// Settle returns when the signer runs and has finished what it began.
	Settle(context.Context) error
	// Numbers returns what happened to the machines.
	Numbers() Numbers
}

// Numbers are those of the machines.
type Numbers struct {
	Program  string // workerd or node
	Database string // D1, PostgreSQL or SQLite
	Requests int64
	Hung     int64 // requests without a response
	Deaths   int
	Freezes  int
	Restarts int // of the database
}

// LearnTokens registers WeChat's tokens as secrets, until WeChat closes.
func (w *World) LearnTokens() {
	events, stop := w.WeChat.Subscribe()
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
			w.Secret("an access_token", tokens.Access)
			w.Secret("a refresh_token", tokens.Refresh)
		}
	}
}

// NewWorld returns a world without people. log is the signer's.
func NewWorld(bounds store.Bounds, log *paytest.Log) *World {
	return &World{Judge: Judge{Log: log}, Bounds: bounds, BusyPause: time.Second} // as the page does
}

// Populate adds the buyers, the strangers and the operator. token is the operator's.
func (w *World) Populate(at Host, token string) {
	w.Host = at
	for _, u := range w.WeChat.Users() {
		w.buyers = append(w.buyers, newBuyer(w, u))
	}
	for range guests {
		w.buyers = append(w.buyers, newBuyer(w, wechattest.User{}))
	}
	w.floods = newFlooding(w)
	w.operator = newBuyer(w, wechattest.User{})
	w.operator.token = token
}

// Users returns the users of a seed.
func Users(seed uint64) []wechattest.User {
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
