package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// A certificate that WeChat no longer lists is kept until a month after its expiry. The newest
// comes first.
func TestCertificatesComeBackAsStored(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	at := now.UTC().Truncate(time.Millisecond)
	old := store.Certificate{Serial: "0A", PEM: "old", NotBefore: at.AddDate(-5, 0, 1), NotAfter: at.AddDate(0, 0, 1), FetchedAt: at}
	young := store.Certificate{Serial: "0B", PEM: "young", NotBefore: at, NotAfter: at.AddDate(5, 0, 0), FetchedAt: at}
	const month = 30 * 24 * time.Hour
	read := func(when time.Time) []store.Certificate {
		t.Helper()
		all, err := s.Certificates(ctx, when)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	save := func(when time.Time, certificates ...store.Certificate) {
		t.Helper()
		if err := s.SaveCertificates(ctx, certificates, month, when); err != nil {
			t.Fatal(err)
		}
	}
	save(at, old, young)
	if d := cmp.Diff([]store.Certificate{young, old}, read(at)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	later := at.Add(12 * time.Hour)
	save(later, young)
	young.FetchedAt = later
	if d := cmp.Diff([]store.Certificate{young, old}, read(later)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]store.Certificate{young}, read(at.AddDate(0, 0, 2))); d != "" {
		t.Errorf("an expired one is used (-want +got):\n%s", d)
	}
	save(at.AddDate(0, 0, 33), young)
	if n := len(read(at.Add(-time.Hour))); n != 1 {
		t.Errorf("%d certificates are stored", n)
	}
}

// One of several concurrent callers downloads the certificates.
func TestCertificatesAreClaimedByOne(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	claims := 0
	for minute := range 12 {
		for range 3 {
			ok, err := s.ClaimCertificates(ctx, 5*time.Minute, now.Add(time.Duration(minute)*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				claims++
			}
		}
	}
	if claims != 3 { // in minutes 0, 5 and 10
		t.Errorf("%d claims", claims)
	}
}
