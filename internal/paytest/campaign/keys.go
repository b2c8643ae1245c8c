package campaign

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Keys are the merchant's keys of APIv3 that were ever in use.
type Keys struct {
	mu      sync.Mutex
	apiV3   []string
	revoked time.Time // when the merchant's former API certificates were revoked
}

// UseAPIv3Key adds an APIv3 key.
func (k *Keys) UseAPIv3Key(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Contains(k.apiV3, key) {
		k.apiV3 = append(k.apiV3, key)
	}
}

// Revoke records that the merchant's former API certificates are revoked.
func (k *Keys) Revoke(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked = at
}

// revokedAfter reports whether a merchant API certificate was revoked after a time.
func (k *Keys) revokedAfter(at time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.revoked.After(at)
}

// decrypt returns the resource of a notification of APIv3.
func (k *Keys) decrypt(notification []byte) ([]byte, error) {
	var n struct {
		Resource struct {
			Ciphertext, Nonce string
			AssociatedData    string `json:"associated_data"`
		}
	}
	if err := json.Unmarshal(notification, &n); err != nil {
		return nil, err
	}
	sealed, err := base64.StdEncoding.DecodeString(n.Resource.Ciphertext)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.apiV3 {
		block, err := aes.NewCipher([]byte(key))
		if err != nil {
			return nil, err
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		if len(n.Resource.Nonce) != gcm.NonceSize() {
			return nil, fmt.Errorf("the nonce has %d bytes", len(n.Resource.Nonce))
		}
		if plain, err := gcm.Open(nil, []byte(n.Resource.Nonce), sealed, []byte(n.Resource.AssociatedData)); err == nil {
			return plain, nil
		}
	}
	return nil, errors.New("no APIv3 key decrypts it")
}
