package openapi

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/schema_validation"

	"h5pay/internal/v1"
)

// The page shows every call and every message, its links lead somewhere, and it loads
// nothing but its style sheet.
func TestPageIsComplete(t *testing.T) {
	t.Parallel()
	raw, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	page, err := Page(raw)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, route := range v1.Routes {
		if !strings.Contains(text, `<section id="`+route.Name+`">`) {
			t.Errorf("%s is not on the page", route.Name)
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, `id="`+m[1]+`"`) {
			t.Errorf("a link leads to #%s, which is not there", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href|action)="([^"#][^"]*)"`).FindAllStringSubmatch(text, -1) {
		if m[1] != "/v1/docs.css" && m[1] != "/v1/openapi.json" {
			t.Errorf("the page refers to %s", m[1])
		}
	}
	// The space between a method and a path is in the box of the method: elsewhere it is underlined.
	if links := regexp.MustCompile(`<a href="#\w+"><span class="method \w+">\w+ </span>/v1/`).FindAllString(text, -1); len(links) != len(v1.Routes) {
		t.Errorf("%d links of %d calls", len(links), len(v1.Routes))
	}
	for _, forbidden := range []string{"<script", "<img", "style="} {
		if strings.Contains(text, forbidden) {
			t.Errorf("the page has %s", forbidden)
		}
	}
	if strings.Contains(string(Style), "url(") || strings.Contains(string(Style), "@import") {
		t.Error("the style sheet loads something")
	}
}

// Every message of a route has an example that agrees with the document.
func TestEveryMessageHasAnExample(t *testing.T) {
	t.Parallel()
	raw, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(raw)
	if err != nil {
		t.Fatal(err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	all := examples()
	used := map[reflect.Type]bool{reflect.TypeFor[v1.Error](): true}
	for _, route := range v1.Routes {
		for _, message := range []any{route.Body, route.Response} {
			if message != nil {
				used[reflect.TypeOf(message)] = true
			}
		}
	}
	for message := range used {
		if message.NumField() == 0 {
			continue
		}
		example, ok := all[message]
		if !ok {
			t.Errorf("%s has no example", message.Name())
			continue
		}
		text, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		schema, ok := model.Model.Components.Schemas.Get(message.Name())
		if !ok {
			t.Errorf("the document lacks %s", message.Name())
			continue
		}
		if valid, errs := schema_validation.NewSchemaValidator().ValidateSchemaBytes(schema.Schema(), text); !valid {
			t.Errorf("the example of %s, %s: %v", message.Name(), text, errs[0].SchemaValidationErrors)
		}
	}
	for message := range all {
		if !used[message] {
			t.Errorf("the example of %s is of no route", message.Name())
		}
	}
}
