//go:build !js

package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/cause"
	"h5pay/internal/demo"
	"h5pay/internal/edge"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// Nothing is wrong with a shop whose settings are right, whatever keys the merchant has.
func TestDoctorFindsNothingInARightShop(t *testing.T) {
	t.Parallel()
	for _, merchant := range []string{"v2", "v3", "certificates", "mixed"} {
		t.Run(merchant, func(t *testing.T) {
			t.Parallel()
			w := newDoctorWorld(t, merchant, wechattest.Config{})
			w.downloads = merchant == "certificates" || merchant == "mixed"
			w.serve()
			for _, args := range [][]string{nil, {"-offline"}} {
				if got := w.diagnose(args...); len(got) > 0 {
					t.Errorf("%v: %+v", args, got)
				}
			}
			for lang, well := range map[string]string{"zh": "没有发现故障。", "en": "Nothing is wrong."} {
				status, stdout, stderr := runCommand(t, w.env, "doctor", "-offline", "-lang", lang)
				if status != 0 || !strings.HasSuffix(stdout, well+"\n") || stderr != "" {
					t.Errorf("%d\n%s%s", status, stdout, stderr)
				}
			}
			// The same by the shop itself, and its address from here.
			w.env["H5PAY_KEY"] = w.env["ADMIN_TOKEN"]
			if got := w.diagnose("-shop", w.env["SHOP_URL"]); len(got) > 0 {
				t.Errorf("-shop: %+v", got)
			}
		})
	}
}

// A signature that WeChat made wrongly on purpose, and a call that failed once, are no faults.
func TestDoctorRepeatsCalls(t *testing.T) {
	t.Parallel()
	w := newDoctorWorld(t, "v3", wechattest.Config{})
	w.serve()
	for _, f := range []wechattest.Fault{{Kind: wechattest.FaultV3Probe, Path: wechattest.PathV3QueryOutTradeNo}, {Kind: wechattest.FaultSystemError, Path: "/sns/oauth2/access_token"}} {
		if err := w.sim.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.diagnose(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// The command adds what a Worker cannot check, and the texts that it does not send. If the shop cannot be
// reached, or something else responds, that is the cause.
func TestDoctorAsksARunningShop(t *testing.T) {
	t.Parallel()
	const key = "h5pay_key_of_the_test"
	var status int
	var page string
	var shop *httptest.Server
	shop = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case page != "":
			rw.WriteHeader(status)
			io.WriteString(rw, page)
		case r.Method == http.MethodPost:
			rw.Header().Set("Cf-Mitigated", "challenge")
			rw.WriteHeader(http.StatusForbidden)
		case r.Header.Get("Authorization") != "Bearer "+key || r.URL.RequestURI() != "/v1/checks?network=true":
			rw.WriteHeader(http.StatusUnauthorized)
			io.WriteString(rw, `{"code":"unauthenticated","message":"the API key is unknown"}`)
		default:
			json.NewEncoder(rw).Encode(v1.Checks{Network: true, Probe: &v1.Probe{URL: shop.URL + "/api/notify/pay", Token: "t"}, Checks: []v1.CheckResult{
				{ID: "sign_in", Status: v1.CheckFail, Cause: "appsecret_wrong", Setting: "WECHAT_APPSECRET"},
				{ID: "notify_url", Status: v1.CheckSkipped}, {ID: "echo", Status: v1.CheckFail, Cause: "echo_not_received"},
			}})
		}
	}))
	t.Cleanup(shop.Close)
	w := &doctorWorld{t: t, env: map[string]string{"H5PAY_KEY": key}}
	got := w.diagnose("-shop", shop.URL)
	if len(got) != 2 || got[0].Cause != "appsecret_wrong" || got[1].Cause != "notify_challenged" || got[0].ZH.Menu == "" {
		t.Errorf("%+v", got)
	}
	status, page = http.StatusServiceUnavailable, "<title>Just a moment...</title>"
	w.want(w.diagnose("-shop", shop.URL), cause.NotifyChallenged)
	status, page = http.StatusTooManyRequests, `{"code":"rate_limited","message":"the checks ran just now"}`
	if status, _, text := runCommand(t, w.env, "doctor", "-shop", shop.URL); status != 1 || !strings.Contains(text, "the checks ran just now") {
		t.Errorf("%d %s", status, text)
	}
	w.want(w.diagnose("-shop", closedPort), cause.NotifyRefused)
	for _, args := range [][]string{{"-shop", "shop.example.com"}, {"-shop", shop.URL, "-offline"}, {"-lang", "fr"}, {"-shop", shop.URL + "/x"}, {"-shop", "http://shop.example.com"}} {
		if status, _, text := runCommand(t, w.env, append([]string{"doctor"}, args...)...); status != 2 || strings.Contains(text, key) {
			t.Errorf("%v: %d %s", args, status, text)
		}
	}
	if status, _, text := runCommand(t, nil, "doctor"); status != 2 || !strings.Contains(text, "-config") {
		t.Errorf("without settings: %d %s", status, text)
	}
	if status, _, text := runCommand(t, nil, "doctor", "-shop", shop.URL); status != 2 || !strings.Contains(text, "H5PAY_KEY") {
		t.Errorf("without a key: %d %s", status, text)
	}
}

