package main

// generate has nothing to do in a browser, where main never gets past
// RunWhenOnBrowser.
func generate() {}
