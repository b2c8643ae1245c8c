package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// APIv3 holds the merchant's settings of APIv3. WeChat's messages are verified with its public
// key, with platform certificates, or with both while a merchant changes from one to the other.
type APIv3 struct {
	MerchantKey wechat.Secret // WECHAT_MCH_KEY, apiclient_key.pem as PEM, or its base64 alone
	Serial      string        // WECHAT_MCH_SERIAL, of the merchant API certificate
	Key         wechat.Secret // WECHAT_APIV3_KEY, 32 letters or digits
	// WECHAT_APIV3_KEY_OLD, optional: the previous APIv3 key. It still decrypts.
	KeyOld       wechat.Secret
	PublicKey    string // WECHAT_PUBLIC_KEY, pub_key.pem
	PublicKeyID  string // WECHAT_PUBLIC_KEY_ID
	Certificates bool   // WECHAT_CERTIFICATES is on: platform certificates verify

	problems []error // a *settingError for each setting that is missing or malformed
	waiting  string  // the settings that are missing until the public key is used in addition to the certificates; "" for none
	set      bool    // whether one of the settings has a value
	own      bool    // whether WECHAT_PUBLIC_KEY is the merchant's own key
}

// The settings of APIv3, by the field of wechat.V3Config that each fills.
var apiv3Settings = map[string]string{
	"PrivateKey":           "WECHAT_MCH_KEY",
	"Serial":               "WECHAT_MCH_SERIAL",
	"APIv3Key":             "WECHAT_APIV3_KEY",
	"APIv3KeyOld":          "WECHAT_APIV3_KEY_OLD",
	"PublicKey":            "WECHAT_PUBLIC_KEY",
	"PublicKeyID":          "WECHAT_PUBLIC_KEY_ID",
	"Certificates":         "WECHAT_CERTIFICATES",
	"PlatformCertificates": "WECHAT_CERTIFICATES",
}

// exampleKeys are the SHA-256 of private keys that WeChat's documents and the tests of its SDKs
// publish, of the public key in DER.
var exampleKeys = []string{
	"0076df9361cc1f5744359234d7df9fd43442cf369fb98826562f1d10a347ec5c", // official-docs-test-key
	"8a5b82f18120806bb2c6b46e1a2f8687ceaa20a45bc2b649e37e6d9878336dc5", // wechatpay-go-testing-key
	"49f044781fbf7ff57245d61ce8a67b9a45c6845f1ae92d3ab83576cf2778026e", // wechatpay-java-merchant-private-key
}

// isExampleKey reports whether a private key is published.
func isExampleKey(pem wechat.Secret) bool {
	key, err := apiv3.ParsePrivateKey(pem)
	return err == nil && slices.Contains(exampleKeys, fmt.Sprintf("%x", sha256.Sum256(key.Public().SPKI())))
}

// loadAPIv3 reads the settings of APIv3.
func loadAPIv3(getenv func(string) string) APIv3 {
	certificates := getenv("WECHAT_CERTIFICATES")
	s := APIv3{
		MerchantKey:  wechat.Secret(getenv("WECHAT_MCH_KEY")),
		Serial:       strings.TrimSpace(getenv("WECHAT_MCH_SERIAL")),
		Key:          wechat.Secret(strings.TrimSpace(getenv("WECHAT_APIV3_KEY"))),
		KeyOld:       wechat.Secret(strings.TrimSpace(getenv("WECHAT_APIV3_KEY_OLD"))),
		PublicKey:    getenv("WECHAT_PUBLIC_KEY"),
		PublicKeyID:  strings.TrimSpace(getenv("WECHAT_PUBLIC_KEY_ID")),
		Certificates: certificates == "on",
	}
	s.set = s.MerchantKey != "" || s.Serial != "" || s.Key != "" || s.PublicKey != "" || s.PublicKeyID != "" || s.Certificates
	wrong := func(name, problem string) { s.problems = append(s.problems, &settingError{name, problem}) }
	var merchant *apiv3.PrivateKey
	if s.MerchantKey == "" {
		wrong("WECHAT_MCH_KEY", "is not set")
	} else {
		var err error
		if merchant, err = apiv3.ParsePrivateKey(s.MerchantKey); err != nil {
			wrong("WECHAT_MCH_KEY", problemOf(err))
		}
	}
	switch {
	case s.Serial == "":
		wrong("WECHAT_MCH_SERIAL", "is not set")
	case !alphabet.Alphabet("0123456789ABCDEFabcdef").Valid(s.Serial, 1, 40):
		wrong("WECHAT_MCH_SERIAL", "must be the serial number of the merchant API certificate, up to 40 hex digits")
	}
	switch {
	case s.Key == "":
		wrong("WECHAT_APIV3_KEY", "is not set")
	case !alphabet.Alphanumeric.Valid(string(s.Key), 32, 32):
		wrong("WECHAT_APIV3_KEY", fmt.Sprintf("must be 32 letters or digits, and has %d characters", len(s.Key)))
	}
	if s.KeyOld != "" && !alphabet.Alphanumeric.Valid(string(s.KeyOld), 32, 32) {
		wrong("WECHAT_APIV3_KEY_OLD", "must be empty or 32 letters or digits")
	}
	switch {
	case s.PublicKey == "" && s.PublicKeyID == "" && s.Certificates:
	case s.Certificates && (s.PublicKey == "" || s.PublicKeyID == ""):
		// Each of the two settings is deployed by itself. Until both are there, the certificates
		// verify.
		s.waiting = "WECHAT_PUBLIC_KEY is not set"
		if s.PublicKeyID == "" {
			s.waiting = "WECHAT_PUBLIC_KEY_ID is not set"
		}
		s.PublicKey, s.PublicKeyID = "", ""
	case s.PublicKey == "" && s.PublicKeyID == "":
		wrong("WECHAT_PUBLIC_KEY", "is not set; a merchant with platform certificates (平台证书) sets WECHAT_CERTIFICATES to on instead")
	case s.PublicKey == "":
		wrong("WECHAT_PUBLIC_KEY", "is not set")
	case s.PublicKeyID == "":
		wrong("WECHAT_PUBLIC_KEY_ID", "is not set")
	default:
		key, err := apiv3.NewPublicKey(s.PublicKeyID, s.PublicKey)
		if err != nil {
			s.problems = append(s.problems, settingErrors(err)...)
		}
		s.own = err == nil && merchant != nil && key.Public.Equal(merchant.Public())
	}
	if certificates != "" && certificates != "on" && certificates != "off" {
		wrong("WECHAT_CERTIFICATES", "must be on or off")
	}
	return s
}