// produced collects the causes that the tests of this file have produced.
type produced struct {
	mu   sync.Mutex
	seen map[cause.ID]bool
}

func (p *produced) note(id cause.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[id] = true
}

// The doctor names each fault, and nothing else. The faults are of all rows of the table of causes.
func TestDoctorNamesEveryCause(t *testing.T) {
	t.Parallel()
	all := &produced{seen: map[cause.ID]bool{}}
	t.Run("faults", func(t *testing.T) {
		faultsByCalls(t, all)
		faultsInSettings(t, all)
		faultsInDatabase(t, all)
		faultsBeforeShop(t, all)
		faultsOfOperator(t, all)
		faultsOfPlatform(t, all)
		faultsOfNodes(t, all)
	})
	for _, row := range cause.Rows() {
		if !all.seen[row.ID] {
			t.Errorf("no test produces %s", row.ID)
		}
	}
}

// set is a change of a setting.
func set(name, value string) func(*doctorWorld) { return func(w *doctorWorld) { w.env[name] = value } }

// play is a fault of the simulator.
func play(kind, path string) func(*doctorWorld) {
	return func(w *doctorWorld) { w.fault(kind, path) }
}

// answer is a back end that responds with a status to every event.
func answer(status int) func(*doctorWorld) {
	return func(w *doctorWorld) {
		w.receiver = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) }
	}
}

// closedPort is the origin of a port on which nobody listens: the system gives it to no listener, as
// it might do with one that was free a moment ago.
const closedPort = "http://127.0.0.1:1"

