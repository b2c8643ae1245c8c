package wechattest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// The API versions. An order and a refund remember the one that made them.
const (
	VersionV2 = "v2"
	VersionV3 = "v3"
)

// DefaultAPIv3Key is the APIv3 key of a Config that names none.
const DefaultAPIv3Key = "h5paysimulatorapiv3key0000000000"

// V3Mode determines the keys with which WeChat signs messages to the merchant in APIv3
// (docs/wechat.md 18.4).
type V3Mode string

// The modes. New merchants have the public key only.
const (
	V3PublicKey    V3Mode = "public_key"   // GET /v3/certificates answers 404
	V3Certificates V3Mode = "certificates" // no public key
	V3Both         V3Mode = "both"         // the weeks of a change from one to the other
)

// v3KeyBits is the size of every RSA key.
const v3KeyBits = 2048

// v3Scheme is the authentication scheme and the signature type of APIv3.
const v3Scheme = "WECHATPAY2-SHA256-RSA2048"

// v3Key is one key pair with the name under which messages refer to it.
type v3Key struct {
	id      string // serial of the certificate, or PUB_KEY_ID_...
	key     *rsa.PrivateKey
	cert    *x509.Certificate // nil of a public key
	revoked bool              // of the merchant's
}

// v3State holds the keys of APIv3. They are made when first needed, since each
// costs about 100 ms.
type v3State struct {
	mu       sync.Mutex
	spare    []*rsa.PrivateKey // of Config.RSAKeys, not yet used
	mode     V3Mode
	share    float64  // percent of callbacks that the public key signs in V3Both
	pending  float64  // the accumulated share of the callbacks so far
	apiKeys  []string // newest last
	merchant []*v3Key // newest last
	platform []*v3Key // certificates, newest last
	signer   *v3Key   // the platform certificate that signs
	public   []*v3Key // newest last
}

func newV3State(cfg Config) *v3State {
	return &v3State{spare: cfg.RSAKeys, mode: cfg.V3Mode, share: 50, apiKeys: []string{cfg.APIv3Key}}
}

// keyPair returns an unused RSA key. The caller holds s.mu.
func (s *v3State) keyPair() *rsa.PrivateKey {
	if len(s.spare) > 0 {
		key := s.spare[0]
		s.spare = s.spare[1:]
		return key
	}
	key, err := rsa.GenerateKey(rand.Reader, v3KeyBits)
	if err != nil {
		panic("wechattest: making an RSA key: " + err.Error()) // crypto/rand does not fail
	}
	return key
}

// certificate makes a key pair and a certificate, valid on the simulator's clock and on
// the machine's; the caller holds s.mu.
func (s *v3State) certificate(name, organization string, now time.Time) *v3Key {
	key := s.keyPair()
	serial := make([]byte, 20)
	if _, err := rand.Read(serial); err != nil {
		panic("wechattest: " + err.Error())
	}
	serial[0] = serial[0]&0x3f | 0x40 // 40 hex digits, positive
	from, until := now, now
	if real := time.Now(); real.Before(from) {
		from = real
	} else {
		until = real
	}
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), NotBefore: from.Add(-24 * time.Hour), NotAfter: until.Add(certLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		Subject:  pkix.Name{CommonName: name, Organization: []string{organization}, Country: []string{"CN"}},
	}
	// Shops do not check the issuer's signature: GCM and the merchant platform prove that these
	// certificates are WeChat's. So the key signs its own.
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "Tenpay.com Root CA", Organization: []string{"Simulated WeChat, worth nothing elsewhere"}}}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, &key.PublicKey, key)
	if err != nil {
		panic("wechattest: making a certificate: " + err.Error())
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic("wechattest: reading a certificate: " + err.Error())
	}
	return &v3Key{id: strings.ToUpper(fmt.Sprintf("%040x", t.SerialNumber)), key: key, cert: cert}
}

