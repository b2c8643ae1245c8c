package certificate_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/certificate"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
	"h5pay/wechat/wechattest"
)

// The first message that WeChat signs brings the certificates: they are downloaded, decrypted,
// stored and used.
func TestFirstMessageDownloadsTheCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.instance()
	if problem := shop.keeper.Problem(t.Context()); problem != "no platform certificate was downloaded yet" {
		t.Errorf("problem %q", problem)
	}
	if w.downloads.Load() != 0 {
		t.Error("a start downloads")
	}
	shop.wantVerified(t)
	w.wantStored(t, w.sim.V3().Certificates[0].Serial)
	if problem := shop.keeper.Problem(t.Context()); problem != "" {
		t.Errorf("problem %q", problem)
	}
	shop.wantVerified(t)
	if n := w.downloads.Load(); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

// WeChat lists a certificate a day before it signs with it. The timer fetches the list every twelve
// hours, so that the first message finds its certificate.
func TestTimerFetchesAnAnnouncedCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.instance()
	shop.tick(t)
	w.sim.AnnounceV3Certificate()
	for range 11 { // every ten minutes; the timer needs one call in twelve hours
		w.sim.Advance(time.Hour)
		shop.tick(t)
	}
	if n := w.downloads.Load(); n != 1 {
		t.Errorf("%d downloads in eleven hours, want 1", n)
	}
	w.sim.Advance(time.Hour)
	shop.tick(t)
	ids := w.serials()
	w.wantStored(t, ids[1], ids[0])
	before := w.downloads.Load()
	w.sim.RotateV3Certificate()
	if err := w.notify(t, shop); err != nil {
		t.Errorf("the first message that the new certificate signs: %v", err)
	}
	if n := w.downloads.Load(); n != before {
		t.Errorf("%d downloads after the announcement, want %d", n, before)
	}
}

// A message may name a certificate that was not announced. It causes one download, if none was in
// the last five minutes. Otherwise it is rejected, and WeChat repeats it.
func TestUnannouncedCertificateIsDownloaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.instance()
	shop.wantVerified(t)
	w.sim.RotateV3Certificate()
	w.sim.Advance(time.Minute)
	if err := w.notify(t, shop); !unknownSerial(err) {
		t.Errorf("a minute after the last download: %v", err)
	}
	w.sim.Advance(5 * time.Minute)
	if err := w.notify(t, shop); err != nil {
		t.Errorf("five minutes later: %v", err)
	}
	ids := w.serials()
	w.wantStored(t, ids[1], ids[0])
	if n := w.downloads.Load(); n != 2 {
		t.Errorf("%d downloads, want 2", n)
	}
	shop.wantVerified(t) // a response is signed with the certificate that the request names
}

// One of several instances downloads the certificates, and the others read them from the database.
// Concurrent messages cause one download.
func TestOneInstanceDownloads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.instance(), w.instance()
	first.wantVerified(t)
	second.wantVerified(t)
	if n := w.downloads.Load(); n != 1 {
		t.Errorf("%d downloads of two instances, want 1", n)
	}
	w.sim.RotateV3Certificate()
	w.sim.Advance(6 * time.Minute)
	header, body := w.message(t, second)
	var calls sync.WaitGroup
	for i := range 40 {
		shop := []*instance{first, second}[i%2]
		calls.Go(func() {
			if _, err := shop.client.PaymentNotification(t.Context(), header.Get, body); !verified(err) && !unknownSerial(err) {
				t.Errorf("%v", err)
			}
		})
	}
	calls.Wait()
	if n := w.downloads.Load(); n != 2 {
		t.Errorf("%d downloads for 40 messages at two instances, want 1 more", n-1)
	}
	w.sim.Advance(10 * time.Second)
	for _, shop := range []*instance{first, second} {
		if err := w.notify(t, shop); err != nil {
			t.Errorf("after the download: %v", err)
		}
	}
}

