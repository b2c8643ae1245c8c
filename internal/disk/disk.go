// Package disk makes files durable, so that they are there after a power failure.
package disk

import (
	"errors"
	"io/fs"
	"os"
)

// Sync waits until a file or a folder is on the disk. A new file is durable when both are: the file
// and its folder. Windows keeps names itself and cannot sync a folder, so Sync then does nothing.
func Sync(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrInvalid) {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
