// Package dom is what the programs of the pages share of the browser: promises, exceptions, events and
// storage. Most of it exists in the browser only.
package dom