// Strangers send messages with unknown serial numbers. They cause at most five reads of the
// database in ten seconds, and one download in five minutes.
func TestStrangersCauseLittleWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	db := &countingWeChat{}
	keeper, err := certificate.New(certificate.Config{Store: w.store, WeChat: db, Log: w.log, Now: w.sim.Now})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for range 100 {
			if err := keeper.Refresh(t.Context()); err == nil {
				t.Fatal("there is no certificate, but Refresh reports one")
			}
		}
		w.sim.Advance(10 * time.Second)
	}
	if n := db.downloads; n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
	w.sim.Advance(5 * time.Minute)
	keeper.Refresh(t.Context())
	if n := db.downloads; n != 2 {
		t.Errorf("%d downloads five minutes later, want 2", n)
	}
}

// The keeper reads the database at most five times in ten seconds, whatever the number of messages
// is.
func TestReadingsAreLimited(t *testing.T) { // not parallel: it counts the statements of all tests
	w := newWorld(t)
	keeper, err := certificate.New(certificate.Config{Store: w.store, WeChat: &countingWeChat{}, Log: w.log, Now: w.sim.Now})
	if err != nil {
		t.Fatal(err)
	}
	statements := len(storetest.Statements(func() {
		for range 200 {
			keeper.Refresh(t.Context())
		}
	}))
	if statements < 5 || statements > 10 { // five readings, each with a claim
		t.Errorf("200 messages cause %d statements", statements)
	}
}

// A certificate that has expired is no longer used, and it is deleted a month later.
func TestExpiredCertificateIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.sim.Now()
	old := store.Certificate{Serial: "0A", PEM: "old", NotBefore: now.AddDate(-5, 0, 0), NotAfter: now.Add(time.Hour)}
	young := store.Certificate{Serial: "0B", PEM: "young", NotBefore: now, NotAfter: now.AddDate(5, 0, 0)}
	if err := w.store.SaveCertificates(t.Context(), []store.Certificate{old, young}, time.Hour, now); err != nil {
		t.Fatal(err)
	}
	fake := &countingWeChat{list: []apiv3.PlatformCertificate{{PEM: "young", Key: apiv3.Key{ID: "0B", NotBefore: young.NotBefore, NotAfter: young.NotAfter}}}}
	keeper, err := certificate.New(certificate.Config{Store: w.store, WeChat: fake, Log: w.log, Now: w.sim.Now})
	if err != nil {
		t.Fatal(err)
	}
	tick := func() {
		t.Helper()
		if err := keeper.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tick()
	w.sim.Advance(2 * time.Hour)
	tick()
	if d := cmp.Diff([][]string{{"young", "old"}, {"young"}}, fake.used); d != "" {
		t.Errorf("certificates in use (-want +got):\n%s", d)
	}
	w.sim.Advance(31 * 24 * time.Hour)
	tick()
	w.wantAllStored(t, "0B")
}

// While WeChat is down, the stored certificates still verify. The log has the cause, and after a
// day the health page has it too.
func TestWeChatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.instance()
	shop.tick(t)
	w.down.Store(true)
	w.sim.Advance(12 * time.Hour)
	if err := shop.keeper.Tick(t.Context()); err == nil {
		t.Error("Tick reports no error")
	}
	if !strings.Contains(w.text(), "the platform certificates cannot be downloaded") {
		t.Errorf("the log is %s", w.text())
	}
	before := w.downloads.Load()
	w.sim.Advance(4 * time.Minute)
	if err := shop.keeper.Tick(t.Context()); err != nil || w.downloads.Load() != before {
		t.Errorf("the next try is within five minutes: %v, %d downloads", err, w.downloads.Load()-before)
	}
	if err := w.notify(t, shop); err != nil {
		t.Errorf("a stored certificate does not verify: %v", err)
	}
	if problem := shop.keeper.Problem(t.Context()); problem != "" {
		t.Errorf("problem %q after half a day", problem)
	}
	w.sim.Advance(13 * time.Hour)
	if problem := shop.keeper.Problem(t.Context()); problem != "the platform certificates were last downloaded 25h4m0s ago; the log says why" {
		t.Errorf("problem %q", problem)
	}
	w.down.Store(false)
	shop.tick(t)
	if problem := shop.keeper.Problem(t.Context()); problem != "" {
		t.Errorf("problem %q after a download", problem)
	}
}

