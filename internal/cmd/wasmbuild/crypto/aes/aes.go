// Package aes replaces crypto/aes in the page, which encrypts nothing, because no secret reaches
// it. go-app uses the package to store encrypted values, with the key beside them.
//
// It declares what go-app uses; other uses do not compile. NewCipher always fails.
package aes

import (
	"crypto/cipher"
	"errors"
)

// NewCipher returns an error.
func NewCipher([]byte) (cipher.Block, error) {
	return nil, errors.New("crypto/aes: omitted from this build, see wasmbuild")
}
