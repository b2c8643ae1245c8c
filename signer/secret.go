package main

import (
	"strings"

	"h5pay/webhook"
	"h5pay/wechat"
)

// namedSecret is a secret and the name of its setting.
type namedSecret struct {
	name  string
	value wechat.Secret
}

// advice returns how to get a new secret for the setting.
func (s namedSecret) advice() string {
	switch s.name {
	case "WECHAT_APPSECRET":
		return ": use the AppSecret that the official account platform shows"
	case "WECHAT_API_KEY":
		return ": generate one with `openssl rand -hex 16` and set it on the merchant platform"
	case "WECHAT_MCH_KEY":
		return ": use the private key that the merchant platform's certificate tool made (apiclient_key.pem)"
	case "WECHAT_APIV3_KEY", "WECHAT_APIV3_KEY_OLD":
		return ": generate one with `openssl rand -hex 16` and set it on the merchant platform as the APIv3 key"
	case "WEBHOOK_SECRET", "WEBHOOK_SECRET_OLD":
		return ": generate one with " + drawWebhookSecret
	}
	return ": generate one with `openssl rand -hex 32`"
}

// secrets returns all secrets of the settings, including empty ones.
func (s *settings) secrets() []namedSecret {
	return []namedSecret{
		{"WECHAT_APPSECRET", s.AppSecret},
		{"WECHAT_API_KEY", s.APIKey},
		{"WECHAT_MCH_KEY", s.MerchantKey},
		{"WECHAT_APIV3_KEY", s.Key},
		{"WECHAT_APIV3_KEY_OLD", s.KeyOld},
		{"SESSION_KEY", s.SessionKey},
		{"SESSION_KEY_OLD", s.SessionKeyOld},
		{"ADMIN_TOKEN", s.AdminToken},
		{"WEBHOOK_SECRET", s.WebhookSecret},
		{"WEBHOOK_SECRET_OLD", s.WebhookSecretOld},
	}
}

// checkSecrets returns an error for each secret of a public shop that others may know or guess.
// Such a secret comes from an example or the simulator, equals another setting, or has a pattern. A
// shop on this machine may use any secret.
func (s *settings) checkSecrets() (wrong []error) {
	if !s.public() {
		return nil
	}
	all := s.secrets()
	for i, secret := range all {
		if secret.value == "" {
			continue
		}
		problem := ""
		switch {
		case secret.name != "WECHAT_MCH_KEY":
			problem = weakness(string(secret.value))
		case isExampleKey(secret.value):
			problem = exampleValue
		}
		if key, err := webhook.ParseSecret(string(secret.value)); err == nil && problem == "" {
			problem = weakness(string(key)) // base64 can hide a pattern
		}
		if problem != "" {
			problem += secret.advice()
		}
		for _, earlier := range all[:i] {
			if bare(earlier.value) == bare(secret.value) {
				problem = "must differ from " + earlier.name
			}
		}
		if problem != "" {
			wrong = append(wrong, &settingError{secret.name, problem})
		}
	}
	return wrong
}

// bare returns a secret without the prefix of a webhook secret.
func bare(s wechat.Secret) string { return strings.TrimPrefix(string(s), "whsec_") }

// public reports whether the shop is on the internet. The address of a local shop has the scheme
// http.
func (s *settings) public() bool { return strings.HasPrefix(s.ShopURL, "https:") }

// exampleWords occur in example secrets of this and other projects. They are too long to occur in a
// random secret by chance. The last one is the secret in the documents of Standard Webhooks' libraries.
var exampleWords = []string{"change-me", "change_me", "changeme", "replace-me", "replace_me", "replaceme", "h5pay-", "h5paysimulator", "simulator", "example", "placeholder", "password", "your-", "your_",
	"mfkq9r8gkyqrtwjupd8ilpzio2lalasw"}

// The results of weakness.
const (
	exampleValue = "is an example value"
	guessable    = "is easy to guess"
)

// weakness returns why a secret can be guessed, "" if it looks random. It calls at most one in a
// million of the random secrets in hexadecimal, base64 or digits weak.
func weakness(secret string) string {
	secret = strings.TrimPrefix(secret, "whsec_")
	b := []byte(secret) // a key may be no UTF-8
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	lower := string(b)
	for _, word := range exampleWords {
		if strings.Contains(lower, word) {
			return exampleValue
		}
	}
	different := map[byte]bool{}
	steps := 0 // steps from a character to itself or a neighbour
	for i := range len(lower) {
		different[lower[i]] = true
		if i > 0 && lower[i]-lower[i-1]+1 <= 2 {
			steps++
		}
	}
	if len(different) < 6 || steps*3 > len(lower)*2 {
		return guessable
	}
	for period := 1; period <= len(lower)/2; period++ {
		if strings.HasPrefix(lower, lower[period:]) {
			return guessable
		}
	}
	return ""
}
