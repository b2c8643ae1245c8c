package apiv3

import (
	"fmt"
	"strings"
	"time"
)

// Key is one of WeChat's keys: its public key, or that of a platform certificate.
type Key struct {
	// ID is the Wechatpay-Serial of what the key signs: "PUB_KEY_ID_" and digits,
	// or the serial of a certificate.
	ID     string
	Public *PublicKey
	// The time in which a certificate is valid; zero for a public key, which does
	// not end.
	NotBefore, NotAfter time.Time
}

// NewPublicKey returns WeChat Pay's public key (pub_key.pem) with its ID at the merchant platform.
func NewPublicKey(id, pem string) (Key, error) {
	const field = "PublicKeyID"
	switch id = strings.TrimSpace(id); {
	case id == "":
		return Key{}, fail(BadConfig, field, "is missing")
	case !strings.HasPrefix(id, publicKeyPrefix) && serial(id) != "":
		return Key{}, fail(BadConfig, field, "is the serial of a certificate, want PUB_KEY_ID_ and digits")
	case !strings.HasPrefix(id, publicKeyPrefix) || keyID(id) == "":
		return Key{}, fail(BadConfig, field, "want PUB_KEY_ID_ and digits")
	}
	public, err := ParsePublicKey(pem)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: id, Public: public}, nil
}

// NewPlatformKey returns the key of a platform certificate.
func NewPlatformKey(pem string) (Key, error) {
	c, err := ParseCertificate(pem)
	if err != nil {
		return Key{}, err
	}
	return c.key(), nil
}

func (c *Certificate) key() Key {
	return Key{ID: c.Serial, Public: c.PublicKey, NotBefore: c.NotBefore, NotAfter: c.NotAfter}
}

// valid reports whether the key may sign at a time.
func (k Key) valid(now time.Time) bool {
	return (k.NotBefore.IsZero() || !now.Before(k.NotBefore)) && (k.NotAfter.IsZero() || !now.After(k.NotAfter))
}

// maxKeys is the most keys of a KeySet. A merchant has one public key and, while
// they are replaced, two certificates.
const maxKeys = 16

// KeySet holds the keys that may sign WeChat's messages, under their IDs. It does
// not change.
type KeySet struct {
	rsa     RSA
	entries []entry // in the order of NewKeySet
}

type entry struct {
	key      Key
	verifier Verifier
}

// NewKeySet makes a set of keys. It may be empty: in certificate mode there is
// none before the first download. The first is preferred, see Preferred. r may be
// nil, see RSA.
func NewKeySet(r RSA, keys ...Key) (*KeySet, error) {
	const field = "Keys"
	r, err := orDefault(r)
	if err != nil {
		return nil, err
	}
	if len(keys) > maxKeys {
		return nil, fail(BadConfig, field, fmt.Sprintf("are %d, want %d at most", len(keys), maxKeys))
	}
	s := &KeySet{rsa: r}
	for _, k := range keys {
		if k.ID = keyID(k.ID); k.ID == "" || k.Public == nil {
			return nil, fail(BadConfig, field, "hold one without an ID or without a key")
		}
		if _, there := s.find(k.ID); there {
			return nil, fail(BadConfig, field, "hold "+k.ID+" twice")
		}
		v, err := r.Verifier(k.Public.SPKI())
		if err != nil {
			return nil, fail(BadConfig, field, k.ID+" cannot be used")
		}
		s.entries = append(s.entries, entry{k, v})
	}
	return s, nil
}

// find returns the key with an ID in the form of keyID.
func (s *KeySet) find(id string) (entry, bool) {
	for _, e := range s.entries {
		if e.key.ID == id {
			return e, true
		}
	}
	return entry{}, false
}

// Keys returns the keys in their order.
func (s *KeySet) Keys() []Key {
	keys := make([]Key, len(s.entries))
	for i, e := range s.entries {
		keys[i] = e.key
	}
	return keys
}

// Preferred returns the ID of the first key that is valid now, "" without one. It
// goes into the Wechatpay-Serial of requests: WeChat then signs the response with
// this key. A shop that changes from certificates to the public key, or back,
// decides with it what its responses are signed with.
func (s *KeySet) Preferred(now time.Time) string {
	for _, e := range s.entries {
		if e.key.valid(now) {
			return e.key.ID
		}
	}
	return ""
}