// faultsByCalls are those that only calls find. The shop runs with the fault.
func faultsByCalls(t *testing.T, all *produced) {
	const other32 = "abcdefghijklmnopqrstuvwxyz012345"
	for name, tt := range map[string]struct {
		merchant string
		cfg      wechattest.Config
		change   func(*doctorWorld) // of the settings, before the shop runs
		then     func(*doctorWorld) // while it runs
		want     cause.ID
	}{
		"appid, v2":                 {"v2", wechattest.Config{}, set("WECHAT_APPID", "wx0000000000000001"), nil, cause.AppIDUnknown},
		"appid, v3":                 {"v3", wechattest.Config{}, set("WECHAT_APPID", "wx0000000000000001"), nil, cause.AppIDUnknown},
		"secret":                    {"v3", wechattest.Config{}, set("WECHAT_APPSECRET", other32), nil, cause.AppSecretWrong},
		"merchant number, v2":       {"v2", wechattest.Config{}, set("WECHAT_MCH_ID", "1900000999"), nil, cause.MchIDUnknown},
		"merchant number, v3":       {"v3", wechattest.Config{}, set("WECHAT_MCH_ID", "1900000999"), nil, cause.MchIDUnknown},
		"key of APIv2":              {"v2", wechattest.Config{}, set("WECHAT_API_KEY", other32), nil, cause.V2KeyWrong},
		"key of APIv2, mixed":       {"mixed", wechattest.Config{}, set("WECHAT_API_KEY", other32), nil, cause.V2KeyWrong},
		"serial":                    {"v3", wechattest.Config{}, set("WECHAT_MCH_SERIAL", "4012345678901234567890123456789012345678"), nil, cause.MchSerialWrong},
		"private key":               {"v3", wechattest.Config{}, func(w *doctorWorld) { w.env["WECHAT_MCH_KEY"] = privatePEM(t, otherKey()) }, nil, cause.MchKeyWrong},
		"private key, certificates": {"certificates", wechattest.Config{}, func(w *doctorWorld) { w.env["WECHAT_MCH_KEY"] = privatePEM(t, otherKey()) }, nil, cause.MchKeyWrong},
		"revoked":                   {"v3", wechattest.Config{}, func(w *doctorWorld) { w.sim.RotateV3MerchantKey(); w.sim.RevokeV3MerchantKeys() }, nil, cause.MchCertRevoked},
		"expired":                   {"v3", wechattest.Config{}, nil, play(wechattest.FaultCertExpired, ""), cause.MchCertExpired},
		"public key":                {"v3", wechattest.Config{}, func(w *doctorWorld) { w.env["WECHAT_PUBLIC_KEY"] = publicPEM(t, otherKey()) }, nil, cause.PublicKeyWrong},
		"ID of the public key":      {"v3", wechattest.Config{}, set("WECHAT_PUBLIC_KEY_ID", "PUB_KEY_ID_0000000000000000000000000001"), nil, cause.PublicKeyIDWrong},
		"no certificates": {"v3", wechattest.Config{}, func(w *doctorWorld) {
			w.env["WECHAT_PUBLIC_KEY"], w.env["WECHAT_PUBLIC_KEY_ID"], w.env["WECHAT_CERTIFICATES"] = "", "", "on"
		}, nil, cause.CertificatesNotIssued},
		"public key of nobody": {"v3", wechattest.Config{}, nil, func(w *doctorWorld) {
			if err := w.sim.SetV3Mode(wechattest.V3Certificates); err != nil {
				t.Fatal(err)
			}
		}, cause.PublicKeyIDWrong},
		"public key, mixed":           {"mixed", wechattest.Config{}, func(w *doctorWorld) { w.env["WECHAT_PUBLIC_KEY"] = publicPEM(t, otherKey()) }, nil, cause.PublicKeyWrong},
		"certificates expire":         {"certificates", wechattest.Config{}, nil, play(wechattest.FaultCertificatesExpiring, ""), cause.CertificatesExpiring},
		"key of APIv3":                {"v3", wechattest.Config{}, set("WECHAT_APIV3_KEY", other32), nil, cause.APIv3KeyWrong},
		"key of APIv3, certificates":  {"certificates", wechattest.Config{}, set("WECHAT_APIV3_KEY", other32), nil, cause.APIv3KeyWrong},
		"clock ahead":                 {"v3", wechattest.Config{}, nil, play(wechattest.FaultV3ClockAhead, wechattest.PathV3QueryOutTradeNo), cause.ClockOff},
		"clock behind":                {"v3", wechattest.Config{}, nil, play(wechattest.FaultV3ClockBehind, wechattest.PathV3QueryOutTradeNo), cause.ClockOff},
		"no WeChat":                   {"v3", wechattest.Config{}, set("WECHAT_BASE_URL", closedPort), nil, cause.WeChatUnreachable},
		"gateway":                     {"v2", wechattest.Config{}, nil, play(wechattest.FaultBadGateway, ""), cause.WeChatUnreachable},
		"intercepted":                 {"v3", wechattest.Config{}, nil, play(wechattest.FaultIntercepted, ""), cause.WeChatIntercepted},
		"intercepted, v2":             {"v2", wechattest.Config{}, nil, play(wechattest.FaultIntercepted, ""), cause.WeChatIntercepted},
		"declined":                    {"v3", wechattest.Config{}, nil, play(wechattest.FaultV3TooMany, wechattest.PathV3QueryOutTradeNo), cause.WeChatDeclined},
		"not bound, v2":               {"v2", wechattest.Config{}, nil, play(wechattest.FaultAppIDNotBound, wechattest.PathOrder), cause.AppIDNotBound},
		"not bound, v3":               {"v3", wechattest.Config{}, nil, play(wechattest.FaultAppIDNotBound, wechattest.PathOrder), cause.AppIDNotBound},
		"no product, v2":              {"v2", wechattest.Config{}, nil, play(wechattest.FaultNoPermission, wechattest.PathOrder), cause.ProductMissing},
		"no product, v3":              {"v3", wechattest.Config{}, nil, play(wechattest.FaultNoPermission, wechattest.PathOrder), cause.ProductMissing},
		"address":                     {"v3", wechattest.Config{}, nil, play(wechattest.FaultIPNotListed, ""), cause.IPNotListed},
		"frozen":                      {"v3", wechattest.Config{}, nil, play(wechattest.FaultSecretFrozen, ""), cause.AppSecretFrozen},
		"no web authorization":        {"v3", wechattest.Config{}, nil, play(wechattest.FaultNoWebAuthorization, ""), cause.WebAuthorizationMissing},
		"sign-in domain":              {"v3", wechattest.Config{OAuthDomain: "other.example"}, nil, nil, cause.SignInDomainWrong},
		"echo lost":                   {"v3", wechattest.Config{}, nil, play(wechattest.FaultEchoLost, ""), cause.EchoNotReceived},
		"echo of another key":         {"v3", wechattest.Config{}, nil, play(wechattest.FaultV3WrongSerial, wechattest.V3Callback), cause.EchoNotVerified},
		"shop not there":              {"v3", wechattest.Config{}, nil, func(w *doctorWorld) { w.env["SHOP_URL"] = closedPort }, cause.NotifyRefused},
		"another session key":         {"v3", wechattest.Config{}, nil, set("SESSION_KEY", strings.Repeat("another key ", 4)), cause.NotifyOtherSite},
		"challenge":                   {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeChallenge, ""), cause.NotifyChallenged},
		"redirect":                    {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeRedirect, ""), cause.NotifyRedirected},
		"login":                       {"v2", wechattest.Config{}, nil, play(wechattest.FaultEdgeLogin, ""), cause.NotifyBlocked},
		"not found":                   {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeNotFound, ""), cause.NotifyNotFound},
		"method":                      {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeMethod, ""), cause.NotifyMethod},
		"bad gateway before the shop": {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeError, ""), cause.NotifyFailed},
		"timeout":                     {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeTimeout, ""), cause.NotifyTimeout},
		"slow":                        {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeSlow, ""), cause.NotifySlow},
		"other site":                  {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeOtherSite, ""), cause.NotifyOtherSite},
		"cache":                       {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeCached, ""), cause.NotifyCached},
		"body":                        {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeBodyChanged, ""), cause.NotifyBodyChanged},
		"headers":                     {"v3", wechattest.Config{}, nil, play(wechattest.FaultEdgeHeadersLost, ""), cause.NotifyHeadersLost},
		"webhook not there":           {"v2", wechattest.Config{}, set("WEBHOOK_URL", closedPort), nil, cause.WebhookUnreachable},
		"webhook redirects":           {"v2", wechattest.Config{}, nil, answer(302), cause.WebhookRedirected},
		"webhook declines":            {"v2", wechattest.Config{}, nil, answer(400), cause.WebhookDeclined},
		"webhook secret":              {"v2", wechattest.Config{}, func(w *doctorWorld) { w.env["WEBHOOK_SECRET"] = webhook.NewSecret() }, nil, cause.WebhookDeclined},
		"webhook accepts all":         {"v2", wechattest.Config{}, nil, answer(200), cause.WebhookUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDoctorWorld(t, tt.merchant, tt.cfg)
			w.downloads = tt.merchant == "mixed" || tt.want == cause.CertificatesExpiring
			if tt.change != nil {
				tt.change(w)
			}
			w.serve()
			running := maps.Clone(w.env)
			if tt.then != nil {
				tt.then(w)
			}
			got := w.diagnose()
			w.want(got, tt.want)
			if len(got) == 1 {
				all.note(tt.want)
			}
			w.env = running
		})
	}
}