// With another APIv3 key nothing can be decrypted. Nothing is stored, and the log names the cause
// without the key.
func TestAnotherAPIv3Key(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const key = "AnotherAPIv3KeyAnotherAPIv3Key00"
	shop := w.instance(func(c *wechat.V3Config) { c.APIv3Key = key })
	err := shop.keeper.Tick(t.Context())
	var e *wechat.Error
	if !errors.As(err, &e) || e.Kind != wechat.Operator {
		t.Errorf("%v", err)
	}
	w.wantStored(t)
	if text := w.text(); !strings.Contains(text, "not encrypted with the APIv3 key") || strings.Contains(text, key) {
		t.Errorf("the log is %s", text)
	}
}

// The certificates are verified with a key of the same list. So a forged list must not be stored:
// only a holder of the APIv3 key can encrypt one.
func TestForgedListIsNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shop := w.instance()
	for _, kind := range []string{wechattest.FaultBadReplySign, wechattest.FaultNoReplySign, wechattest.FaultV3Probe, wechattest.FaultV3ClockBehind, wechattest.FaultV3WrongSerial} {
		if err := w.sim.AddFault(wechattest.Fault{Kind: kind, Path: wechattest.PathV3Certificates}); err != nil {
			t.Fatal(err)
		}
		if err := shop.keeper.Tick(t.Context()); err == nil {
			t.Errorf("%s: no error", kind)
		}
		if left := w.sim.Faults(); len(left) != 0 {
			t.Fatalf("%s: the fault did not occur", kind)
		}
		w.wantStored(t)
		w.sim.Advance(5 * time.Minute)
	}
	shop.tick(t)
	w.wantStored(t, w.serials()...)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, cfg := range map[string]certificate.Config{
		"Store is nil": {WeChat: &countingWeChat{}}, "WeChat is nil": {Store: w.store},
	} {
		if _, err := certificate.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// rsaKeys are shared by all worlds, since making one takes 100 ms.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 4)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// world is a simulated WeChat in certificate mode and the shop's database.
type world struct {
	t         *testing.T
	sim       *wechattest.WeChat
	url       string
	db        *sql.DB
	store     *store.Store
	log       *slog.Logger
	downloads atomic.Int64 // GET /v3/certificates
	down      atomic.Bool  // WeChat responds to nothing but 502

	mu      sync.Mutex
	logText strings.Builder
	header  http.Header // of the newest notification
	body    []byte
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, db: storetest.Open(t)}
	w.store = store.New(w.db)
	w.log = slog.New(slog.NewTextHandler(w, nil))
	var err error
	w.sim, err = wechattest.New(wechattest.Config{V3Mode: wechattest.V3Certificates, RSAKeys: rsaKeys(), ShopURL: "https://shop.example.com", Doer: w})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.sim.Close)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wechattest.PathV3Certificates {
			w.downloads.Add(1)
		}
		if w.down.Load() {
			http.Error(rw, "<html>", http.StatusBadGateway)
			return
		}
		w.sim.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

// Write writes a line of the log.
func (w *world) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logText.Write(line)
}

// text returns the log.
func (w *world) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logText.String()
}

// Do keeps a notification.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.header, w.body = r.Header.Clone(), body
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

// serials returns the platform certificates that WeChat lists, the newest last.
func (w *world) serials() (ids []string) {
	for _, c := range w.sim.V3().Certificates {
		ids = append(ids, c.Serial)
	}
	return ids
}

