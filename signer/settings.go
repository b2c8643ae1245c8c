package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/doctor"
	"h5pay/internal/order"
	"h5pay/internal/origin"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/store"
	"h5pay/webhook"
	"h5pay/wechat"
)

// settings are the operator's configuration: plain values in [vars] of wrangler.toml, secrets
// through `wrangler secret put`, and both in .dev.vars for local runs.
type settings struct {
	ShopName string    // SHOP_NAME, shown on the page and sent to WeChat as the order's description
	ShopURL  string    // SHOP_URL, the public origin of the shop, for example "https://shop.example.com"
	Scope    api.Scope // OAUTH_SCOPE, default snsapi_base
	// TRADE_TYPES, a list of JSAPI, NATIVE and MWEB, default JSAPI. Each requires its product at
	// WeChat Pay.
	TradeTypes []api.TradeType

	// RETURN_HOSTS, optional: the hosts to which the return_url of an order may lead, for example
	// "www.example.com,localhost:3000".
	ReturnHosts []string

	AppID    string          // WECHAT_APPID, of the service account
	MchID    string          // WECHAT_MCH_ID
	SignType wechat.SignType // WECHAT_SIGN_TYPE, default HMAC-SHA256
	// ManualBalance leaves refunds from the available balance to the operator: REFUND_FROM_BALANCE
	// is "manual" and not "auto".
	ManualBalance bool
	// RefundConfirm is the amount in fen from which on refunds of an order need a second person, 0
	// for none: REFUND_CONFIRM_FEN.
	RefundConfirm int
	// BaseURL replaces WeChat's three hosts with the simulator: WECHAT_BASE_URL. Never set it in
	// production.
	BaseURL string

	// WebhookURL is the merchant's endpoint for events: WEBHOOK_URL, or empty. Events are signed
	// with WEBHOOK_SECRET. During a rotation they are also signed with WEBHOOK_SECRET_OLD.
	WebhookURL       string
	WebhookSecret    wechat.Secret // in the form of webhook.ParseSecret
	WebhookSecretOld wechat.Secret

	// UNPAID_LIMITS, default "100,50,200,5000": the limits of unpaid orders of a signed-in buyer, a
	// guest, the guests of one address and all guests.
	Unpaid store.Bounds
	// KEEP_UNPAID_DAYS, default 30: orders that were never paid are deleted after this time.
	KeepUnpaidDays int
	// DATABASE_MB, default 10000: the maximum size of the database in megabytes. New orders are
	// rejected from 90 % on. D1's free plan allows 500.
	DatabaseMB int
	// D1_STATEMENTS, default 50: how many statements one invocation of the Worker may run. D1
	// allows 50 on the free plan and 1000 on the paid plan.
	D1Statements int

	AppSecret wechat.Secret // WECHAT_APPSECRET
	// WECHAT_API_KEY, the 32 characters of APIv2. It is optional if APIv3 is set up.
	APIKey wechat.Secret
	// API is the version of new payments: WECHAT_API, default v3 when APIv3 is set up, else v2.
	API wechat.Version
	APIv3
	SessionKey wechat.Secret // SESSION_KEY, at least 32 characters, encrypts the cookies
	// SESSION_KEY_OLD, optional: the previous SESSION_KEY. Its cookies are still accepted.
	SessionKeyOld wechat.Secret
	// ADMIN_TOKEN, at least 32 characters, authorises the operator's calls. Without it they are
	// disabled.
	AdminToken wechat.Secret
	// SELLING, default on. With off the shop accepts no orders and starts no payments.
	SellingOff bool
	// PAYER_DAYS, default 30: the payer is removed from delivered and dead events after this time.
	PayerDays int
}

// settingError names a setting that is missing or malformed. It never contains the value.
type settingError struct {
	Name, Problem string
}

func (e *settingError) Error() string { return fmt.Sprintf("setting %s %s", e.Name, e.Problem) }

// Cause returns the cause of the error and the setting.
func (e *settingError) Cause() (cause.ID, string) {
	switch {
	case strings.HasPrefix(e.Problem, "is not set"), strings.HasPrefix(e.Problem, "must be set"):
		return cause.SettingMissing, e.Name
	case strings.HasPrefix(e.Problem, exampleValue):
		return cause.SecretExample, e.Name
	case strings.HasPrefix(e.Problem, guessable):
		return cause.SecretWeak, e.Name
	case strings.HasPrefix(e.Problem, "must differ"):
		return cause.SecretRepeated, e.Name
	case strings.Contains(e.Problem, "merchant's own key"):
		return cause.PublicKeyOwn, e.Name
	}
	return cause.SettingMalformed, e.Name
}

// unreadableError is the error of a setting whose value cannot be read.
type unreadableError struct {
	Name string
	err  error
}

func (e *unreadableError) Error() string { return e.err.Error() }
func (e *unreadableError) Unwrap() error { return e.err }

// Cause returns the cause of the error and the setting.
func (e *unreadableError) Cause() (cause.ID, string) { return cause.SettingMalformed, e.Name }

