// Package listen is the command h5pay listen. It reads the events of a running shop with an API
// key. It posts each one to a program on the developer's machine, signed like the shop's own
// webhooks. So a back end in development gets events although the shop cannot reach it.
package listen

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/remote"
	"h5pay/internal/v1"
	"h5pay/webhook"
)

// Config configures a Listener. Shop, Key, Forward and Secret are required.
type Config struct {
	Shop    string // the shop's address: "https://shop.example.com"
	Key     string // an API key with the scope read
	Forward string // the URL that receives the events
	Secret  string // signs the events, as webhook.ParseSecret describes
	After   string // the event after which to begin; "" begins with what is new
	Out     io.Writer

	Pause      time.Duration    // between two reads of the events; 0 means two seconds
	RetryPause time.Duration    // before the second try; doubles up to ten times; 0 means a second
	Timeout    time.Duration    // of one call; 0 means ten seconds
	Now        func() time.Time // nil means time.Now
}

// Listener forwards the events of one shop, one after the other, in the shop's order.
type Listener struct {
	cfg    Config
	shop   *remote.Shop
	client *http.Client // for the program
	cursor string       // leads to the events that are not forwarded; "" before the first
	after  string       // the event after which the list begins, without a cursor
	last   string       // the last event that was forwarded
}

// New returns a Listener. The error names the wrong setting.
func New(cfg Config) (*Listener, error) {
	var err error
	if cfg.Shop, err = remote.ParseShop(cfg.Shop); err != nil {
		return nil, fmt.Errorf("-shop: %w", err)
	}
	if cfg.Forward, err = parseForward(cfg.Forward); err != nil {
		return nil, fmt.Errorf("-forward: %w", err)
	}
	if cfg.Key == "" {
		return nil, errNoKey
	}
	if _, err := webhook.ParseSecret(cfg.Secret); err != nil {
		return nil, errSecret
	}
	cfg.Pause, cfg.RetryPause, cfg.Timeout = cmp.Or(cfg.Pause, 2*time.Second), cmp.Or(cfg.RetryPause, time.Second), cmp.Or(cfg.Timeout, 10*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Listener{
		cfg: cfg, after: cfg.After, last: cfg.After,
		shop: &remote.Shop{URL: cfg.Shop, Key: cfg.Key, Scopes: "read", Agent: "h5pay listen", Timeout: cfg.Timeout},
		// The shop does not follow a redirect of a receiver.
		client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// parseForward checks the URL of the program.
func parseForward(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", errors.New("want a URL, for example http://localhost:3000/webhook")
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.Fragment != "":
		return "", fmt.Errorf("%q is no URL like http://localhost:3000/webhook", text)
	}
	return text, nil
}

// Last returns the ID of the last event that was forwarded, or Config.After.
func (l *Listener) Last() string { return l.last }

// Start finds the current end of the list of events, unless Config.After has the position. It
// reports a wrong address or key at once. Events that are made after it are forwarded by Run.
func (l *Listener) Start(ctx context.Context) error {
	if l.after != "" {
		_, err := l.next(ctx)
		return err
	}
	newest, err := l.newest(ctx)
	if err == nil && len(newest.Events) > 0 {
		l.after = newest.Events[0].ID
	}
	return err
}

// Run forwards events until ctx ends, and returns nil then. If the shop does not answer it tries
// again. Any other error needs the caller's help: a key that was revoked, for example.
func (l *Listener) Run(ctx context.Context) error {
	down := false
	for {
		events, err := l.next(ctx)
		var away *remote.Unavailable
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &away):
			if !down {
				l.print("%v; trying again", err)
			}
			down = true
			if !wait(ctx, max(l.cfg.Pause, away.Wait)) {
				return nil
			}
			continue
		case err != nil:
			return err
		}
		if down {
			l.print("%s answers again", l.cfg.Shop)
			down = false
		}
		for _, e := range events.Events {
			if !l.forward(ctx, e) {
				return nil
			}
			l.last = e.ID
		}
		if events.Next != "" {
			l.cursor = events.Next
		}
		if len(events.Events) == 0 && !wait(ctx, l.cfg.Pause) {
			return nil
		}
	}
}

// forward posts an event until the program responds, with any status. It reports false if ctx ended
// before.
func (l *Listener) forward(ctx context.Context, e v1.Event) bool {
	pause := l.cfg.RetryPause
	for try := 1; ; try++ {
		began := l.cfg.Now()
		status, err := l.deliver(ctx, e)
		if ctx.Err() != nil && err != nil {
			return false
		}
		if err == nil {
			l.print("%s %s of order %s: %s answered %s in %d ms", e.Type, e.ID, e.OrderID, l.cfg.Forward, status, l.cfg.Now().Sub(began).Milliseconds())
			return true
		}
		if try == 1 {
			l.print("%s %s of order %s: %s does not answer (%s); trying again", e.Type, e.ID, e.OrderID, l.cfg.Forward, remote.Reason(err))
		}
		if !wait(ctx, pause) {
			return false
		}
		pause = min(2*pause, 10*l.cfg.RetryPause)
	}
}

// deliver posts an event once and returns the status of the response: "204 No Content".
func (l *Listener) deliver(ctx context.Context, e v1.Event) (string, error) {
	body, err := encodeEvent(e)
	if err != nil {
		return "", err
	}
	header, err := webhook.Sign(e.ID, l.cfg.Now(), body, l.cfg.Secret)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.cfg.Forward, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	header.Set(req.Header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "h5pay listen")
	res, err := l.client.Do(req)
	if err != nil {
		return "", err
	}
	res.Body.Close()
	return res.Status, nil
}

// encodeEvent returns the body of a webhook, which is the same to the byte as that of the shop's
// delivery.
func encodeEvent(e v1.Event) ([]byte, error) {
	return json.Marshal(api.WebhookBody{
		ID: e.ID, Type: e.Type, CreatedAt: e.CreatedAt, Shop: e.Shop, AppID: e.AppID, MchID: e.MchID, Simulated: e.Simulated, Data: e.Data,
	})
}

// print writes one line with the time of day.
func (l *Listener) print(format string, args ...any) {
	fmt.Fprintf(l.cfg.Out, "%s "+format+"\n", append([]any{l.cfg.Now().Format(time.TimeOnly)}, args...)...)
}

// wait waits for d and reports whether ctx is still going on.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
