package desk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"h5pay/simulator/web"
	"h5pay/wechat/wechattest"
)

// Identity has the settings of a shop for the simulator: account, merchant, keys and
// addresses. The secrets are worth nothing outside the simulator.
type Identity struct {
	AppID     string `json:"appid"`
	AppSecret string `json:"appsecret"`
	MchID     string `json:"mch_id"`
	APIKey    string `json:"api_key"`
	ShopName  string `json:"shop_name"`

	WeChatURL string   `json:"wechat_url"` // the base URL for SDKs
	TLSURL    string   `json:"tls_url"`    // the same over TLS, where refund is open to the merchant's certificate; "" when there is none
	PhoneURL  string   `json:"phone_url"`  // the shop's public domain
	DeskURL   string   `json:"desk_url"`   // the page for a person
	ShopURL   string   `json:"shop_url"`   // where the phone forwards to
	PayDirs   []string `json:"pay_dirs"`
	H5Domains []string `json:"h5_domains"`

	Environment wechattest.Environment `json:"environment"` // where the shop is open

	PlainRefunds    bool   `json:"plain_refunds"`     // refund is open without a certificate too
	RefundNotifyURL string `json:"refund_notify_url"` // of refunds that name none; "" for not at all

	V3    wechattest.V3Identity `json:"v3"`     // what the merchant has for APIv3
	V3Dir string                `json:"v3_dir"` // where the same is in files; "" for nowhere

	Users     []wechattest.User `json:"users"`
	Seed      int64             `json:"seed"`
	TimeScale float64           `json:"time_scale"`
	Epoch     time.Time         `json:"epoch"` // the clock's start: a different one means a restart
}

// Identity returns the settings for a shop.
func (d *Desk) Identity() Identity {
	cfg := d.wechat.Config()
	return Identity{
		AppID: cfg.AppID, AppSecret: cfg.AppSecret, MchID: cfg.MchID, APIKey: cfg.APIKey, ShopName: cfg.ShopName,
		WeChatURL: cfg.WeChatURL, PhoneURL: cfg.PublicURL, DeskURL: d.cfg.DeskURL, ShopURL: cfg.ShopURL,
		PayDirs: list(d.wechat.PayDirs()), H5Domains: list(d.wechat.H5Domains()), Environment: d.wechat.Place().Environment,
		TLSURL: d.cfg.TLSURL, PlainRefunds: cfg.PlainRefunds, RefundNotifyURL: cfg.RefundNotifyURL,
		V3: d.wechat.V3(), V3Dir: d.cfg.V3Dir,
		Users: list(d.wechat.Users()), Seed: cfg.Seed, TimeScale: cfg.TimeScale, Epoch: cfg.Epoch,
	}
}

// info is the response of GET /control/info.
type info struct {
	Identity
	User            wechattest.User        `json:"user"` // who holds the phone
	Environments    []wechattest.Place     `json:"environments"`
	Now             time.Time              `json:"now"`
	FaultKinds      []wechattest.FaultKind `json:"fault_kinds"`
	Forgeries       []string               `json:"forgeries"`
	RefundForgeries []string               `json:"refund_forgeries"`
	V3Forgeries     []string               `json:"v3_forgeries"`        // for orders of APIv3, besides forgeries
	V3Refund        []string               `json:"v3_refund_forgeries"` // for refunds that report by APIv3, besides refund_forgeries
	API             []control              `json:"api"`
}

func (d *Desk) controlInfo(rw http.ResponseWriter, _ *http.Request) {
	web.WriteJSON(rw, http.StatusOK, info{
		Identity: d.Identity(), User: d.wechat.User(), Environments: wechattest.Environments(), Now: d.wechat.Now(),
		FaultKinds: wechattest.FaultKinds(), API: d.controls(),
		Forgeries: wechattest.Forgeries(), RefundForgeries: wechattest.RefundForgeries(), V3Forgeries: wechattest.V3Forgeries(), V3Refund: wechattest.V3RefundForgeries(),
	})
}

// heartbeat is the interval of events on an idle stream, which proxies would close.
const heartbeat = 20 * time.Second

// controlEvents is GET /control/events. The id of a message's event is its seq, so that
// a browser that reconnects gets the messages that it missed.
func (d *Desk) controlEvents(rw http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(rw)
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-store")
	events, cancel := d.wechat.Subscribe()
	defer cancel()

	resume := r.Header.Get("Last-Event-ID")
	last, err := strconv.ParseInt(resume, 10, 64)
	if resume != "" && (err != nil || last < 0) {
		web.WriteError(rw, http.StatusBadRequest, fmt.Sprintf("Last-Event-ID: want a whole number, got %q", resume))
		return
	}
	known := resume != "" // whether last is set
	send := func(e wechattest.Event) error {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if e.Message != nil {
			fmt.Fprintf(rw, "id: %d\n", e.Message.Seq)
		}
		fmt.Fprintf(rw, "event: %s\ndata: %s\n\n", e.Kind, data)
		return flush.Flush()
	}
	catchUp := func(until int64) error {
		for _, m := range d.wechat.Messages(last) {
			if until > 0 && m.Seq >= until {
				break
			}
			if err := send(wechattest.Event{Kind: wechattest.EventMessage, Now: m.Time, Message: &m}); err != nil {
				return err
			}
			last = m.Seq
		}
		return nil
	}
	if known && catchUp(0) != nil {
		return
	}
	// The first event means that the stream is open, and has the time.
	if send(wechattest.Event{Kind: wechattest.EventClock, Now: d.wechat.Now()}) != nil {
		return
	}
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			if send(wechattest.Event{Kind: wechattest.EventClock, Now: d.wechat.Now()}) != nil {
				return
			}
		case e, open := <-events:
			if !open {
				return
			}
			if m := e.Message; m != nil {
				if known && m.Seq <= last {
					continue // sent while catching up
				}
				// A slow stream loses events. Messages are read again.
				if known && m.Seq > last+1 && catchUp(m.Seq) != nil {
					return
				}
				last, known = m.Seq, true
			}
			if send(e) != nil {
				return
			}
		}
	}
}