// faultsInDatabase are found in the database of a shop that has run.
func faultsInDatabase(t *testing.T, all *produced) {
	event := func(state, kind string) string { // its trigger makes the delivery
		return `INSERT INTO events (id, type, order_id, subject, data, created_at) VALUES ('evt_1', '` + kind + `', 'o1', 'o1', '{}', 1); UPDATE deliveries SET ` + state
	}
	payment := func(mchID, version, state string) string {
		return `INSERT INTO payments (out_trade_no, order_id, guest, appid, mch_id, api_version, trade_type, openid, total, currency, shop_name, body, client_ip, notify_url, created_at, updated_at, expires_at, status, due_at, transaction_id, duplicate)
			VALUES ('P1', 'o1', 0, 'wx', '` + mchID + `', '` + version + `', 'NATIVE', '', 1, 'CNY', 's', 'b', '', 'u', 1, 1, 2, ` + state + `)`
	}
	refund := func(state string) string {
		return `INSERT INTO refunds (id, order_id, out_trade_no, refund_key, api_version, amount, reason, notify_url, created_at, updated_at, status, stuck, refund_id, accepted_at)
			VALUES ('R1', 'o1', 'P1', 'k', 'v2', 1, '', 'u', 1, 1, ` + state + `)`
	}
	const hourAgo = `(CAST(strftime('%s', 'now') AS INTEGER) - 3600) * 1000`
	for name, tt := range map[string]struct {
		sql  string
		want cause.ID
	}{
		"timer never ran":     {`DELETE FROM timers WHERE name = 'reconcile'`, cause.TimerNeverRan},
		"timer stopped":       {`UPDATE timers SET at = ` + hourAgo + ` WHERE name = 'reconcile'`, cause.TimerStopped},
		"unreadable":          {`DROP TABLE timers`, cause.DatabaseUnreadable},
		"no switches":         {`DROP TABLE switches`, cause.DatabaseUnreadable},
		"outdated":            {`UPDATE d1_migrations SET name = '0000_schema.sql'`, cause.SchemaOutdated},
		"outdated, no table":  {`UPDATE d1_migrations SET name = '0000_schema.sql'; DROP TABLE timers`, cause.SchemaOutdated},
		"full":                {`INSERT INTO database_size (one, used, capacity) VALUES (1, 95, 100) ON CONFLICT (one) DO UPDATE SET used = 95, capacity = 100`, cause.DatabaseFull},
		"filling":             {`INSERT INTO database_size (one, used, capacity) VALUES (1, 80, 100) ON CONFLICT (one) DO UPDATE SET used = 80, capacity = 100`, cause.DatabaseFilling},
		"catalogue":           {`UPDATE products SET for_sale = 0`, cause.CatalogueEmpty},
		"bills":               {`INSERT INTO bill_checks (date, status, result, run, leased_until, next_at, checked_at) VALUES (date('now', '-1 day'), 'differs', 'r', 'r', 0, 0, 1)`, cause.BillsDiffer},
		"guests":              {`UPDATE guests_open SET n = 5000`, cause.GuestOrdersAtLimit},
		"gone":                {event(`status = 'dead', attempts = 1; UPDATE endpoints SET state = 'gone'`, "order.paid"), cause.WebhookGone},
		"dead":                {event(`status = 'dead', attempts = 1`, "order.paid"), cause.EventsDead},
		"waiting":             {event(`attempts = 1`, "order.paid"), cause.EventsWaiting},
		"closed waits":        {event(`attempts = 1`, "order.closed"), cause.EventsWaiting},
		"another session key": {`INSERT INTO endpoints (id, url, secret, state, created_at, updated_at) VALUES ('ep1', 'https://erp.example.com', 'not sealed by this key', 'enabled', 1, 1)`, cause.EndpointUnsealed},
		"other merchant":      {payment("1900000998", "v2", `'created', 1, NULL, 0`), cause.OrdersOfOtherMerchant},
		"without keys":        {payment(wechattest.DefaultMchID, "v3", `'created', 1, NULL, 0`), cause.OrdersWithoutKeys},
		"no notification": {payment(wechattest.DefaultMchID, "v2", `'created', 1, NULL, 0`) +
			`; UPDATE payments SET status = 'paid', due_at = NULL, transaction_id = 'T1', settled_by = 'poll', settled_at = ` + hourAgo + `; DELETE FROM events`, cause.NotificationMissing},
		"stuck":    {refund(`'created', 1, NULL, NULL`), cause.RefundsStuck},
		"abnormal": {refund(`'abnormal', 0, 'W1', 1`), cause.RefundsAbnormal},
		"duplicate": {payment(wechattest.DefaultMchID, "v2", `'created', 1, NULL, 0`) +
			`; UPDATE payments SET status = 'paid', due_at = NULL, transaction_id = 'T1', settled_at = 1, settled_by = 'poll', duplicate = 1; DELETE FROM refunds; DELETE FROM events`, cause.DuplicatesKept},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rested(t)
			w.exec(tt.sql)
			w.want(w.diagnose("-offline"), tt.want)
			all.note(tt.want)
		})
	}
}

