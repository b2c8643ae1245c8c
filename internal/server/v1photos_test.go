package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

// photo sends a request for a picture as a browser does.
func photo(s *paytest.Shop, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, httptest.NewRequest("GET", paytest.ShopURL+path, nil))
	return w
}

// A picture is served as it was stored, at an address that browsers keep.
func TestPhotoOfAProduct(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeWrite)
	picture := append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte{1, 0, 200}, 60_000)...)
	body := v1.CreatePhoto{Data: base64.StdEncoding.EncodeToString(picture)}
	var stored, again v1.Photo
	b.must("POST", "/v1/photos", body, &stored)
	b.must("POST", "/v1/photos", body, &again)
	if !strings.HasPrefix(stored.Path, "/photos/") || again != stored {
		t.Errorf("stored at %q, again at %q", stored.Path, again.Path)
	}
	b.must("PUT", "/v1/products/tea", v1.PutProduct{Name: "茶", Price: 6800, Image: stored.Path}, &v1.Product{})
	w := photo(s, stored.Path)
	for name, want := range map[string]string{"Content-Type": "image/jpeg", "Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), picture) {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
	// A picture that no product has shown for a day is deleted when the next one is stored.
	var unused v1.Photo
	b.must("POST", "/v1/photos", v1.CreatePhoto{Data: base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff unused"))}, &unused)
	s.AdvanceClock(25 * time.Hour)
	b.must("POST", "/v1/photos", v1.CreatePhoto{Data: base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff another"))}, &v1.Photo{})
	if used, gone := photo(s, stored.Path).Code, photo(s, unused.Path).Code; used != 200 || gone != 404 {
		t.Errorf("the shown picture: %d, the unused one: %d", used, gone)
	}
}

// Data that is not a picture, or too large, is rejected and changes nothing.
func TestBadPhotos(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeWrite)
	for _, data := range []string{"", "not base64!", base64.StdEncoding.EncodeToString([]byte("<svg onload=alert(1)>")), base64.StdEncoding.EncodeToString([]byte("MZ program")),
		base64.StdEncoding.EncodeToString(append([]byte("\xff\xd8\xff"), make([]byte, 200_000)...))} {
		b.fails(api.CodeBadRequest, "data", "POST", "/v1/photos", v1.CreatePhoto{Data: data})
	}
	for _, path := range []string{"/photos/", "/photos/x", "/photos/0123456789abcdef0123456789abcdef", "/photos/0123456789ABCDEF0123456789ABCDEF"} {
		if w := photo(s, path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// Only the body of a caller whose key is valid, within its limit and has the scope is read: a picture
// is large, and a stranger may send it slowly.
func TestStrangersPictureIsNotRead(t *testing.T) {
	t.Parallel()
	limit := keyCounter{map[string]int{}}
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) {
		cfg.AddressLimit, cfg.KeyLimit, cfg.KeyLimitCalls = keyCounter{map[string]int{}}, limit, 3
	})
	reader, writer := newBackEnd(s, v1.ScopeRead), newBackEnd(s, v1.ScopeWrite)
	send := func(b *backEnd) (code api.Code, read bool) {
		body := &noted{Reader: strings.NewReader(b.text(v1.CreatePhoto{Data: base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff picture"))}))}
		r := b.request("POST", "/v1/photos", "{}")
		r.Body, r.ContentLength = io.NopCloser(body), -1
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, r) // b.send would read the body
		var e v1.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Error(err)
		}
		return e.Code, body.read
	}
	for i, want := range []struct {
		by   *backEnd
		code api.Code // "" for success
	}{
		{writer, ""}, {writer, ""}, {writer, ""}, {writer, api.CodeRateLimited},
		{reader, v1.CodeScopeMissing},
		{&backEnd{s, "", "203.0.113.77"}, api.CodeUnauthenticated},
		{&backEnd{s, writer.key + "a", "203.0.113.77"}, api.CodeUnauthenticated},
		{&backEnd{s, writer.key[:len(writer.key)-32] + strings.Repeat("a", 32), "203.0.113.77"}, api.CodeUnauthenticated},
		{&backEnd{s, "", "203.0.113.77"}, api.CodeRateLimited},
	} {
		if code, read := send(want.by); code != want.code || read != (want.code == "") {
			t.Errorf("call %d: %q, the body was read: %v, want %q", i, code, read, want.code)
		}
	}
}

// noted notes that it was read.
type noted struct {
	io.Reader
	read bool
}

func (n *noted) Read(p []byte) (int, error) {
	n.read = true
	return n.Reader.Read(p)
}
