// Package openapi makes the OpenAPI 3.1 document of the API for back ends from the types and routes
// of package v1. The types give names, bounds and values, and their comments the texts. It runs at
// build time and in tests.
package openapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	"h5pay/internal/v1"
)

//go:embed introduction.md
var introduction string

// Document returns the document as indented JSON, in English: programs that make clients read it.
// Page shows it in both languages. dir is the folder of package v1. The comments there and in
// packages api and fen, beside it, describe the types, their fields and the error codes. The texts of
// the codes are in "x-error-codes".
func Document(dir string) ([]byte, error) {
	texts := map[string]string{}
	for _, name := range []string{"../fen", "../api", "."} { // the later ones win
		more, err := readComments(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		maps.Copy(texts, more)
	}
	r, messages := openapi31.NewReflector(), examples()
	r.Spec.SetTitle("h5pay")
	r.Spec.SetVersion("1")
	r.Spec.SetDescription(introduction)
	r.Spec.SetHTTPBearerTokenSecurity("key", "", "an API key of the shop")
	r.DefaultOptions = append(r.DefaultOptions,
		jsonschema.InterceptDefName(func(t reflect.Type, _ string) string { return t.Name() }),
		jsonschema.InterceptNullability(func(p jsonschema.InterceptNullabilityParams) {
			if p.NullAdded {
				p.Schema.RemoveType(jsonschema.Null)
			}
		}),
		jsonschema.InterceptSchema(func(p jsonschema.InterceptSchemaParams) (bool, error) {
			if t := p.Value.Type(); p.Processed {
				if t.Kind() == reflect.Pointer {
					t = t.Elem()
				}
				describe(p.Schema, t, texts)
				if example, ok := messages[t]; ok {
					p.Schema.WithExamples(example)
				}
			}
			return false, nil
		}),
	)
	for _, route := range v1.Routes {
		if err := add(r, route); err != nil {
			return nil, fmt.Errorf("describing %s %s: %w", route.Method, route.Path, err)
		}
	}
	raw, err := r.Spec.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, err
	}
	document["x-error-codes"] = codeTexts(texts)
	return json.MarshalIndent(document, "", "  ")
}

// codeTexts returns what each error code of the routes means.
func codeTexts(texts map[string]string) map[string]string {
	all := map[string]string{}
	for _, route := range v1.Routes {
		for _, code := range route.Codes() {
			all[string(code)] = texts["code:"+string(code)]
		}
	}
	return all
}

// idempotency is the header of a call that makes something.
type idempotency struct {
	Key string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"64" description:"Makes a repeated call the same call."`
}

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

func add(r *openapi31.Reflector, route v1.Route) error {
	oc, err := r.NewOperationContext(route.Method, route.Path)
	if err != nil {
		return err
	}
	oc.SetID(route.Name)
	oc.SetSummary(route.Summary)
	oc.SetDescription(explain(route))
	oc.AddSecurity("key")
	if names := pathParameter.FindAllStringSubmatch(route.Path, -1); names != nil {
		var fields []reflect.StructField
		for _, name := range names {
			fields = append(fields, reflect.StructField{Name: strings.ToUpper(name[1]), Type: reflect.TypeFor[string](),
				Tag: reflect.StructTag(`path:"` + name[1] + `" required:"true"`)})
		}
		oc.AddReqStructure(reflect.New(reflect.StructOf(fields)).Interface())
	}
	if route.Creates {
		oc.AddReqStructure(idempotency{})
	}
	if route.Query != nil {
		oc.AddReqStructure(route.Query)
	}
	if route.Body != nil {
		oc.AddReqStructure(route.Body)
	}
	if route.Media != "" {
		oc.AddRespStructure("", openapi.WithHTTPStatus(route.Status), openapi.WithContentType(route.Media))
	} else {
		oc.AddRespStructure(route.Response, openapi.WithHTTPStatus(route.Status))
	}
	for _, status := range statuses(route) {
		oc.AddRespStructure(v1.Error{}, openapi.WithHTTPStatus(status))
	}
	return r.AddOperation(oc)
}

// statuses returns the HTTP statuses of the errors that a call may answer.
func statuses(route v1.Route) []int {
	var all []int
	for _, code := range route.Codes() {
		all = append(all, v1.Status(code))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// explain says what a call needs, and which error codes are its own.
func explain(route v1.Route) string {
	text := "Needs the scope `" + string(route.Scope) + "`."
	for i, code := range route.Errors {
		if i == 0 {
			text += " Its own error codes: "
		} else {
			text += ", "
		}
		text += "`" + string(code) + "`"
	}
	if len(route.Errors) > 0 {
		text += "."
	}
	return text
}

// describe gives a type its text and its values.
func describe(schema *jsonschema.Schema, t reflect.Type, texts map[string]string) {
	if t == reflect.TypeFor[json.RawMessage]() {
		*schema = jsonschema.Schema{}
		schema.WithType(jsonschema.Object.Type())
		return
	}
	if text := texts[t.Name()]; t.PkgPath() != "" && text != "" {
		schema.WithDescription(text)
	}
	if values := v1.Values(t); values != nil {
		schema.WithEnum(values...)
	}
	if t.Kind() == reflect.Struct && t.Name() != "" && schema.HasType(jsonschema.Object) {
		schema.AdditionalProperties = (&jsonschema.SchemaOrBool{}).WithTypeBoolean(false)
		describeFields(schema, t, texts)
	}
}

// describeFields gives the fields of a message their texts, and says which of them are
// always there: those without omitempty.
func describeFields(schema *jsonschema.Schema, t reflect.Type, texts map[string]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		property, ok := schema.Properties[name]
		if !ok || property.TypeObject == nil {
			continue
		}
		if text := texts[t.Name()+"."+field.Name]; text != "" {
			property.TypeObject.WithDescription(named(text, field.Name, name))
		}
		if !strings.Contains(options, "omitempty") && !slices.Contains(schema.Required, name) {
			schema.Required = append(schema.Required, name)
		}
	}
}

// named replaces the Go name at the beginning of a comment by the name in messages.
func named(text, goName, name string) string {
	if rest, ok := strings.CutPrefix(text, goName+" "); ok {
		return "`" + name + "` " + rest
	}
	return text
}
