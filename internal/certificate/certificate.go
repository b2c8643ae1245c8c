// Package certificate keeps WeChat's platform certificates, with which a shop in
// certificate mode verifies messages of APIv3. They are in the database, so that each
// instance of a Worker has those that another one has downloaded.
package certificate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"h5pay/internal/store"
	"h5pay/wechat/apiv3"
)

const (
	// refreshEvery is how often WeChat wants the list to be downloaded. A certificate is in
	// the list for a day before WeChat signs with it (docs/wechat.md 18.13).
	refreshEvery = 12 * time.Hour
	// claimWindow is the least time between two downloads, of all instances together.
	claimWindow = 5 * time.Minute
	// keepExpired is how long an expired certificate is kept.
	keepExpired = 30 * 24 * time.Hour
	// overdue is the time without a download after which the health page reports a problem.
	overdue = 24 * time.Hour

	downloadTimeout = 5 * time.Second

	// An instance reads the database at most maxLoads times in loadWindow. Strangers can cause
	// reads with messages that name an unknown certificate.
	maxLoads   = 5
	loadWindow = 10 * time.Second
)

var (
	errOften = errors.New("the platform certificates were read just now")
	errDue   = errors.New("the platform certificates were downloaded in the last minutes, or another instance is downloading them")
)

// WeChat has the calls that a Keeper makes. *wechat.Client implements it.
type WeChat interface {
	DownloadCertificates(ctx context.Context) ([]apiv3.PlatformCertificate, error)
	SetCertificates(pems []string) error
}

// Config configures a Keeper.
type Config struct {
	Store  *store.Store
	WeChat WeChat
	Log    *slog.Logger     // slog.Default when nil
	Now    func() time.Time // time.Now when nil
}

// Keeper brings the platform certificates from WeChat to the database, and from there to
// the client. It is safe for concurrent use. No call waits for another one.
type Keeper struct {
	cfg Config
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex  // never held during a call
	serials []string    // of the certificates that the client has
	loads   []time.Time // of the last loadWindow
	loaded  time.Time   // when the client last got certificates
}

// New checks cfg and returns a Keeper.
func New(cfg Config) (*Keeper, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("certificate: Store is nil")
	case cfg.WeChat == nil:
		return nil, errors.New("certificate: WeChat is nil")
	}
	k := &Keeper{cfg: cfg, log: cfg.Log, now: cfg.Now}
	if k.log == nil {
		k.log = slog.Default()
	}
	if k.now == nil {
		k.now = time.Now
	}
	return k, nil
}

// Refresh is called when a message names a certificate that the client does not have. It passes
// those of the database to the client. If the client has all of them, it downloads WeChat's list.
// The error is nil if the client may have more certificates now.
func (k *Keeper) Refresh(ctx context.Context) error {
	now := k.now()
	if !k.allowLoad(now) {
		if k.loadedSince(now.Add(-loadWindow)) {
			return nil
		}
		return errOften
	}
	_, changed, err := k.load(ctx)
	if err != nil || changed || k.loadedSince(now.Add(-loadWindow)) {
		return err
	}
	return k.download(ctx, now)
}

// Tick downloads WeChat's list when that is due, and passes certificates that another instance has
// downloaded to the client. A timer calls it every ten minutes.
func (k *Keeper) Tick(ctx context.Context) error {
	now := k.now()
	fetched, _, err := k.load(ctx)
	if err != nil || now.Sub(fetched) < refreshEvery {
		return err
	}
	if err := k.download(ctx, now); !errors.Is(err, errDue) {
		return err
	}
	return nil
}

// Problem returns what is wrong with the certificates, for the health page; "" if nothing is.
func (k *Keeper) Problem(ctx context.Context) string {
	now := k.now()
	certificates, err := k.cfg.Store.Certificates(ctx, now)
	if err != nil {
		return "the platform certificates cannot be read"
	}
	switch fetched := newest(certificates); {
	case fetched.IsZero():
		return "no platform certificate was downloaded yet"
	case now.Sub(fetched) > overdue:
		return "the platform certificates were last downloaded " + now.Sub(fetched).Truncate(time.Minute).String() + " ago; the log says why"
	}
	return ""
}

// allowLoad reports whether the database may be read now, and counts the reading.
func (k *Keeper) allowLoad(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loads = slices.DeleteFunc(k.loads, func(at time.Time) bool { return now.Sub(at) >= loadWindow })
	if len(k.loads) >= maxLoads {
		return false
	}
	k.loads = append(k.loads, now)
	return true
}

// loadedSince reports whether the client got certificates after a time: then a message from before
// may be verified now.
func (k *Keeper) loadedSince(at time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.loaded.After(at)
}

// load passes the certificates of the database to the client. It returns when they were last
// downloaded, and whether the client had others before.
func (k *Keeper) load(ctx context.Context) (fetched time.Time, changed bool, err error) {
	certificates, err := k.cfg.Store.Certificates(ctx, k.now())
	if err != nil {
		return time.Time{}, false, err
	}
	var serials, pems []string
	for _, c := range certificates {
		serials, pems = append(serials, c.Serial), append(pems, c.PEM)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Equal(serials, k.serials) {
		return newest(certificates), false, nil
	}
	if err := k.cfg.WeChat.SetCertificates(pems); err != nil {
		return time.Time{}, false, fmt.Errorf("using the platform certificates: %w", err)
	}
	k.serials, k.loaded = serials, k.now()
	return newest(certificates), true, nil
}

// newest returns the time of the last download.
func newest(certificates []store.Certificate) (fetched time.Time) {
	for _, c := range certificates {
		if c.FetchedAt.After(fetched) {
			fetched = c.FetchedAt
		}
	}
	return fetched
}

// download stores WeChat's list and passes it to the client. It returns errDue if another call has
// begun a download in the last claimWindow.
func (k *Keeper) download(ctx context.Context, now time.Time) error {
	claimed, err := k.cfg.Store.ClaimCertificates(ctx, claimWindow, now)
	if err != nil {
		return err
	}
	if !claimed {
		return errDue
	}
	callCtx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	list, err := k.cfg.WeChat.DownloadCertificates(callCtx)
	if err != nil {
		k.log.Error("the platform certificates cannot be downloaded", "error", err)
		return err
	}
	var certificates []store.Certificate
	for _, c := range list {
		certificates = append(certificates, store.Certificate{Serial: c.Key.ID, PEM: c.PEM, NotBefore: c.Key.NotBefore, NotAfter: c.Key.NotAfter})
	}
	if err := k.cfg.Store.SaveCertificates(ctx, certificates, keepExpired, now); err != nil {
		return err
	}
	k.log.Info("platform certificates downloaded", "certificates", len(certificates))
	_, _, err = k.load(ctx)
	return err
}
