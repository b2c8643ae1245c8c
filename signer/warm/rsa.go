package warm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// RSA is the platform's RSASSA-PKCS1-v1_5 with SHA-256, WebCrypto. It takes a tenth
// of the CPU time of Go's crypto/rsa (docs/rsa.md).
type RSA struct{ calls caller }

// ErrKeyRejected is the error of a call whose key the platform cannot import.
var ErrKeyRejected = errors.New("warm: the platform rejects the key")

// keyRejected is what rsa.mjs reports of such a key. Its own text might quote the key.
const keyRejected = "key rejected"

// Signer returns a signer for a private key, PKCS #8 in DER. The platform sees the
// key with the first call, and may reject it then.
func (r RSA) Signer(pkcs8 []byte) (*Signer, error) {
	key, err := r.key(pkcs8)
	return (*Signer)(key), err
}

// Verifier returns a verifier for a public key, SubjectPublicKeyInfo in DER.
func (r RSA) Verifier(spki []byte) (*Verifier, error) {
	key, err := r.key(spki)
	return (*Verifier)(key), err
}

func (r RSA) key(der []byte) (*rsaKey, error) {
	if len(der) == 0 || len(der) > maxKey {
		return nil, fmt.Errorf("warm: a key of %d bytes, want 1 to %d", len(der), maxKey)
	}
	sum := sha256.Sum256(der)
	der = slices.Clone(der)
	return &rsaKey{calls: r.calls, fingerprint: hex.EncodeToString(sum[:]), der: func() []byte { return der }}, nil
}

// Limits, in bytes. A private key of 8192 bits has 4.7 kB.
const (
	maxKey       = 8 << 10
	minSignature = 2048 / 8
	maxSignature = 8192 / 8
)

// rsaKey is sent with each call, because the isolate that imported it may have ended. The isolate
// keeps imported keys under their fingerprints.
type rsaKey struct {
	calls       caller
	fingerprint string
	der         func() []byte // a function, so that printing does not show the key
}

func (k *rsaKey) message(text []byte) *message {
	return newMessage().add(k.fingerprint).addBytes(k.der()).addBytes(text)
}

func (k *rsaKey) call(ctx context.Context, op op, m *message) (string, error) {
	r, err := k.calls.call(ctx, op, m)
	if err != nil {
		if err.Error() == keyRejected {
			return "", ErrKeyRejected
		}
		return "", err
	}
	reply := r.string()
	return reply, r.err
}

// Signer signs with one private key. It is safe for concurrent use.
type Signer rsaKey

// Sign returns the signature of a message.
func (s *Signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	k := (*rsaKey)(s)
	signature, err := k.call(ctx, opSign, k.message(message))
	if err != nil {
		return nil, err
	}
	if len(signature) < minSignature || len(signature) > maxSignature {
		return nil, fmt.Errorf("warm: a signature of %d bytes", len(signature))
	}
	return []byte(signature), nil
}

// Verifier verifies with one public key. It is safe for concurrent use.
type Verifier rsaKey

// Verify reports whether a signature is the key's for a message. After an error that
// is not known.
func (v *Verifier) Verify(ctx context.Context, message, signature []byte) (bool, error) {
	k := (*rsaKey)(v)
	reply, err := k.call(ctx, opVerify, k.message(message).addBytes(signature))
	if err != nil {
		return false, err
	}
	switch reply {
	case "1":
		return true, nil
	case "0":
		return false, nil
	}
	return false, errMessage
}