// wantStored checks which certificates are stored and have not expired.
func (w *world) wantStored(t *testing.T, want ...string) {
	t.Helper()
	all, err := w.store.Certificates(t.Context(), w.sim.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range all {
		got = append(got, c.Serial)
	}
	if d := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
}

// wantAllStored checks which certificates are stored, also expired ones.
func (w *world) wantAllStored(t *testing.T, want string) {
	t.Helper()
	var got string
	if err := w.db.QueryRow(`SELECT group_concat(serial) FROM wechat_certificates`).Scan(&got); err != nil || got != want {
		t.Errorf("stored %q, want %q, %v", got, want, err)
	}
}

// instance is one instance of the shop.
type instance struct {
	client *wechat.Client
	keeper *certificate.Keeper
}

// instance starts an instance, which knows no certificate.
func (w *world) instance(change ...func(*wechat.V3Config)) *instance {
	w.t.Helper()
	id, i := w.sim.V3(), &instance{}
	v3 := &wechat.V3Config{
		Serial: id.Serial, PrivateKey: wechat.Secret(id.PrivateKey), APIv3Key: wechat.Secret(id.APIv3Key), Certificates: true,
		Refresh: func(ctx context.Context) error { return i.keeper.Refresh(ctx) },
	}
	for _, f := range change {
		f(v3)
	}
	var err error
	if i.client, err = wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: wechattest.DefaultMchID, V3: v3, MchURL: w.url,
		Doer: http.DefaultClient, Now: w.sim.Now,
	}); err != nil {
		w.t.Fatal(err)
	}
	if i.keeper, err = certificate.New(certificate.Config{Store: w.store, WeChat: i.client, Log: w.log, Now: w.sim.Now}); err != nil {
		w.t.Fatal(err)
	}
	return i
}

// tick runs the timer.
func (i *instance) tick(t *testing.T) {
	t.Helper()
	if err := i.keeper.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantVerified queries an order that WeChat does not know. The code of the error proves that the
// response was verified.
func (i *instance) wantVerified(t *testing.T) {
	t.Helper()
	p, err := i.client.For(wechat.V3)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.QueryOrder(t.Context(), "20260301000000unknown")
	var e *wechat.Error
	if !errors.As(err, &e) || e.Code != wechat.CodeOrderNotExist {
		t.Errorf("the response is not verified: %v", err)
	}
}

// message makes WeChat send a notification for an instance and returns it.
func (w *world) message(t *testing.T, i *instance) (http.Header, []byte) {
	t.Helper()
	if err := i.client.Echo(t.Context(), "https://shop.example.com/notify"); err != nil {
		t.Fatal(err)
	}
	w.sim.Advance(0)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.body == nil {
		t.Fatal("WeChat sent no notification")
	}
	return w.header, w.body
}

// notify sends a new notification of WeChat's to an instance. The error is nil if it was verified.
func (w *world) notify(t *testing.T, i *instance) error {
	t.Helper()
	down := w.down.Swap(false)
	header, body := w.message(t, i)
	w.down.Store(down)
	_, err := i.client.PaymentNotification(t.Context(), header.Get, body)
	if verified(err) {
		return nil
	}
	return err
}

// verified reports whether a notification of the call Echo was verified and decrypted.
func verified(err error) bool {
	var e *wechat.Error
	return errors.As(err, &e) && e.Code == wechat.CodeEcho
}

// unknownSerial reports whether a message was rejected because its certificate is not known.
func unknownSerial(err error) bool {
	var e *apiv3.Error
	return errors.As(err, &e) && e.Kind == apiv3.UnknownSerial
}

// countingWeChat has a list of certificates.
type countingWeChat struct {
	list      []apiv3.PlatformCertificate
	downloads int
	used      [][]string
}

func (c *countingWeChat) DownloadCertificates(context.Context) ([]apiv3.PlatformCertificate, error) {
	c.downloads++
	if c.list == nil {
		return nil, errors.New("no certificates")
	}
	return c.list, nil
}

func (c *countingWeChat) SetCertificates(pems []string) error {
	c.used = append(c.used, pems)
	return nil
}
