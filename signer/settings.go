package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/store"
	"h5pay/webhook"
	"h5pay/wechat"
)

// settings are what an operator configures: plain values in wrangler.toml's
// [vars], secrets through `wrangler secret put`, both in .dev.vars for local
// runs.
type settings struct {
	ShopName string    // SHOP_NAME, shown on the page and in the body of an order
	ShopURL  string    // SHOP_URL, the public origin of the shop: "https://shop.example.com"
	Scope    api.Scope // OAUTH_SCOPE, snsapi_base unless set
	// TRADE_TYPES, "JSAPI,NATIVE,MWEB" or some of them, JSAPI unless set. Each
	// needs its product opened at WeChat.
	TradeTypes []api.TradeType

	AppID    string          // WECHAT_APPID, of the service account
	MchID    string          // WECHAT_MCH_ID
	SignType wechat.SignType // WECHAT_SIGN_TYPE, HMAC-SHA256 unless set
	// ManualBalance leaves it to the operator which refunds take the available balance:
	// REFUND_FROM_BALANCE is "manual", not "auto".
	ManualBalance bool
	// BaseURL replaces WeChat's three hosts by one: the simulator. WECHAT_BASE_URL;
	// never set it in production.
	BaseURL string

	// WebhookURL is where the merchant's back end takes events: WEBHOOK_URL, or
	// none. They are signed with WEBHOOK_SECRET and, while that is being changed,
	// with WEBHOOK_SECRET_OLD as well.
	WebhookURL       string
	WebhookSecret    wechat.Secret // at least 32 characters
	WebhookSecretOld wechat.Secret

	// UNPAID_LIMITS, "100,50,200,5000" unless set: how many unpaid orders a signed-in
	// buyer, a guest, the guests of one address and all guests may have.
	Unpaid store.Bounds
	// KEEP_UNPAID_DAYS, 30 unless set: when orders that were never paid are deleted.
	KeepUnpaidDays int
	// DATABASE_MB, 10000 unless set: what the database may grow to, in megabytes. New
	// orders are rejected from 90 % on. D1 has 500 on the free plan.
	DatabaseMB int
	// D1_STATEMENTS, 50 unless set: how many statements an invocation of the Worker may
	// make. D1 has 50 on the free plan and 1000 on the paid plan.
	D1Statements int

	AppSecret  wechat.Secret // WECHAT_APPSECRET
	APIKey     wechat.Secret // WECHAT_API_KEY, the 32 characters of APIv2
	SessionKey wechat.Secret // SESSION_KEY, at least 32 characters, seals the cookies
	// SESSION_KEY_OLD, optional: the SESSION_KEY before, whose cookies still open.
	SessionKeyOld wechat.Secret
	// ADMIN_TOKEN, at least 32 characters, opens the operator's calls; they are off
	// without it.
	AdminToken wechat.Secret
	// SELLING, on unless set to off: then the shop takes no order and begins no payment.
	SellingOff bool
	// PAYER_DAYS, 30 unless set: after how many days an event that is delivered or
	// dead loses the payer.
	PayerDays int
}

// settingError names a setting that is missing or malformed. It never holds
// the value.
type settingError struct {
	Name, Problem string
}

func (e *settingError) Error() string { return fmt.Sprintf("setting %s %s", e.Name, e.Problem) }

