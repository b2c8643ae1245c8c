package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No secret, openid or token is in the Worker's output of the previous tests, in the page, or in
// the bundle.
func TestSecretsStayInside(t *testing.T) {
	secrets := secretSettings(t)
	for i, user := range world.sim.Users() {
		secrets["openid "+string(rune('0'+i))] = user.OpenID
	}
	for _, m := range world.sim.Messages(0) {
		if m.Kind == "access_token" {
			var token struct {
				AccessToken string `json:"access_token"`
			}
			if json.Unmarshal([]byte(m.Response), &token) == nil && token.AccessToken != "" {
				secrets["an access_token"] = token.AccessToken
			}
		}
	}
	look := func(where, text string) {
		for name, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s", where, name)
			}
		}
	}
	look("the Worker's log", world.log.String())
	for _, dir := range []string{"../public", "../build"} {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			b, err := os.ReadFile(name)
			look(name, string(b))
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// secretSettings returns the settings that are not among the plain values of wrangler.toml. So a
// new setting is a secret until it is added there. A test of the signer checks that every secret
// has a value here.
func secretSettings(t *testing.T) map[string]string {
	t.Helper()
	config, err := os.ReadFile("../wrangler.toml")
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for name, value := range world.env {
		if !strings.Contains(string(config), "\n"+name+" = ") && name != "WECHAT_BASE_URL" {
			if lines := strings.Split(value, "\n"); len(lines) > 3 { // PEM: a log may escape the line feeds
				value = lines[2]
			}
			secrets[name] = value
		}
	}
	if len(secrets) < 4 {
		t.Fatalf("these cannot be all secrets: %d", len(secrets))
	}
	return secrets
}
