// Package rand replaces crypto/rand in the page. The standard package reads from the browser
// through the generators of FIPS 140, whose ciphers and hashes run self-tests before main. This one
// reads from the browser directly. It is used only for js; native builds use the standard package.
package rand
