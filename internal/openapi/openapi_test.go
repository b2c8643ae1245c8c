package openapi

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"h5pay/internal/v1"
)

const types = "../v1"

func newValidator(t *testing.T) validator.Validator {
	t.Helper()
	raw, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(raw)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return v
}

func TestDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	if ok, errs := newValidator(t).ValidateDocument(); !ok {
		for _, err := range errs {
			t.Error(err)
			for _, why := range err.SchemaValidationErrors {
				t.Error(why.Reason)
			}
		}
	}
}

// A document that is made twice is the same: nothing in it depends on the order of a map.
func TestDocumentIsStable(t *testing.T) {
	t.Parallel()
	first, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("two documents differ")
	}
}

// Every message and every field of one has a text or a name that says what it is.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	raw, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
		}
		Components struct {
			Schemas map[string]struct{ Description string }
		}
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, route := range v1.Routes {
		got := document.Paths[route.Path][strings.ToLower(route.Method)]
		if got.OperationID != route.Name || got.Summary == "" {
			t.Errorf("%s %s is described as %+v", route.Method, route.Path, got)
		}
		if names[route.Name] {
			t.Errorf("two routes are called %s", route.Name)
		}
		names[route.Name] = true
	}
	for name, schema := range document.Components.Schemas {
		if schema.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}

// The document and Check agree on requests: what one rejects the other rejects.
func TestDocumentAgreesWithCheck(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	for _, test := range []struct {
		method, path string
		request      any // of the type of the body
		bodies       []string
	}{
		{"POST", "/v1/keys", &v1.CreateKey{}, []string{
			`{"name":"erp","scopes":["read"]}`,
			`{"name":"erp","scopes":["read","write","refund","admin"],"expires_in":60}`,
			`{"name":"erp"}`,
			`{"scopes":["read"]}`,
			`{"name":"erp","scopes":[]}`,
			`{"name":"erp","scopes":["root"]}`,
			`{"name":"erp","scopes":["read","read","read","read","read"]}`,
			`{"name":"erp","scopes":["read"],"expires_in":59}`,
			`{"name":"` + strings.Repeat("茶", 61) + `","scopes":["read"]}`,
		}},
		{"PUT", "/v1/products/tea", &v1.PutProduct{}, []string{
			`{"name":"tea","price":1}`,
			`{"name":"tea","price":1,"image":"/web/tea.svg","detail":"50 g","position":-1,"for_sale":false}`,
			`{"name":"tea","price":5,"min_amount":1,"max_amount":100000000}`,
			`{"name":"tea"}`,
			`{"price":1}`,
			`{"name":"tea","price":-1}`,
			`{"name":"tea","price":100000001}`,
			`{"name":"tea","price":1,"position":1000001}`,
			`{"name":"tea","price":1,"detail":"` + strings.Repeat("茶", 201) + `"}`,
		}},
	} {
		for _, body := range test.bodies {
			r := httptest.NewRequest(test.method, "https://shop.example.com"+test.path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "k1")
			r.Header.Set("Authorization", "Bearer key")
			accepted, errs := v.ValidateHttpRequest(r)
			request := reflect.New(reflect.TypeOf(test.request).Elem())
			if err := json.Unmarshal([]byte(body), request.Interface()); err != nil {
				t.Fatal(err)
			}
			if wrong := v1.Check(request.Elem().Interface()); accepted != (wrong == nil) {
				t.Errorf("%s: the document says %t %v, Check says %v", body, accepted, errs, wrong)
			}
		}
	}
}

// Each call lists the error codes of its own, and has their statuses.
func TestDocumentListsTheErrorCodes(t *testing.T) {
	t.Parallel()
	raw, err := Document(types)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths map[string]map[string]struct {
			Description string
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	for _, route := range v1.Routes {
		op := d.Paths[route.Path][strings.ToLower(route.Method)]
		for _, code := range route.Errors {
			if !strings.Contains(op.Description, "`"+string(code)+"`") {
				t.Errorf("%s: %q lacks %s", route.Name, op.Description, code)
			}
		}
		for _, code := range route.Codes() {
			if _, ok := op.Responses[strconv.Itoa(v1.Status(code))]; !ok {
				t.Errorf("%s lacks the status of %s", route.Name, code)
			}
		}
	}
}
