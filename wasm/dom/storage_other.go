//go:build !js

package dom

// ReplaceBrokenAPIs does nothing outside a browser.
func ReplaceBrokenAPIs() {}
