// Package seal encrypts values that leave the program: AES-256-GCM under a key that is
// derived from a secret of the shop.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Box seals and opens values. The zero value is not usable.
type Box struct {
	current cipher.AEAD
	former  cipher.AEAD // opens only; nil when there is none
}

// New returns a Box under keys that are derived for a purpose: from secret, and from
// former, the secret before, if it is not empty. The former key opens and does not seal.
func New(secret, former, purpose string) (Box, error) {
	var b Box
	var err error
	if b.current, err = newAEAD(secret, purpose); err == nil && former != "" {
		b.former, err = newAEAD(former, purpose)
	}
	if err != nil {
		return Box{}, fmt.Errorf("making the key of %s: %w", purpose, err)
	}
	return b, nil
}

func newAEAD(secret, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, purpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// HasFormer reports whether the Box opens what another key has sealed.
func (b Box) HasFormer() bool { return b.former != nil }

// Seal returns the text of a sealed value. Open needs the same about.
func (b Box) Seal(rand io.Reader, plain []byte, about string) (string, error) {
	nonce := make([]byte, b.current.NonceSize(), b.current.NonceSize()+len(plain)+b.current.Overhead())
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return "", fmt.Errorf("sealing %s: %w", about, err)
	}
	return base64.RawURLEncoding.EncodeToString(b.current.Seal(nonce, nonce, plain, []byte(about))), nil
}

// Open returns a sealed value, and whether the former key has sealed it. The error says
// nothing of the value.
func (b Box) Open(text, about string) (plain []byte, former bool, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < b.current.NonceSize() {
		return nil, false, errors.New("malformed")
	}
	nonce, sealed := raw[:b.current.NonceSize()], raw[b.current.NonceSize():]
	if plain, err = b.current.Open(nil, nonce, sealed, []byte(about)); err == nil {
		return plain, false, nil
	}
	if b.former != nil {
		if plain, err = b.former.Open(nil, nonce, sealed, []byte(about)); err == nil {
			return plain, true, nil
		}
	}
	return nil, false, errors.New("not sealed by this shop")
}