// problemOf returns what package apiv3 finds wrong with a setting, without the value.
func problemOf(err error) string {
	var e *apiv3.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "cannot be used"
}

// settingErrors turns the errors of package apiv3 about its fields, which err may join, into errors
// about settings.
func settingErrors(err error) (wrong []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			wrong = append(wrong, settingErrors(err)...)
		}
		return wrong
	}
	var e *apiv3.Error
	if !errors.As(err, &e) || apiv3Settings[e.Field] == "" {
		if inner := errors.Unwrap(err); inner != nil && e == nil {
			return settingErrors(inner)
		}
		return []error{err}
	}
	return []error{&settingError{apiv3Settings[e.Field], "must be corrected: it " + e.Message}}
}

// complete reports whether APIv3 is set up: nothing is missing or malformed.
func (s *APIv3) complete() bool { return s.problems == nil }

// chooseAPI sets the version of new payments and reports whether choice is one. Without a choice it
// is v3 if APIv3 is set up, or if there is no key of APIv2 and some setting of APIv3.
func (s *settings) chooseAPI(choice string) bool {
	switch choice {
	case "v2", "v3":
		s.API = wechat.Version(choice)
		return true
	}
	s.API = wechat.V2
	if s.APIv3.complete() || s.APIKey == "" && s.APIv3.set {
		s.API = wechat.V3
	}
	return choice == ""
}

// v3 returns the configuration of APIv3, nil if it is not set up. A shop that makes new payments
// with APIv2 runs without it; the health page names what is missing.
func (s *settings) v3(rsa apiv3.RSA) *wechat.V3Config {
	if !s.APIv3.complete() {
		return nil
	}
	return &wechat.V3Config{
		Serial: s.Serial, PrivateKey: s.MerchantKey, APIv3Key: s.Key, APIv3KeyOld: s.KeyOld,
		PublicKeyID: s.PublicKeyID, PublicKey: s.PublicKey, Certificates: s.Certificates, RSA: rsa,
	}
}

// apiv3Check is APIv3's entry on the health page. If new payments use APIv2, a setting that is
// missing is no alarm: the operator may be about to set it. One that is malformed is.
func (s *settings) apiv3Check() api.HealthCheck {
	check := api.HealthCheck{Name: "apiv3", OK: true}
	if s.APIv3.complete() && s.waiting != "" {
		check.Problem, check.Cause = "the certificates alone verify: "+s.waiting, string(cause.PublicKeyWaiting)
	}
	if s.APIv3.complete() || !s.set {
		return check
	}
	var problems []string
	for _, err := range s.problems {
		var e *settingError
		if errors.As(err, &e) && !strings.HasPrefix(e.Problem, "is not set") {
			check.OK = false
		}
		problems = append(problems, strings.TrimPrefix(err.Error(), "setting "))
	}
	check.Problem, check.Cause = "APIv3 is not used: "+strings.Join(problems, "; "), string(cause.APIv3Incomplete)
	return check
}