// rested is a shop whose timer has run and that does not run now.
func rested(t *testing.T) *doctorWorld {
	t.Helper()
	w := newDoctorWorld(t, "v2", wechattest.Config{})
	if err := seedDemo(t.Context(), lookup(w.env)); err != nil {
		t.Fatal(err)
	}
	w.exec(`INSERT INTO timers (name, at) VALUES ('reconcile', CAST(strftime('%s', 'now') AS INTEGER) * 1000)`)
	return w
}

// faultsBeforeShop are those of DNS and TLS, which need an address of the internet.
func faultsBeforeShop(t *testing.T, all *produced) {
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewTLSServer(http.NotFoundHandler())
		defer server.Close()
		server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		for name, address := range map[string]string{"unknown issuer": server.URL, "plain": strings.Replace(closedHTTP(t), "http:", "https:", 1)} {
			if f := edge.NotifyURL(t.Context(), newClient(nil), address+"/api/notify/pay", "token"); f.ID != cause.NotifyTLS {
				t.Errorf("%s: %+v", name, f)
			}
		}
		all.note(cause.NotifyTLS)
	})
	t.Run("DNS", func(t *testing.T) {
		t.Parallel()
		if f := edge.NotifyURL(t.Context(), newClient(nil), "https://shop.invalid/api/notify/pay", "token"); f.ID != cause.NotifyDNS {
			t.Errorf("%+v", f)
		}
		all.note(cause.NotifyDNS)
	})
	t.Run("domain file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		served := map[string]string{"/MP_verify_abc.txt": "abc"}
		server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			text, ok := served[r.URL.Path]
			if !ok {
				http.NotFound(rw, r)
			}
			io.WriteString(rw, text)
		}))
		defer server.Close()
		check := func() v1.CheckResult {
			return checkDomainFile(t.Context(), server.Client(), server.URL, []fs.FS{os.DirFS(dir)})
		}
		if got := check(); got.Cause != string(cause.DomainFileMissing) || got.Status != v1.CheckWarn {
			t.Errorf("%+v", got)
		}
		all.note(cause.DomainFileMissing)
		write := func(text string) {
			if err := os.WriteFile(filepath.Join(dir, "MP_verify_abc.txt"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if write("abc\n"); check().Status != v1.CheckOK {
			t.Errorf("%+v", check())
		}
		if write("abcd"); check().Cause != string(cause.DomainFileNotServed) {
			t.Errorf("another content: %+v", check())
		}
		write("abc")
		delete(served, "/MP_verify_abc.txt")
		if got := check(); got.Cause != string(cause.DomainFileNotServed) || got.Status != v1.CheckFail {
			t.Errorf("%+v", got)
		}
		all.note(cause.DomainFileNotServed)
	})
}

