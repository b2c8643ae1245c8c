// Package rand stands in for crypto/rand in the page. The real one asks the
// browser, too, but by way of the generators that FIPS 140 prescribes, whose
// ciphers and hashes test themselves before main; this one goes there at once.
// It is for js alone: natively nothing replaces the real one.
package rand
