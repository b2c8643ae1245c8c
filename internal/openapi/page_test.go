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
	for _, in := range Languages {
		page, err := Page(raw, in)
		if err != nil {
			t.Fatal(err)
		}
		checkPage(t, in, string(page))
	}
	if strings.Contains(string(Style), "url(") || strings.Contains(string(Style), "@import") {
		t.Error("the style sheet loads something")
	}
}

func checkPage(t *testing.T, in Language, text string) {
	t.Helper()
	if !strings.Contains(text, `<html lang="`+in.Tag+`">`) || !strings.Contains(text, in.Other+"</a>") {
		t.Errorf("the page in %s has another language, or no link to the other one", in.Name)
	}
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
		if m[1] != "/v1/docs.css" && m[1] != "/v1/openapi.json" && m[1] != in.OtherURL && !(m[1] == "/v1/docs.mjs" && in.Tag == "en") {
			t.Errorf("the page refers to %s", m[1])
		}
	}
	// The space between a method and a path is in the box of the method: elsewhere it is underlined.
	if links := regexp.MustCompile(`<a href="#\w+"><span class="method \w+">\w+ </span>/v1/`).FindAllString(text, -1); len(links) != len(v1.Routes) {
		t.Errorf("%d links of %d calls", len(links), len(v1.Routes))
	}
	for _, forbidden := range []string{"<script>", "<img", "style=", "javascript:"} {
		if strings.Contains(text, forbidden) {
			t.Errorf("the page has %s", forbidden)
		}
	}
}

// Every text of the page has its Chinese, which is Chinese, and chinese.txt has no other texts.
func TestEveryTextHasItsChinese(t *testing.T) {
	t.Parallel()
	raw, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	page, err := Page(raw, Languages[1])
	if err != nil {
		t.Error(err) // names the texts
	}
	// Names of fields and values from other systems stay as they are.
	ascii := regexp.MustCompile(`^[ -~]*$`)
	foreign := map[string]bool{"openid": true}
	for english, text := range Languages[1].texts {
		if ascii.MatchString(text) && !foreign[text] {
			t.Errorf("%q has the Chinese %q", english, text)
		}
		for _, m := range backticks.FindAllString(text, -1) {
			if name := strings.Trim(m, "`"); !strings.Contains(string(raw), name) {
				t.Errorf("the Chinese of %q names %s, which is not in the document", english, name)
			}
		}
	}
	for what, change := range map[string]func(*Language){
		"a missing text":    func(in *Language) { delete(in.texts, "Make an order") },
		"a superfluous one": func(in *Language) { in.texts["a text of no page"] = "无" },
	} {
		in := Languages[1]
		in.texts = chinese()
		change(&in)
		if _, err := Page(raw, in); err == nil {
			t.Errorf("%s is not found", what)
		}
	}
	if text := string(page); !strings.Contains(text, "<td>订单已付款</td>") || !strings.Contains(text, "下单。所需权限：") {
		t.Error("the Chinese page lacks its texts")
	}
}

// Every error code of a call has a text.
func TestEveryCodeHasAText(t *testing.T) {
	t.Parallel()
	raw, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Codes map[string]string `json:"x-error-codes"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	for code, text := range d.Codes {
		if text == "" {
			t.Errorf("%s has no text", code)
		}
	}
	if len(d.Codes) < 20 {
		t.Errorf("%d codes", len(d.Codes))
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