// closedHTTP is a server without TLS.
func closedHTTP(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.URL
}

// faultsOfOperator are settings and switches of a shop that has run.
func faultsOfOperator(t *testing.T, all *produced) {
	for id, change := range map[cause.ID]func(w *doctorWorld){
		cause.WebhookUnset:       func(w *doctorWorld) { delete(w.env, "WEBHOOK_URL"); delete(w.env, "WEBHOOK_SECRET") },
		cause.SellingStopped:     set("SELLING", "off"),
		cause.DatabaseUnreadable: func(w *doctorWorld) { w.env[dbSetting] = filepath.Join(t.TempDir(), "none", "h5pay.db") },
		"no_database": func(w *doctorWorld) {
			w.env[dbSetting] = writeFile(t, "this is no database, and longer than a header of one is")
		},
		cause.CertificatesOld: func(w *doctorWorld) {
			w.env["WECHAT_CERTIFICATES"] = "on"
			maps.Copy(w.env, demo.APIv3Vars(w.sim.V3()))
		},
	} {
		t.Run(string(id), func(t *testing.T) {
			t.Parallel()
			w := rested(t)
			change(w)
			if id == "no_database" {
				id = cause.DatabaseUnreadable
			}
			w.want(w.diagnose("-offline"), id)
			all.note(id)
		})
	}
}