// publicKey makes a key pair with an id as WeChat's; the caller holds s.mu.
func (s *v3State) publicKey(mchID string, now time.Time) *v3Key {
	n, err := rand.Int(rand.Reader, big.NewInt(1e8))
	if err != nil {
		panic("wechattest: " + err.Error())
	}
	return &v3Key{id: fmt.Sprintf("PUB_KEY_ID_01%s%s%08d", mchID, now.In(beijing).Format("20060102"), n), key: s.keyPair()}
}

// readyV3 makes the keys of the mode that are not there yet; the caller holds s.mu.
func (w *WeChat) readyV3(s *v3State) {
	now := w.Now()
	if s.merchant == nil {
		s.merchant = []*v3Key{s.certificate(w.cfg.MchID, "微信商户系统", now)}
	}
	if s.public == nil && s.mode != V3Certificates {
		s.public = []*v3Key{s.publicKey(w.cfg.MchID, now)}
	}
	if s.platform == nil && s.mode != V3PublicKey {
		s.platform = []*v3Key{s.certificate("Tenpay.com sign", "Tenpay.com", now)}
		s.signer = s.platform[0]
	}
}

// v3Locked runs f with the keys in place.
func (w *WeChat) v3Locked(f func(s *v3State)) {
	s := w.v3
	s.mu.Lock()
	defer s.mu.Unlock()
	w.readyV3(s)
	f(s)
}

// changeV3 runs f with the keys in place, and reports a change of them.
func (w *WeChat) changeV3(f func(s *v3State)) {
	w.v3Locked(f)
	w.publish(Event{Kind: EventV3})
}

// sign signs a text.
func (k *v3Key) sign(text string) string {
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, k.key, crypto.SHA256, sum[:])
	if err != nil {
		panic("wechattest: signing: " + err.Error()) // 2048 bits hold a SHA-256
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// verify checks a signature in base64.
func (k *v3Key) verify(text, signature string) bool {
	sig, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	return rsa.VerifyPKCS1v15(&k.key.PublicKey, crypto.SHA256, sum[:], sig) == nil
}

func (k *v3Key) certPEM() string {
	if k == nil || k.cert == nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.cert.Raw}))
}

