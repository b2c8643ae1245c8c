// Package dom is what the programs of the pages share of the browser: promises, exceptions, events and
// storage. It exists in the browser only.
package dom
