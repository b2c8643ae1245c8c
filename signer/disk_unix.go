//go:build linux || darwin

package main

import "syscall"

// diskFree returns how many bytes of the disk that holds a folder are free for us.
func diskFree(folder string) (int64, bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true
}
