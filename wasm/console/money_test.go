package main

import (
	"regexp"
	"testing"

	"github.com/maxence-charriere/go-app/v9/pkg/app"
)

// The minus of a negative amount stands before the currency sign.
func TestNegativeAmount(t *testing.T) {
	var s base
	html := app.HTMLString(app.Div().Body(s.money(-500_000), s.money(6800)))
	if text := regexp.MustCompile(`<[^>]*>|\s`).ReplaceAllString(html, ""); text != "-¥5000.00¥68.00" {
		t.Errorf("%s", html)
	}
}
