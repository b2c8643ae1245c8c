// Package regexp replaces regexp in the page. go-app compares addresses with its list of patterns,
// which is empty here. The linker would still keep the matching code and Unicode tables.
//
// It declares what go-app uses; other uses do not compile. MustCompile panics.
package regexp

// Regexp cannot be created.
type Regexp struct{}

// MustCompile panics.
func MustCompile(pattern string) *Regexp {
	panic("regexp: omitted from this build, see wasmbuild: " + pattern)
}

// MatchString returns false. It is never called.
func (*Regexp) MatchString(string) bool { return false }
