// Package aes stands in for crypto/aes in the page, which encrypts nothing:
// what must stay secret never reaches it. go-app needs the package for values
// that a program stores encrypted, under a key that it stores beside them.
//
// It declares what go-app uses. Anything else does not compile, and no cipher can
// be had.
package aes

import (
	"crypto/cipher"
	"errors"
)

// NewCipher fails.
func NewCipher([]byte) (cipher.Block, error) {
	return nil, errors.New("crypto/aes: left out of this build, see wasmbuild")
}