// loadSettings reads the settings through getenv, which returns "" for a setting
// that is not set. The error joins a *settingError for every setting that is wrong.
// With an error only AdminToken is set, if it is right: it shows the error.
func loadSettings(getenv func(string) string) (settings, error) {
	s := settings{
		ShopName:      getenv("SHOP_NAME"),
		ShopURL:       getenv("SHOP_URL"),
		Scope:         api.Scope(getenv("OAUTH_SCOPE")),
		AppID:         getenv("WECHAT_APPID"),
		MchID:         getenv("WECHAT_MCH_ID"),
		SignType:      wechat.SignType(getenv("WECHAT_SIGN_TYPE")),
		ManualBalance: getenv("REFUND_FROM_BALANCE") == "manual",
		BaseURL:       getenv("WECHAT_BASE_URL"),
		AppSecret:     wechat.Secret(getenv("WECHAT_APPSECRET")),
		APIKey:        wechat.Secret(getenv("WECHAT_API_KEY")),
		SessionKey:    wechat.Secret(getenv("SESSION_KEY")),
		SessionKeyOld: wechat.Secret(getenv("SESSION_KEY_OLD")),
		AdminToken:    wechat.Secret(getenv("ADMIN_TOKEN")),

		WebhookURL:       getenv("WEBHOOK_URL"),
		WebhookSecret:    wechat.Secret(getenv("WEBHOOK_SECRET")),
		WebhookSecretOld: wechat.Secret(getenv("WEBHOOK_SECRET_OLD")),
	}
	if s.Scope == "" {
		s.Scope = api.ScopeBase
	}
	if s.SignType == "" {
		s.SignType = wechat.SignHMAC
	}
	selling := getenv("SELLING")
	s.SellingOff = selling == "off"
	payerDays, payerDaysOK := parseDays(getenv("PAYER_DAYS"), 30)
	s.PayerDays = payerDays
	unpaidOK := parseBounds(getenv("UNPAID_LIMITS"), &s.Unpaid)
	minKeep := int(order.MinKeepUnpaid / (24 * time.Hour))
	keepOK := parseNumber(getenv("KEEP_UNPAID_DAYS"), int(payment.DefaultKeepUnpaid/(24*time.Hour)), minKeep, 3650, &s.KeepUnpaidDays)
	sizeOK := parseNumber(getenv("DATABASE_MB"), 10_000, 10, 100_000_000, &s.DatabaseMB)
	statementsOK := parseNumber(getenv("D1_STATEMENTS"), payment.MinStatements, payment.MinStatements, 10_000, &s.D1Statements)
	tradeTypes, tradeTypesOK := parseTradeTypes(getenv("TRADE_TYPES"))
	s.TradeTypes = tradeTypes
	var wrong []error
	last := ""
	for _, rule := range []struct {
		name, problem string
		ok            bool
	}{
		{"SHOP_NAME", "is not set", s.ShopName != ""},
		{"SHOP_URL", "is not set", s.ShopURL != ""},
		{"SHOP_URL", "must be an https origin without a path, like https://shop.example.com", isOrigin(s.ShopURL)},
		{"OAUTH_SCOPE", "must be snsapi_base or snsapi_userinfo", s.Scope == api.ScopeBase || s.Scope == api.ScopeUserInfo},
		{"TRADE_TYPES", "must name JSAPI, NATIVE or MWEB, each once at most, with commas between", tradeTypesOK},
		{"UNPAID_LIMITS", "must be four numbers from 1 to 1000000 with commas between: of a buyer, a guest, the guests of an address, all guests", unpaidOK},
		{"KEEP_UNPAID_DAYS", fmt.Sprintf("must be a number from %d to 3650", minKeep), keepOK},
		{"DATABASE_MB", "must be a number from 10 to 100000000", sizeOK},
		{"D1_STATEMENTS", "must be a number from 50 to 10000", statementsOK},
		{"WECHAT_APPID", "is not set", s.AppID != ""},
		{"WECHAT_APPID", "must be wx and 16 letters or digits", isAppID(s.AppID)},
		{"WECHAT_MCH_ID", "is not set", s.MchID != ""},
		{"WECHAT_MCH_ID", "must be 8 to 32 digits", alphabet.Digits.Valid(s.MchID, 8, 32)},
		{"WECHAT_SIGN_TYPE", "must be HMAC-SHA256 or MD5", s.SignType == wechat.SignHMAC || s.SignType == wechat.SignMD5},
		{"REFUND_FROM_BALANCE", "must be auto or manual", slices.Contains([]string{"", "auto", "manual"}, getenv("REFUND_FROM_BALANCE"))},
		{"WECHAT_BASE_URL", "must be an https origin without a path", s.BaseURL == "" || isOrigin(s.BaseURL)},
		{"WECHAT_APPSECRET", "is not set", s.AppSecret != ""},
		{"WECHAT_APPSECRET", "must be 32 letters or digits", alphabet.Alphanumeric.Valid(string(s.AppSecret), 32, 32)},
		{"WECHAT_API_KEY", "is not set", s.APIKey != ""},
		{"WECHAT_API_KEY", "must be 32 letters or digits", alphabet.Alphanumeric.Valid(string(s.APIKey), 32, 32)},
		{"SESSION_KEY", "is not set", s.SessionKey != ""},
		{"SESSION_KEY", "must have at least 32 characters", len(s.SessionKey) >= 32},
		{"SESSION_KEY_OLD", "must have at least 32 characters, or none", s.SessionKeyOld == "" || len(s.SessionKeyOld) >= 32},
		{"ADMIN_TOKEN", "must have at least 32 characters, or none", s.AdminToken == "" || len(s.AdminToken) >= 32},
		{"SELLING", "must be on or off", selling == "" || selling == "on" || selling == "off"},
		{"PAYER_DAYS", "must be a number of days from 1 to 3650", payerDaysOK},
		{"WEBHOOK_URL", "must be an https URL, like https://erp.example.com/h5pay", s.WebhookURL == "" || isEndpoint(s.WebhookURL)},
		{"WEBHOOK_SECRET", "is not set, and WEBHOOK_URL is", s.WebhookURL == "" || s.WebhookSecret != ""},
		{"WEBHOOK_SECRET", "must have at least 32 characters", s.WebhookSecret == "" || len(s.WebhookSecret) >= webhook.MinSecret},
		{"WEBHOOK_SECRET_OLD", "must have at least 32 characters", s.WebhookSecretOld == "" || len(s.WebhookSecretOld) >= webhook.MinSecret},
	} {
		if !rule.ok && rule.name != last {
			wrong = append(wrong, &settingError{rule.name, rule.problem})
			last = rule.name // what else is wrong with it follows from that
		}
	}
	token := !slices.Contains(names(wrong), "ADMIN_TOKEN")
	for _, err := range s.checkSecrets() {
		// A secret that is malformed is named already.
		if name := err.(*settingError).Name; !slices.Contains(names(wrong), name) {
			wrong = append(wrong, err)
			token = token && name != "ADMIN_TOKEN"
		}
	}
	if wrong == nil {
		return s, nil
	}
	var half settings
	if token {
		half.AdminToken = s.AdminToken
	}
	return half, errors.Join(wrong...)
}