func (k *v3Key) privatePEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		panic("wechattest: writing a key: " + err.Error())
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (k *v3Key) publicPEM() string {
	der, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	if err != nil {
		panic("wechattest: writing a key: " + err.Error())
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// V3Identity is what a merchant has from the merchant platform for APIv3. The
// private key opens nothing outside the simulator.
type V3Identity struct {
	Mode     V3Mode `json:"mode"`
	MchID    string `json:"mch_id"`
	APIv3Key string `json:"api_v3_key"`
	// Serial, PrivateKey and Certificate are the merchant's newest API certificate:
	// apiclient_key.pem in PKCS#8, apiclient_cert.pem.
	Serial      string `json:"serial"`
	PrivateKey  string `json:"private_key"`
	Certificate string `json:"certificate"`
	// PublicKeyID and PublicKey are WeChat's newest public key, PEM; "" in the mode
	// V3Certificates.
	PublicKeyID string `json:"public_key_id,omitempty"`
	PublicKey   string `json:"public_key,omitempty"`
	// Certificates are WeChat's platform certificates, newest last; none in the mode
	// V3PublicKey. GET /v3/certificates has the same.
	Certificates []V3Certificate `json:"certificates,omitempty"`
	// ValidSerials are the merchant's API certificates that are not revoked, newest last.
	ValidSerials []string `json:"valid_serials"`
	// Share is the percentage of callbacks that the public key signs in the mode V3Both.
	Share float64 `json:"share"`
}

// V3Certificate is a platform certificate of WeChat's.
type V3Certificate struct {
	Serial string `json:"serial"` // 40 hex digits, upper case
	PEM    string `json:"pem"`
	Signs  bool   `json:"signs"` // whether messages are signed with it
}

// V3 returns the keys as they are now. The first call of a simulator makes them.
func (w *WeChat) V3() V3Identity {
	var id V3Identity
	w.v3Locked(func(s *v3State) {
		m := s.merchant[len(s.merchant)-1]
		id = V3Identity{
			Mode: s.mode, MchID: w.cfg.MchID, APIv3Key: s.apiKeys[len(s.apiKeys)-1],
			Serial: m.id, PrivateKey: m.privatePEM(), Certificate: m.certPEM(), Share: s.share,
		}
		for _, k := range s.merchant {
			if !k.revoked {
				id.ValidSerials = append(id.ValidSerials, k.id)
			}
		}
		if s.mode != V3Certificates {
			p := s.public[len(s.public)-1]
			id.PublicKeyID, id.PublicKey = p.id, p.publicPEM()
		}
		if s.mode != V3PublicKey {
			for _, c := range s.platform {
				id.Certificates = append(id.Certificates, V3Certificate{Serial: c.id, PEM: c.certPEM(), Signs: c == s.signer})
			}
		}
	})
	return id
}

// SetV3Mode changes which keys WeChat has. Keys of the mode before are kept, so
// that a change back finds them.
func (w *WeChat) SetV3Mode(mode V3Mode) error {
	if !mode.known() {
		return fmt.Errorf("mode: want %s, %s or %s, got %q", V3PublicKey, V3Certificates, V3Both, mode)
	}
	w.changeV3(func(s *v3State) {
		s.mode = mode
		w.readyV3(s)
	})
	return nil
}

func (m V3Mode) known() bool { return m == V3PublicKey || m == V3Certificates || m == V3Both }

// SetV3Share sets the percentage of callbacks that the public key signs in the mode
// V3Both. WeChat goes from 0.1 to 100 over a week. Default 50. Responses do not
// follow it: they follow the Wechatpay-Serial of the request.
func (w *WeChat) SetV3Share(percent float64) error {
	if !(percent >= 0 && percent <= 100) {
		return fmt.Errorf("percent: want 0 to 100, got %v", percent)
	}
	w.changeV3(func(s *v3State) { s.share, s.pending = percent, 0 })
	return nil
}

// SetAPIv3Key changes the APIv3 key: callbacks and certificates are encrypted with
// it from now on. It wants 32 letters and digits.
func (w *WeChat) SetAPIv3Key(key string) error {
	if !keyForm.MatchString(key) {
		return errors.New("key: want 32 letters and digits")
	}
	w.changeV3(func(s *v3State) { s.apiKeys = append(s.apiKeys, key) })
	return nil
}

// RotateV3MerchantKey makes another merchant key and certificate and returns the
// serial. The ones before are valid until RevokeV3MerchantKeys.
func (w *WeChat) RotateV3MerchantKey() (serial string) {
	w.changeV3(func(s *v3State) {
		k := s.certificate(w.cfg.MchID, "微信商户系统", w.Now())
		s.merchant = append(s.merchant, k)
		serial = k.id
	})
	return serial
}

// RevokeV3MerchantKeys revokes every merchant certificate but the newest: requests
// that are signed with one of them get 401.
func (w *WeChat) RevokeV3MerchantKeys() {
	w.changeV3(func(s *v3State) {
		for _, k := range s.merchant[:len(s.merchant)-1] {
			k.revoked = true
		}
	})
}

// AnnounceV3Certificate adds a platform certificate to GET /v3/certificates, as
// WeChat does 24 hours before it signs with it, and returns its serial.
func (w *WeChat) AnnounceV3Certificate() (serial string) {
	w.changeV3(func(s *v3State) { serial = w.addCertificate(s).id })
	return serial
}

// addCertificate makes a platform certificate that does not sign yet; the caller holds
// s.mu.
func (w *WeChat) addCertificate(s *v3State) *v3Key {
	k := s.certificate("Tenpay.com sign", "Tenpay.com", w.Now())
	s.platform = append(s.platform, k)
	if s.signer == nil {
		s.signer = k
	}
	return k
}

// RotateV3Certificate makes WeChat sign with the newest platform certificate, and returns its
// serial. If none was announced it makes one. The former ones stay in GET /v3/certificates, and
// sign responses to requests that name them.
func (w *WeChat) RotateV3Certificate() (serial string) {
	w.changeV3(func(s *v3State) { serial = w.rotateCertificate(s).id })
	return serial
}

func (w *WeChat) rotateCertificate(s *v3State) *v3Key {
	if len(s.platform) == 0 || s.signer == s.platform[len(s.platform)-1] {
		w.addCertificate(s)
	}
	s.signer = s.platform[len(s.platform)-1]
	return s.signer
}

// RotateV3PublicKey makes another public key of WeChat's, which signs from now on,
// and returns its id. Responses to requests that name the one before are signed
// with that one.
func (w *WeChat) RotateV3PublicKey() (id string) {
	w.changeV3(func(s *v3State) { id = w.rotatePublicKey(s).id })
	return id
}

func (w *WeChat) rotatePublicKey(s *v3State) *v3Key {
	k := s.publicKey(w.cfg.MchID, w.Now())
	s.public = append(s.public, k)
	return k
}

// responseKey finds the key that signs the response to a request with this
// Wechatpay-Serial; nil when the mode has none of that name.
func (w *WeChat) responseKey(serial string) (found *v3Key) {
	w.v3Locked(func(s *v3State) {
		if serial == "" {
			found = s.signer
			if s.mode == V3PublicKey {
				found = s.public[len(s.public)-1]
			}
			return
		}
		var keys []*v3Key
		if s.mode != V3Certificates {
			keys = append(keys, s.public...)
		}
		if s.mode != V3PublicKey {
			keys = append(keys, s.platform...)
		}
		for _, k := range keys {
			if k.id == serial {
				found = k
			}
		}
	})
	return found
}

// callbackKey chooses the key that signs the next callback.
func (w *WeChat) callbackKey() (k *v3Key) {
	w.v3Locked(func(s *v3State) {
		public := s.mode == V3PublicKey
		if s.mode == V3Both {
			// Evenly distributed: share of 100 callbacks.
			s.pending += s.share
			if public = s.pending >= 100; public {
				s.pending -= 100
			}
		}
		k = s.signer
		if public {
			k = s.public[len(s.public)-1]
		}
	})
	return k
}

// rotateLike makes a new key of the kind that k is.
func (w *WeChat) rotateLike(k *v3Key) (next *v3Key) {
	w.changeV3(func(s *v3State) {
		if k.cert == nil {
			next = w.rotatePublicKey(s)
		} else {
			next = w.rotateCertificate(s)
		}
	})
	return next
}

// apiV3Key is the APIv3 key that encrypts now.
func (w *WeChat) apiV3Key() (key string) {
	w.v3.mu.Lock()
	defer w.v3.mu.Unlock()
	return w.v3.apiKeys[len(w.v3.apiKeys)-1]
}

// apiV3Keys are the APIv3 keys of now and before.
func (w *WeChat) apiV3Keys() []string {
	w.v3.mu.Lock()
	defer w.v3.mu.Unlock()
	return w.v3.apiKeys
}

// merchantKeys are the merchant's keys, newest last.
func (w *WeChat) merchantKeys() (keys []v3Key) {
	w.v3Locked(func(s *v3State) {
		for _, k := range s.merchant {
			keys = append(keys, *k)
		}
	})
	return keys
}

// shopNow is the time on the shop's clock: see Config.RealTimeShop.
func (w *WeChat) shopNow() time.Time {
	now := w.Now()
	if w.cfg.RealTimeShop {
		now = now.Add(-w.clock.lead())
	}
	return now
}

// forgerKey returns the key of a forger who signs in WeChat's name.
func (w *WeChat) forgerKey(like *v3Key) *v3Key {
	key, err := rsa.GenerateKey(rand.Reader, v3KeyBits)
	if err != nil {
		panic("wechattest: making an RSA key: " + err.Error()) // crypto/rand does not fail
	}
	return &v3Key{id: like.id, key: key, cert: like.cert}
}
