// Package disk makes files durable, so that they are there after a power failure.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Sync waits until a file or a folder is on the disk. A new file is durable when both are: the file
// and its folder. The caller must be allowed to write the file. Windows keeps names itself and cannot
// sync a folder, and neither can some network file systems: then Sync does nothing.
func Sync(name string) error {
	f, folder, err := open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	if folder && cannotSync(err) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// open opens a folder for reading, and a file also for writing: otherwise Windows does not sync it.
func open(name string) (f *os.File, folder bool, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, false, err
	}
	mode := os.O_RDWR
	if info.IsDir() {
		mode = os.O_RDONLY
	}
	f, err = os.OpenFile(name, mode, 0)
	return f, info.IsDir(), err
}

// cannotSync reports whether an error means that a folder cannot be synced here.
func cannotSync(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.EINVAL)
}