// causes returns the causes of the checks that failed or warn.
func causes(checks v1.Checks) (all []cause.ID) {
	for _, c := range checks.Checks {
		if c.Cause != "" {
			all = append(all, cause.ID(c.Cause))
		}
	}
	return all
}

// faultsOfPlatform are those that the command does not have, because it is a server with limits.
func faultsOfPlatform(t *testing.T, all *produced) {
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		for free, want := range map[int64]v1.CheckStatus{minDisk - 1: v1.CheckFail, lowDisk - 1: v1.CheckWarn, lowDisk: v1.CheckOK} {
			if got := diskResult(free); got.Status != want || want != v1.CheckOK && got.Cause != string(cause.DiskFull) {
				t.Errorf("%d: %+v", free, got)
			}
		}
		all.note(cause.DiskFull)
	})
	t.Run("a Worker", func(t *testing.T) {
		t.Parallel()
		w := rested(t)
		db := w.db()
		t.Cleanup(func() { db.Close() })
		p := platform{getenv: lookup(w.env), db: db, doer: http.DefaultClient, log: slog.New(slog.DiscardHandler)}
		a := newApp(p)
		want := []cause.ID{cause.LimitsMissing}
		if got := causes(a.check(t.Context(), false)); !slices.Equal(got, want) {
			t.Errorf("without limits: %v", got)
		}
		all.note(cause.LimitsMissing)
		limit := newLimiter(addressLimit)
		p.addressLimit, p.ownerLimit, p.keyLimit = limit, limit, limit
		a = newApp(p)
		r := httptest.NewRequest("POST", "/api/oauth/authorize", strings.NewReader("{}"))
		r.RemoteAddr = ""
		a.ServeHTTP(httptest.NewRecorder(), r)
		if got := causes(a.check(t.Context(), false)); !slices.Equal(got, []cause.ID{cause.AddressesUnknown}) {
			t.Errorf("without addresses: %v", got)
		}
		all.note(cause.AddressesUnknown)
		// Another caller keeps the only connection.
		a = newApp(p)
		db.SetMaxOpenConns(1)
		busy, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		released := time.AfterFunc(1500*time.Millisecond, func() { busy.Close() })
		defer released.Stop()
		if got := causes(a.check(t.Context(), false)); !slices.Equal(got, []cause.ID{cause.DatabaseSlow}) {
			t.Errorf("slow: %v", got)
		}
		all.note(cause.DatabaseSlow)
	})
	t.Run("the bill of yesterday", func(t *testing.T) {
		t.Parallel()
		s := paytest.NewShop(t, nil)
		s.SignedIn(0).PaidOrder("tea", 1)
		s.AdvanceTo(1, "11:00:00")
		s.Reconcile()
		want := []cause.ID{cause.WebhookUnset}
		if got := causes(s.Signer.Check(t.Context(), false)); !slices.Equal(got, want) {
			t.Errorf("at eleven: %v", got)
		}
		s.AdvanceTo(1, "12:30:00")
		s.Reconcile()
		if got := causes(s.Signer.Check(t.Context(), false)); !slices.Equal(got, append(want, cause.BillMissing)) {
			t.Errorf("at half past twelve: %v", got)
		}
		all.note(cause.BillMissing)
		s.CheckBills()
		if got := causes(s.Signer.Check(t.Context(), false)); !slices.Equal(got, want) {
			t.Errorf("when it was compared: %v", got)
		}
	})
}
