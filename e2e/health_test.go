package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"h5pay/internal/api"
)

// health returns the failed checks of a shop's health page, and the whole response.
func health(t *testing.T, url string) (wrong []string, text string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url+api.PathHealth, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+world.env["ADMIN_TOKEN"])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var h api.Health
	if err := json.Unmarshal(b, &h); err != nil || len(h.Checks) == 0 || h.OK != (res.StatusCode == http.StatusOK) {
		t.Fatalf("%s %s, %v", res.Status, b, err)
	}
	for _, c := range h.Checks {
		if !c.OK {
			wrong = append(wrong, c.Problem)
		}
	}
	return wrong, string(b)
}

// A shop with a running timer is healthy on real workerd with real D1.
func TestHealth(t *testing.T) {
	if err := world.shop.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if wrong, text := health(t, world.shop.URL); len(wrong) > 0 {
		t.Errorf("wrong: %s", text)
	}
}