// names returns the settings that errors name.
func names(wrong []error) []string {
	var all []string
	for _, err := range wrong {
		all = append(all, err.(*settingError).Name)
	}
	return all
}

// parseNumber reads a whole number within bounds into n, the fallback when there is
// none.
func parseNumber(text string, fallback, least, most int, n *int) bool {
	if text == "" {
		*n = fallback
		return true
	}
	var err error
	*n, err = strconv.Atoi(text)
	return err == nil && *n >= least && *n <= most
}

// parseBounds reads four numbers with commas between, spaces around them allowed.
func parseBounds(list string, b *store.Bounds) bool {
	*b = store.DefaultBounds()
	if list == "" {
		return true
	}
	parts := strings.Split(list, ",")
	into := []*int{&b.Buyer, &b.Guest, &b.NetworkGuests, &b.Guests}
	if len(parts) != len(into) {
		return false
	}
	for i, part := range parts {
		if !parseNumber(strings.TrimSpace(part), 0, 1, 1_000_000, into[i]) || *into[i] == 0 {
			return false
		}
	}
	return true
}

// parseTradeTypes reads a list with commas, spaces around its parts allowed.
func parseTradeTypes(list string) (types []api.TradeType, ok bool) {
	if list == "" {
		return []api.TradeType{api.TradeJSAPI}, true
	}
	for part := range strings.SplitSeq(list, ",") {
		t := api.TradeType(strings.TrimSpace(part))
		if t != api.TradeJSAPI && t != api.TradeNative && t != api.TradeMWEB || slices.Contains(types, t) {
			return nil, false
		}
		types = append(types, t)
	}
	return types, true
}

// parseDays reads a number of days, fallback when there is none.
func parseDays(s string, fallback int) (days int, ok bool) {
	if s == "" {
		return fallback, true
	}
	if !alphabet.Digits.Valid(s, 1, 4) {
		return 0, false
	}
	days, err := strconv.Atoi(s)
	return days, err == nil && days >= 1 && days <= 3650
}

// webhook returns where events go, nil for nowhere.
func (s *settings) webhook(doer wechat.Doer) *outbox.Webhook {
	if s.WebhookURL == "" {
		return nil
	}
	w := &outbox.Webhook{URL: s.WebhookURL, Secrets: []wechat.Secret{s.WebhookSecret}, Doer: doer}
	if s.WebhookSecretOld != "" {
		w.Secrets = append(w.Secrets, s.WebhookSecretOld)
	}
	return w
}

// isOrigin reports whether s is scheme://host[:port] and nothing more, with
// http allowed for this machine only.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme+"://"+u.Host == s && isPrivateTo(u)
}

// isEndpoint reports whether s is a URL that may have a path and a query, with
// http allowed for this machine only.
func isEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.User == nil && u.Fragment == "" && isPrivateTo(u)
}

// isPrivateTo reports whether nobody between here and u's host can listen: https,
// or http to this machine.
func isPrivateTo(u *url.URL) bool {
	if u.Hostname() == "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip.IsLoopback())
}

func isAppID(s string) bool {
	return strings.HasPrefix(s, "wx") && alphabet.Alphanumeric.Valid(s, 18, 18)
}
