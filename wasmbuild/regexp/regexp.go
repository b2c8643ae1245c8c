// Package regexp stands in for regexp in the page, whose addresses are plain
// words. go-app asks its list of patterns whenever it looks for a screen, so the
// linker keeps the machines that match them, and the tables of Unicode's classes
// with them; the page routes by pattern nowhere, and the list is empty.
//
// It declares what go-app uses. Anything else does not compile, and a pattern
// ends the program where it is written down, as a wrong one would.
package regexp

// Regexp is one that cannot be had.
type Regexp struct{}

// MustCompile panics.
func MustCompile(pattern string) *Regexp {
	panic("regexp: left out of this build, see wasmbuild: " + pattern)
}

// MatchString is never called: there is no Regexp to call it on.
func (*Regexp) MatchString(string) bool { return false }
