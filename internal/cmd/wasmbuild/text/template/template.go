// Package template replaces text/template in the page. go-app's Handler uses it natively, when the
// site is written. In a browser nothing uses it, but the linker keeps the functions in its table,
// which is built before main.
//
// It declares what go-app uses; other uses do not compile. Parse always fails.
package template

import (
	"errors"
	"io"
)

// Template is always empty.
type Template struct{}

var errOmitted = errors.New("text/template: omitted from this build, see wasmbuild")

// New returns an empty template.
func New(string) *Template { return &Template{} }

// Parse returns an error.
func (t *Template) Parse(string) (*Template, error) { return nil, errOmitted }

// Execute returns an error.
func (t *Template) Execute(io.Writer, any) error { return errOmitted }

// Must panics if err is not nil, as in the standard package.
func Must(t *Template, err error) *Template {
	if err != nil {
		panic(err)
	}
	return t
}
