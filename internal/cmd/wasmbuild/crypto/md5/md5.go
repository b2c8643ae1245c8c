// Package md5 replaces crypto/md5 in the page, which hashes nothing. It declares what go-app and
// its UUID module refer to. Its functions panic.
package md5

import "hash"

// New panics.
func New() hash.Hash {
	panic("crypto/md5: omitted from this build, see wasmbuild")
}
