package listen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// maxAnswer bounds a response of the shop. A list of 20 events has about 40 KB.
const maxAnswer = 16 << 20

// unreachable is the error of a shop that does not answer now, and may later.
type unreachable struct {
	why  string
	wait time.Duration // the shop's Retry-After; 0 without one
}

func (u *unreachable) Error() string { return u.why }

// next reads the next part of the shop's events, oldest first.
func (l *Listener) next(ctx context.Context) (v1.Events, error) {
	query := url.Values{"order": {string(v1.OldestFirst)}}
	if l.cursor != "" {
		query.Set("cursor", l.cursor)
	} else if l.after != "" {
		query.Set("after", l.after)
	}
	return l.list(ctx, query)
}

// newest reads the last event that was made.
func (l *Listener) newest(ctx context.Context) (v1.Events, error) {
	return l.list(ctx, url.Values{"order": {string(v1.NewestFirst)}, "limit": {"1"}})
}

// list reads a part of the shop's events.
func (l *Listener) list(ctx context.Context, query url.Values) (v1.Events, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.cfg.Shop+"/v1/events?"+query.Encode(), nil)
	if err != nil {
		return v1.Events{}, err
	}
	req.Header.Set("Authorization", "Bearer "+l.cfg.Key)
	req.Header.Set("User-Agent", "h5pay listen")
	res, err := l.client.Do(req)
	if err != nil {
		return v1.Events{}, &unreachable{why: fmt.Sprintf("the shop %s does not answer (%s): check -shop, and that the shop runs", l.cfg.Shop, reason(err))}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return v1.Events{}, &unreachable{why: fmt.Sprintf("the response of %s breaks off (%s)", l.cfg.Shop, reason(err))}
	}
	var events v1.Events
	if res.StatusCode == http.StatusOK && json.Unmarshal(text, &events) == nil && events.Events != nil {
		return events, nil
	}
	return v1.Events{}, l.explain(res, text)
}

// explain returns the error of a response that is no list of events.
func (l *Listener) explain(res *http.Response, text []byte) error {
	var rejected v1.Error
	_ = json.Unmarshal(text, &rejected) // without a code it is another server
	switch {
	case rejected.Code == api.CodeUnauthenticated:
		return fmt.Errorf("the shop %s rejects the API key (%s): make one with the scope read by POST /v1/keys, and set H5PAY_KEY", l.cfg.Shop, rejected.Message)
	case rejected.Code == v1.CodeScopeMissing:
		return errors.New("the API key lacks the scope read: make another one by POST /v1/keys, and set H5PAY_KEY")
	case rejected.Field == "after":
		return fmt.Errorf("-after: the shop %s has no event %s: omit -after to begin with new events", l.cfg.Shop, l.after)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // 0 if it is missing
		return &unreachable{
			why:  fmt.Sprintf("the shop %s answers %s %s", l.cfg.Shop, res.Status, rejected.Code),
			wait: time.Duration(min(max(seconds, 0), 60)) * time.Second,
		}
	case rejected.Code == "":
		return fmt.Errorf("%s is not a shop of h5pay (%s without a list of events): check -shop", l.cfg.Shop, res.Status)
	}
	return fmt.Errorf("the shop %s rejects the call: %s", l.cfg.Shop, rejected.Message)
}

// reason returns why a call has no response, without its URL.
func reason(err error) string {
	var wrapped *url.Error
	switch {
	case errors.As(err, &wrapped) && wrapped.Timeout():
		return "no response in time"
	case errors.As(err, &wrapped):
		err = wrapped.Err
	}
	return err.Error()
}

// parseURL checks a URL of http or https, and removes the slash at the end of one without a path.
func parseURL(text string, path bool) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", errors.New("want a URL, for example http://localhost:3000/webhook")
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.Fragment != "":
		return "", fmt.Errorf("%q is no URL like http://localhost:3000/webhook", text)
	case !path && (strings.Trim(u.Path, "/") != "" || u.RawQuery != ""):
		return "", fmt.Errorf("%q has a path: want the shop's address alone, like https://shop.example.com", text)
	case !path:
		return u.Scheme + "://" + u.Host, nil
	}
	return text, nil
}
