package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"regexp"
	"slices"
	"strings"

	"h5pay/internal/v1"
)

//go:embed page.html
var pageText string

// Style is the style sheet of the page.
//
//go:embed page.css
var Style []byte

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
	Method, Path string `json:"-"`
	ID           string `json:"operationId"`
	Summary      string
	Description  string
	Parameters   []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody *struct{ Content content }
	Responses   map[string]struct{ Content content }
}

// Page returns the document as an HTML page. It needs no script. Its style sheet is Style,
// at the path docs.css beside it.
func Page(document []byte) ([]byte, error) {
	var d struct {
		Info       struct{ Description string }
		Paths      map[string]map[string]*operation
		Components struct{ Schemas map[string]*schema }
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
		op.Method, op.Path = route.Method, route.Path
		operations = append(operations, op)
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"paragraphs": func(text string) []string { return strings.Split(strings.TrimSpace(text), "\n\n") },
		"code":       inlineCode,
		"kind":       kind,
		"bounds":     bounds,
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
		"group": func(op *operation) string { return strings.Split(op.Path, "/")[2] },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Introduction": d.Info.Description, "Operations": operations, "Schemas": d.Components.Schemas})
	return b.Bytes(), err
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
func kind(s *schema) template.HTML {
	if name := s.name(); name != "" {
		return template.HTML(fmt.Sprintf(`<a href="#%s">%[1]s</a>`, template.HTMLEscapeString(name)))
	}
	if s.Items != nil {
		return "list of " + kind(s.Items)
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
	return "any"
}

// bounds says which values a field may have.
func bounds(s *schema) string {
	var all []string
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		all = append(all, "one of "+strings.Join(values, ", "))
	}
	numeric := span(s.Minimum, s.Maximum)
	length := span(s.MinLength, s.MaxLength)
	items := span(s.MinItems, s.MaxItems)
	for _, bound := range []struct{ text, unit string }{{numeric, ""}, {length, " characters"}, {items, " entries"}} {
		if bound.text != "" {
			all = append(all, bound.text+bound.unit)
		}
	}
	if s.Pattern != "" {
		all = append(all, "pattern "+s.Pattern)
	}
	return strings.Join(all, "; ")
}

func span[N int | float64](least, most *N) string {
	text := func(n N) string { return fmt.Sprintf("%.0f", float64(n)) }
	switch {
	case least != nil && most != nil:
		return text(*least) + " to " + text(*most)
	case least != nil:
		return "at least " + text(*least)
	case most != nil:
		return "at most " + text(*most)
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
