//go:build !js

package apiv3

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
)

func defaultRSA() RSA { return standard{} }

// standard is RSA of the standard library.
type standard struct{}

func (standard) Signer(pkcs8 []byte) (Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		// The errors of crypto/rsa contain nothing of the key today, but its documentation does not
		// guarantee that.
		return nil, errors.New("the numbers of the key do not fit together")
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return standardSigner{func(sum []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum)
	}}, nil
}

// standardSigner keeps its key in a function, which fmt does not print.
type standardSigner struct {
	sign func(sum []byte) ([]byte, error)
}

func (s standardSigner) Sign(_ context.Context, message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	return s.sign(sum[:])
}

func (standard) Verifier(spki []byte) (Verifier, error) {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, errors.New("not a public key")
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return standardVerifier{public}, nil
}

type standardVerifier struct{ key *rsa.PublicKey }

func (v standardVerifier) Verify(_ context.Context, message, signature []byte) (bool, error) {
	sum := sha256.Sum256(message)
	return rsa.VerifyPKCS1v15(v.key, crypto.SHA256, sum[:], signature) == nil, nil
}
