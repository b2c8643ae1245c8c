package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"regexp"
	"slices"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

//go:embed page.html
var pageText string

// Style is the style sheet of the page.
//
//go:embed page.css
var Style []byte

// Script leads a reader whose browser prefers Chinese from the English page to the Chinese one.
//
//go:embed page.mjs
var Script []byte

// schema is the part of a JSON schema that the page shows.
type schema struct {
	Ref         string `json:"$ref"`
	Type        any
	Description string
	Enum        []any
	Pattern     string
	Minimum     *float64
	Maximum     *float64
	MinLength   *int
	MaxLength   *int
	MinItems    *int
	MaxItems    *int
	Items       *schema
	Properties  map[string]*schema
	Additional  any `json:"additionalProperties"`
	Required    []string
	Examples    []json.RawMessage
}

type content map[string]struct{ Schema schema }

// operation is one call of the document.
type operation struct {
	v1.Route   `json:"-"`
	ID         string `json:"operationId"`
	Summary    string
	Parameters []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody *struct{ Content content }
	Responses   map[string]struct{ Content content }
}

// Page returns the document as an HTML page in a language. Its style sheet is Style, at the path
// docs.css beside it, and its script Script, at docs.mjs. It works without the script.
func Page(document []byte, in Language) ([]byte, error) {
	var d struct {
		Info       struct{ Description string }
		Paths      map[string]map[string]*operation
		Components struct{ Schemas map[string]*schema }
		Codes      map[string]string `json:"x-error-codes"`
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	var operations []*operation
	for _, route := range v1.Routes { // in their order
		op := d.Paths[route.Path][strings.ToLower(route.Method)]
		if op == nil {
			return nil, fmt.Errorf("the document lacks %s %s", route.Method, route.Path)
		}
		op.Route = route
		operations = append(operations, op)
	}
	l := &translation{texts: in.texts}
	t, err := template.New("page").Funcs(template.FuncMap{
		"paragraphs": func(text string) []string { return strings.Split(strings.TrimSpace(text), "\n\n") },
		"code":       inlineCode,
		"t":          l.text,
		"kind":       l.kind,
		"bounds":     l.bounds,
		"example":    example,
		"sorted":     func(m map[string]*schema) []string { return slices.Sorted(maps.Keys(m)) },
		"has":        slices.Contains[[]string],
		"success": func(op *operation) string {
			return slices.Min(slices.Collect(maps.Keys(op.Responses)))
		},
		"message": func(c content) string {
			s := c["application/json"].Schema
			return s.name()
		},
		"status": func(code string) int { return v1.Status(api.Code(code)) },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Language": in, "Introduction": d.Info.Description, "Operations": operations, "Schemas": d.Components.Schemas, "Codes": d.Codes,
	})
	return b.Bytes(), errors.Join(err, l.missing())
}

// Self is for the template, which has no address operator.
func (s schema) Self() *schema { return &s }

// name returns the name of the message that a schema refers to.
func (s *schema) name() string {
	return strings.TrimPrefix(s.Ref, "#/components/schemas/")
}

var backticks = regexp.MustCompile("`([^`]+)`")

// inlineCode marks what is between backticks.
func inlineCode(text string) template.HTML {
	return template.HTML(backticks.ReplaceAllString(template.HTMLEscapeString(text), "<code>$1</code>"))
}

// kind names the type of a field. A link leads to the type of a message.
func (l *translation) kind(s *schema) template.HTML {
	if name := s.name(); name != "" {
		return template.HTML(fmt.Sprintf(`<a href="#%s">%[1]s</a>`, template.HTMLEscapeString(name)))
	}
	if s.Items != nil {
		return template.HTML(template.HTMLEscapeString(l.text("list of"))) + " " + l.kind(s.Items)
	}
	switch t := s.Type.(type) {
	case string:
		return template.HTML(template.HTMLEscapeString(t))
	case []any:
		for _, one := range t {
			if one != "null" {
				return template.HTML(template.HTMLEscapeString(fmt.Sprint(one)))
			}
		}
	}
	return template.HTML(template.HTMLEscapeString(l.text("any")))
}

// bounds says which values a field may have.
func (l *translation) bounds(s *schema) string {
	var all []string
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		all = append(all, l.text("one of")+" "+strings.Join(values, ", "))
	}
	numeric := span(l, s.Minimum, s.Maximum)
	length := span(l, s.MinLength, s.MaxLength)
	items := span(l, s.MinItems, s.MaxItems)
	if numeric != "" {
		all = append(all, numeric)
	}
	if length != "" {
		all = append(all, length+" "+l.text("characters"))
	}
	if items != "" {
		all = append(all, items+" "+l.text("entries"))
	}
	if s.Pattern != "" {
		all = append(all, l.text("pattern")+" "+s.Pattern)
	}
	return strings.Join(all, "; ")
}

func span[N int | float64](l *translation, least, most *N) string {
	number := func(n N) string { return fmt.Sprintf("%.0f", float64(n)) }
	switch {
	case least != nil && most != nil:
		return number(*least) + " " + l.text("to") + " " + number(*most)
	case least != nil:
		return l.text("at least") + " " + number(*least)
	case most != nil:
		return l.text("at most") + " " + number(*most)
	}
	return ""
}

func example(s *schema) (string, error) {
	if len(s.Examples) == 0 {
		return "", nil
	}
	var b bytes.Buffer
	err := json.Indent(&b, s.Examples[0], "", "  ")
	return b.String(), err
}
