// Package template stands in for text/template in the page. go-app's Handler
// writes its scripts with it, natively, when the site is made; in a browser
// nothing does, but the functions of its templates stay for good, because their
// table is made before main.
//
// It declares what go-app uses. Anything else does not compile, and no template
// can be parsed.
package template

import (
	"errors"
	"io"
)

// Template is one that cannot be had.
type Template struct{}

var errLeftOut = errors.New("text/template: left out of this build, see wasmbuild")

// New returns an empty template.
func New(string) *Template { return &Template{} }

// Parse fails.
func (t *Template) Parse(string) (*Template, error) { return nil, errLeftOut }

// Execute fails.
func (t *Template) Execute(io.Writer, any) error { return errLeftOut }

// Must is as in the real package: it panics with the error there is.
func Must(t *Template, err error) *Template {
	if err != nil {
		panic(err)
	}
	return t
}
