package apiv3

import (
	"context"
	"errors"
)

// RSA makes signers and verifiers of RSASSA-PKCS1-v1_5 with SHA-256, the only algorithm of WeChat's
// in this package. The default is the standard library in a native program. Built for js there is
// no default.
//
// The keys have been checked: 2048 to 8192 bits, public exponent 3 or 65537. An
// implementation need not check them before the first signature, and WebCrypto
// cannot, because it works asynchronously.
type RSA interface {
	// Signer returns the signer of a private key, a PrivateKeyInfo (PKCS #8) in DER. Printing it
	// must not show the key.
	Signer(pkcs8 []byte) (Signer, error)
	// Verifier returns the verifier of a public key, a SubjectPublicKeyInfo in DER.
	Verifier(spki []byte) (Verifier, error)
}

// ErrKey is the error of an RSA for a key that the platform rejects. WebCrypto reports it at the
// first signature.
var ErrKey = errors.New("apiv3: the platform rejects the key")

// Signer signs with one private key. It is safe for concurrent use.
type Signer interface {
	Sign(ctx context.Context, message []byte) (signature []byte, err error)
}

// Verifier verifies with one public key. It is safe for concurrent use.
type Verifier interface {
	// Verify reports whether the signature is the key's for the message. An error
	// means that this is not known.
	Verify(ctx context.Context, message, signature []byte) (bool, error)
}

// orDefault returns the RSA to use.
func orDefault(r RSA) (RSA, error) {
	if r == nil {
		r = defaultRSA()
	}
	if r == nil {
		return nil, fail(BadConfig, "RSA", "is missing: this platform has no default")
	}
	return r, nil
}
