package main

// generate does nothing in a browser: RunWhenOnBrowser does not return there.
func generate() {}
