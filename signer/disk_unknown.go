//go:build !js && !linux && !darwin

package main

// diskFree reports false: on this system the standard library does not return the free disk space.
func diskFree(string) (int64, bool) { return 0, false }
