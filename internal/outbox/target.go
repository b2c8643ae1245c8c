package outbox

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"h5pay/internal/address"
	"h5pay/internal/order"
	"h5pay/webhook"
	"h5pay/wechat"
)

// target is an endpoint that is ready for deliveries.
type target struct {
	id      string
	url     string
	secrets []string // in the form of webhook.ParseSecret
	doer    wechat.Doer
}

// target returns an endpoint with its opened secrets. It reports false, with a line in the
// log, if the endpoint has no URL, or if another SessionKey has sealed its secret. It counts
// its statements.
func (s *Sender) target(ctx context.Context, e order.Endpoint, statements *int) (target, bool, error) {
	if e.ID == order.SettingsEndpoint {
		w := s.cfg.Webhook
		if w == nil {
			return target{}, false, nil // its events wait until there is one
		}
		if e.State == order.EndpointUnset {
			*statements++
			if _, err := s.cfg.Store.MoveEndpoint(ctx, e.ID, order.EndpointUnset, order.EndpointEnabled, s.now()); err != nil {
				return target{}, false, err
			}
		}
		t := target{id: e.ID, url: w.URL, doer: w.Doer}
		for _, secret := range w.Secrets {
			t.secrets = append(t.secrets, string(secret))
		}
		return t, true, nil
	}
	opened, err := s.open(e)
	if err != nil {
		s.logger(ctx).Error("the secret of an endpoint cannot be opened with SESSION_KEY: change the secret", "endpoint", e.ID)
		return target{}, false, nil
	}
	if opened.former {
		*statements++
		if err := s.sealAgain(ctx, e, opened); err != nil {
			return target{}, false, err
		}
	}
	return target{e.ID, e.URL, opened.texts, s.cfg.EndpointDoer}, true, nil
}

// opened has the secrets of an endpoint that sign now, the current one first.
type opened struct {
	texts  []string
	former bool // SessionKeyOld has sealed one
}

// open opens the secrets of an endpoint. The error does not contain them.
func (s *Sender) open(e order.Endpoint) (opened, error) {
	current, former, err := s.box.Open(e.Secret, e.ID)
	if err != nil {
		return opened{}, err
	}
	o := opened{[]string{string(current)}, former}
	if e.SecretOld == "" || !s.now().Before(e.OldUntil) {
		return o, nil
	}
	old, former, err := s.box.Open(e.SecretOld, e.ID)
	if err != nil {
		return opened{}, err
	}
	return opened{append(o.texts, string(old)), o.former || former}, nil
}

// CanSign reports whether the secrets of an endpoint can be opened.
func (s *Sender) CanSign(e order.Endpoint) bool {
	if e.ID == order.SettingsEndpoint {
		return s.cfg.Webhook != nil
	}
	_, err := s.open(e)
	return err == nil
}

// SealAgain seals the secrets that SessionKeyOld has sealed with SessionKey, for all
// endpoints. Then SessionKeyOld can be removed. Deliver does the same for endpoints that get
// events.
func (s *Sender) SealAgain(ctx context.Context) error {
	if !s.box.HasFormer() {
		return nil
	}
	all, err := s.cfg.Store.Endpoints(ctx)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.ID == order.SettingsEndpoint {
			continue
		}
		if o, openErr := s.open(e); openErr == nil && o.former {
			if err := s.sealAgain(ctx, e, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealAgain seals the secrets of an endpoint with SessionKey.
func (s *Sender) sealAgain(ctx context.Context, e order.Endpoint, o opened) error {
	after := e
	var err error
	if after.Secret, err = s.box.Seal(s.cfg.Rand, []byte(o.texts[0]), e.ID); err != nil {
		return err
	}
	after.SecretOld = ""
	if len(o.texts) > 1 {
		if after.SecretOld, err = s.box.Seal(s.cfg.Rand, []byte(o.texts[1]), e.ID); err != nil {
			return err
		}
	}
	return s.cfg.Store.SealEndpoint(ctx, e, after)
}

// URLProblem returns why the URL of a new endpoint is invalid, "" if it is valid. The URL
// must be https and may not name a private address. In a shop with a simulator it may also be
// http on this machine. A name may still resolve to a private address: Config.EndpointDoer
// rejects it where the platform could reach it.
func (s *Sender) URLProblem(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(text, " \t\r\n") {
		return "want a URL like https://www.example.com/hook, without a user and a fragment"
	}
	local := isLocal(u.Hostname())
	switch {
	case local && s.cfg.Simulated && (u.Scheme == "http" || u.Scheme == "https"):
		return ""
	case u.Scheme != "https":
		return "want https"
	case local || isPrivate(u.Hostname()):
		return "want a public address"
	}
	return ""
}

// isLocal reports whether a host is this machine by its name.
func isLocal(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// isPrivate reports whether a host is an address that is not public. Digits and dots that are
// not an address count as private, because some systems accept "127.1" or "2130706433".
func isPrivate(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return !address.IsPublic(addr)
	}
	last := host[strings.LastIndex(strings.TrimSuffix(host, "."), ".")+1:]
	return strings.Trim(last, "0123456789.") == "" || strings.HasPrefix(strings.ToLower(last), "0x") || !strings.Contains(host, ".")
}

// newSecret returns a random secret of an endpoint, plain and sealed.
func (s *Sender) newSecret(id string) (secret, sealed string, err error) {
	secret = webhook.NewSecret()
	sealed, err = s.box.Seal(s.cfg.Rand, []byte(secret), id)
	return secret, sealed, err
}