// joinSettingErrors joins the errors of loadSettings and those of the platform, one for each wrong setting. A
// value that cannot be read counts as unset for loadSettings; only the platform's error names the cause.
func joinSettingErrors(shop, platform error) error {
	if platform == nil {
		return shop
	}
	others := splitErrors(platform)
	unreadable := map[string]bool{}
	for _, err := range others {
		if e, ok := err.(*unreadableError); ok {
			unreadable[e.Name] = true
		}
	}
	all := slices.DeleteFunc(splitErrors(shop), func(err error) bool {
		e, ok := err.(*settingError)
		return ok && unreadable[e.Name]
	})
	return errors.Join(append(all, others...)...)
}

// splitErrors returns the errors that err joins, also where joined errors are joined.
func splitErrors(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
	case !ok:
		all = []error{err}
	default:
		for _, err := range joined.Unwrap() {
			all = append(all, splitErrors(err)...)
		}
	}
	return all
}

// loadSettings reads the settings through getenv, which returns "" for an unset one. The error
// joins a *settingError for every invalid setting. With an error, only AdminToken is set, and only
// if it is valid, so that the health page can show the error.
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
		APIv3:         loadAPIv3(getenv),
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
	confirmOK := parseNumber(getenv("REFUND_CONFIRM_FEN"), 0, 0, int(order.MaxTotal), &s.RefundConfirm)
	statementsOK := parseNumber(getenv("D1_STATEMENTS"), payment.MinStatements, payment.MinStatements, 10_000, &s.D1Statements)
	apiOK := s.chooseAPI(getenv("WECHAT_API"))
	tradeTypes, tradeTypesOK := parseTradeTypes(getenv("TRADE_TYPES"))
	s.TradeTypes = tradeTypes
	hosts, hostsOK := parseHosts(getenv("RETURN_HOSTS"))
	s.ReturnHosts = hosts
	var wrong []error
	lastName := ""
	for _, rule := range []struct {
		name, problem string
		ok            bool
	}{
		{"SHOP_NAME", "is not set", s.ShopName != ""},
		{"SHOP_NAME", "must have no control character", !strings.ContainsFunc(s.ShopName, unicode.IsControl)},
		{"SHOP_NAME", fmt.Sprintf("must be shorter for MWEB: at most %d bytes together with SHOP_URL", payment.MaxMWEBScene), payment.FitsMWEB(s.TradeTypes, s.ShopURL, s.ShopName)},
		{"SHOP_URL", "is not set", s.ShopURL != ""},
		{"SHOP_URL", "must be an https origin without a path, like https://shop.example.com", origin.Valid(s.ShopURL)},
		{"SHOP_URL", fmt.Sprintf("must have at most %d characters", payment.MaxShopURL), len(s.ShopURL) <= payment.MaxShopURL},
		{"OAUTH_SCOPE", "must be snsapi_base or snsapi_userinfo", s.Scope == api.ScopeBase || s.Scope == api.ScopeUserInfo},
		{"TRADE_TYPES", "must list JSAPI, NATIVE or MWEB, separated by commas, each at most once", tradeTypesOK},
		{"RETURN_HOSTS", "must list hosts in lower case, separated by commas, like www.example.com,localhost:3000", hostsOK},
		{"UNPAID_LIMITS", "must be four numbers from 1 to 1000000, separated by commas: for a buyer, a guest, the guests of an address, all guests", unpaidOK},
		{"KEEP_UNPAID_DAYS", fmt.Sprintf("must be a number from %d to 3650", minKeep), keepOK},
		{"DATABASE_MB", "must be a number from 10 to 100000000", sizeOK},
		{"D1_STATEMENTS", fmt.Sprintf("must be a number from %d to 10000", payment.MinStatements), statementsOK},
		{"WECHAT_APPID", "is not set", s.AppID != ""},
		{"WECHAT_APPID", "must be wx followed by 16 letters or digits", isAppID(s.AppID)},
		{"WECHAT_MCH_ID", "is not set", s.MchID != ""},
		{"WECHAT_MCH_ID", "must be 8 to 32 digits", alphabet.Digits.Valid(s.MchID, 8, 32)},
		{"WECHAT_PUBLIC_KEY", "must be corrected: it is the merchant's own key or certificate, want WeChat Pay's", !s.APIv3.own || s.API != wechat.V3 && !s.APIv3.complete()},
		{"WECHAT_SIGN_TYPE", "must be HMAC-SHA256 or MD5", s.SignType == wechat.SignHMAC || s.SignType == wechat.SignMD5},
		{"REFUND_FROM_BALANCE", "must be auto or manual", slices.Contains([]string{"", "auto", "manual"}, getenv("REFUND_FROM_BALANCE"))},
		{"REFUND_CONFIRM_FEN", fmt.Sprintf("must be a number of fen from 0 to %d", order.MaxTotal), confirmOK},
		{"WECHAT_BASE_URL", "must be empty or an https origin without a path", s.BaseURL == "" || origin.Valid(s.BaseURL)},
		{"WECHAT_APPSECRET", "is not set", s.AppSecret != ""},
		{"WECHAT_APPSECRET", "must be 32 letters or digits", alphabet.Alphanumeric.Valid(string(s.AppSecret), 32, 32)},
		{"WECHAT_API", "must be v2 or v3", apiOK},
		{"WECHAT_API_KEY", "must be set for APIv2, or for APIv3: WECHAT_MCH_KEY, WECHAT_MCH_SERIAL, WECHAT_APIV3_KEY, WECHAT_PUBLIC_KEY and WECHAT_PUBLIC_KEY_ID", s.APIKey != "" || s.API == wechat.V3},
		{"WECHAT_API_KEY", "must be 32 letters or digits", s.APIKey == "" || alphabet.Alphanumeric.Valid(string(s.APIKey), 32, 32)},
		{"SESSION_KEY", "is not set", s.SessionKey != ""},
		{"SESSION_KEY", "must have at least 32 characters", len(s.SessionKey) >= 32},
		{"SESSION_KEY_OLD", "must be empty or have at least 32 characters", s.SessionKeyOld == "" || len(s.SessionKeyOld) >= 32},
		{"ADMIN_TOKEN", "must be empty or have at least 32 characters", s.AdminToken == "" || len(s.AdminToken) >= 32},
		{"SELLING", "must be on or off", selling == "" || selling == "on" || selling == "off"},
		{"PAYER_DAYS", "must be a number of days from 1 to 3650", payerDaysOK},
		{"WEBHOOK_URL", "must be an https URL, like https://erp.example.com/h5pay", s.WebhookURL == "" || isEndpoint(s.WebhookURL)},
		{"WEBHOOK_SECRET", "must be set, because WEBHOOK_URL is set", s.WebhookURL == "" || s.WebhookSecret != ""},
		{"WEBHOOK_SECRET", webhookSecretForm, s.WebhookSecret == "" || isWebhookSecret(s.WebhookSecret)},
		{"WEBHOOK_SECRET_OLD", webhookSecretForm, s.WebhookSecretOld == "" || isWebhookSecret(s.WebhookSecretOld)},
	} {
		if !rule.ok && rule.name != lastName {
			wrong = append(wrong, &settingError{rule.name, rule.problem})
			lastName = rule.name // later problems of the same setting follow from this one
		}
	}
	if s.API == wechat.V3 {
		wrong = append(wrong, s.APIv3.problems...)
	}
	token := !slices.Contains(names(wrong), "ADMIN_TOKEN")
	for _, err := range s.checkSecrets() {
		// checkSecrets may repeat a setting that is already in the list.
		if name := err.(*settingError).Name; !slices.Contains(names(wrong), name) {
			wrong = append(wrong, err)
			token = token && name != "ADMIN_TOKEN"
		}
	}
	if wrong == nil {
		return s, nil
	}
	var partial settings
	if token {
		partial.AdminToken = s.AdminToken
	}
	return partial, errors.Join(wrong...)
}

