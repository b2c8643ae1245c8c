package v1

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"h5pay/internal/api"
)

// order returns a request that is right, changed.
func order(change func(*CreateOrder)) CreateOrder {
	r := CreateOrder{Amount: 1, Description: "tea"}
	change(&r)
	return r
}

func TestCheckNamesTheField(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request any
		field   string // "" for a request that is right
		message string
	}{
		{order(func(*CreateOrder) {}), "", ""},
		{order(func(r *CreateOrder) { r.Amount = 100_000_000 }), "", ""},
		{order(func(r *CreateOrder) { r.Amount = -1 }), "amount", "amount: want a whole number from 1 to 100000000"},
		{order(func(r *CreateOrder) { r.Amount = 100_000_001 }), "amount", "amount: want a whole number from 1 to 100000000"},
		{order(func(r *CreateOrder) { r.Currency = "USD" }), "currency", "currency: want one of CNY"},
		{order(func(r *CreateOrder) { r.Reference = strings.Repeat("订", 64) }), "", ""},
		{order(func(r *CreateOrder) { r.Reference = strings.Repeat("订", 65) }), "reference", "reference: want text with a length from 1 to 64"},
		{order(func(r *CreateOrder) { r.ExpiresIn = 599 }), "expires_in", "expires_in: want a whole number from 600 to 1296000"},
		{order(func(r *CreateOrder) { r.Lines = []CreateLine{} }), "lines", "lines: want a list with a length from 1 to 20"},
		{order(func(r *CreateOrder) { r.Lines = make([]CreateLine, 21) }), "lines", "lines: want a list with a length from 1 to 20"},
		{order(func(r *CreateOrder) { r.Lines = []CreateLine{{Quantity: 1}, {}} }), "lines[1].quantity", "lines[1].quantity: is required"},
		{order(func(r *CreateOrder) { r.Lines = []CreateLine{{Quantity: 10_000}} }), "lines[0].quantity", "lines[0].quantity: want a whole number from 1 to 9999"},
		{order(func(r *CreateOrder) { r.TradeTypes = []api.TradeType{"JSAPI", "CASH"} }), "trade_types[1]", "trade_types[1]: want one of JSAPI, NATIVE, MWEB"},
		{order(func(r *CreateOrder) { r.Description = "a\nb" }), "description", "description: want text without control characters"},
		{order(func(r *CreateOrder) { r.Reference = "A-1\x00" }), "reference", "reference: want text without control characters"},
		{order(func(r *CreateOrder) { r.Reference = "A\u20281" }), "reference", "reference: want text without control characters"},
		{order(func(r *CreateOrder) { r.Lines = []CreateLine{{Name: "茶\x7f", Quantity: 1}} }), "lines[0].name", "lines[0].name: want text without control characters"},
		{order(func(r *CreateOrder) { r.Metadata = many(20) }), "", ""},
		{order(func(r *CreateOrder) { r.Metadata = many(21) }), "metadata", "metadata: want at most 20 entries"},
		{CreateKey{Name: "erp", Scopes: []Scope{ScopeRead}}, "", ""},
		{CreateKey{Scopes: []Scope{ScopeRead}}, "name", "name: is required"},
		{CreateKey{Name: "erp"}, "scopes", "scopes: is required"},
		{CreateKey{Name: "erp", Scopes: []Scope{"root"}}, "scopes[0]", "scopes[0]: want one of read, write, refund, admin"},
		{PutProduct{Name: "茶", Price: 1, Image: "/a/b.svg"}, "", ""},
		{PutProduct{Name: "茶", Price: 1, Image: "//x.example/b.svg"}, "image", "image: want a path on the shop, like /web/products/tea.svg"},
		{OrderQuery{Status: "gone"}, "status", "status: want one of open, paid, closing, closed, refunding, refunded"},
		{OrderQuery{Page: Page{Limit: 101}}, "limit", "limit: want a whole number from 1 to 100"},
		{OrderQuery{From: -1}, "from", "from: want a whole number of at least 0"},
	} {
		err := Check(test.request)
		switch {
		case err == nil && test.field == "":
		case err == nil:
			t.Errorf("%+v is accepted, want an error of %s", test.request, test.field)
		case err.Field != test.field || err.Message != test.message || err.Code != "bad_request":
			t.Errorf("%+v: %+v, want %q %q", test.request, err, test.field, test.message)
		}
	}
}

func many(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[strings.Repeat("k", i+1)] = "v"
	}
	return m
}

// Check has each pattern of a request, and its function does what the pattern says.
func TestPatterns(t *testing.T) {
	t.Parallel()
	tags := map[string]bool{}
	var collect func(reflect.Type)
	collect = func(shape reflect.Type) {
		if shape.Kind() == reflect.Slice {
			shape = shape.Elem()
		}
		if shape.Kind() != reflect.Struct {
			return
		}
		for field := range shape.Fields() {
			if pattern := field.Tag.Get("pattern"); pattern != "" {
				tags[pattern] = true
			}
			collect(field.Type)
		}
	}
	for _, route := range Routes {
		for _, shape := range []any{route.Body, route.Query} {
			if shape != nil {
				collect(reflect.TypeOf(shape))
			}
		}
	}
	if len(tags) == 0 {
		t.Error("no request has a pattern")
	}
	for tag := range tags {
		pattern, ok := patterns[tag]
		if !ok {
			t.Errorf("Check ignores the pattern %s", tag)
			continue
		}
		same := regexp.MustCompile(tag)
		for _, text := range []string{"", "/", "a", "/a", "//", "//a", `/\`, `/\a`, `/a\b`, "/a/b", "/a//", "/茶", "a/b", " /a", "/ ", "https://x.example/a"} {
			if got, want := pattern.match(text), same.MatchString(text); got != want {
				t.Errorf("%q and %s: %t", text, tag, got)
			}
		}
	}
}

func TestCheckZerosNamesTheField(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		`{}`:                                  "",
		`{"amount":1}`:                        "",
		`{"amount":0}`:                        "amount",
		`{"AMOUNT":-0}`:                       "amount",
		`{"lines":[{"price":1},{"price":0}]}`: "lines[1].price",
		`{"lines":[{"quantity":1}],"metadata":{}}`: "",
	} {
		var r CreateOrder
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		switch err := CheckZeros([]byte(text), r); {
		case err == nil && field != "":
			t.Errorf("%s is accepted", text)
		case err != nil && (err.Field != field || !strings.HasPrefix(err.Message, field+": want a whole number from 1 ")):
			t.Errorf("%s: %+v, want the field %q", text, err, field)
		}
	}
	// 0 is a value of a pointer, and of a number without a least.
	if err := CheckZeros([]byte(`{"max_orders":0,"expires_at":0}`), ChangeLink{}); err != nil {
		t.Errorf("a link without bounds: %+v", err)
	}
}
