// Package cipher replaces crypto/cipher in the page; see h5pay/internal/cmd/wasmbuild/crypto/aes for the reason.
// It declares what go-app uses.
package cipher

import "errors"

// Block is as in the standard package.
type Block interface {
	BlockSize() int
	Encrypt(dst, src []byte)
	Decrypt(dst, src []byte)
}

// AEAD is as in the standard package.
type AEAD interface {
	NonceSize() int
	Overhead() int
	Seal(dst, nonce, plaintext, additionalData []byte) []byte
	Open(dst, nonce, ciphertext, additionalData []byte) ([]byte, error)
}

// NewGCM returns an error.
func NewGCM(Block) (AEAD, error) {
	return nil, errors.New("crypto/cipher: omitted from this build, see wasmbuild")
}
