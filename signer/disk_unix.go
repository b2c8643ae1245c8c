//go:build linux || darwin

package main

import "syscall"

// diskFree returns the free bytes of the folder's disk.
func diskFree(folder string) (int64, bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true
}