// parseHosts reads a list of hosts, each with a port or without.
func parseHosts(list string) (hosts []string, ok bool) {
	if list == "" {
		return nil, true
	}
	for host := range strings.SplitSeq(list, ",") {
		host = strings.TrimSpace(host)
		u, err := url.Parse("https://" + host)
		if err != nil || host == "" || u.Host != host || u.Hostname() == "" || host != strings.ToLower(host) || strings.Contains(host, "*") {
			return nil, false
		}
		hosts = append(hosts, host)
	}
	return hosts, true
}

// names returns the settings that the errors name.
func names(wrong []error) []string {
	var all []string
	for _, err := range wrong {
		all = append(all, err.(*settingError).Name)
	}
	return all
}

// parseNumber parses an integer from least to most into n. An empty text gives fallback.
func parseNumber(text string, fallback, least, most int, n *int) bool {
	if text == "" {
		*n = fallback
		return true
	}
	var err error
	*n, err = strconv.Atoi(text)
	return err == nil && *n >= least && *n <= most
}

// parseBounds parses four numbers, separated by commas and optional spaces.
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

// parseTradeTypes parses a list, separated by commas and optional spaces.
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

// parseDays parses a number of days. An empty text gives fallback.
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

// webhook returns the webhook endpoint, nil if there is none.
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

// endpoints returns the webhook endpoints for the doctor.
func (s *settings) endpoints(doer wechat.Doer) []doctor.Endpoint {
	w := s.webhook(doer)
	if w == nil {
		return nil
	}
	return []doctor.Endpoint{{URL: w.URL, Secrets: w.Secrets, Doer: w.Doer}}
}

// webhookSecretForm is what a webhook secret must be, and how to get one.
const webhookSecretForm = "must be whsec_ and the base64 of 24 to 64 random bytes: generate one with " + drawWebhookSecret

const drawWebhookSecret = "`echo \"whsec_$(openssl rand -base64 32)\"`"

func isWebhookSecret(s wechat.Secret) bool {
	_, err := webhook.ParseSecret(string(s))
	return err == nil
}

// isEndpoint reports whether s is a URL, which may have a path and a query. http is allowed only
// for this machine.
func isEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.User == nil && u.Fragment == "" && origin.IsSecure(u)
}

func isAppID(s string) bool {
	return strings.HasPrefix(s, "wx") && alphabet.Alphanumeric.Valid(s, 18, 18)
}
