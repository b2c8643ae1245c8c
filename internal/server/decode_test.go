package server

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
)

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	good := `{"items":[{"product_id":"tea","quantity":2}],"client_key":"k"}`
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"an order":            {good, true},
		"spaces around":       {" \r\n" + good + "\n ", true},
		"fields left out":     {`{}`, true},
		"empty":               {``, false},
		"null":                {`null`, false},
		"an array":            {`[` + good + `]`, false},
		"a string":            {`"x"`, false},
		"a number":            {`1`, false},
		"broken off":          {good[:len(good)-1], false},
		"two objects":         {good + good, false},
		"text after":          {good + `x`, false},
		"unknown field":       {`{"price":1}`, false},
		"unknown inside":      {`{"items":[{"product_id":"tea","quantity":2,"price":1}]}`, false},
		"repeated field":      {`{"client_key":"a","client_key":"b"}`, false},
		"repeated by case":    {`{"client_key":"a","CLIENT_KEY":"b"}`, false},
		"repeated by escape":  {`{"client_key":"a","client\u005fkey":"b"}`, false},
		"repeated inside":     {`{"items":[{"quantity":1,"quantity":2}]}`, false},
		"fraction":            {`{"items":[{"product_id":"tea","quantity":1.5}]}`, false},
		"exponent":            {`{"items":[{"product_id":"tea","quantity":1e1}]}`, false},
		"quantity as text":    {`{"items":[{"product_id":"tea","quantity":"1"}]}`, false},
		"quantity too large":  {`{"items":[{"product_id":"tea","quantity":99999999999999999999}]}`, false},
		"object for a string": {`{"client_key":{}}`, false},
		"deep":                {`{"items":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, false},
		"not UTF-8":           {"{\"client_key\":\"\xff\"}", false},
		"a BOM":               {"\ufeff" + good, false},
		"a comment":           {`{/**/}`, false},
		"XML":                 {`<xml></xml>`, false},
	} {
		var req api.CreateOrderRequest
		err := decodeJSON([]byte(c.body), &req)
		var e *api.Error
		if (err == nil) != c.ok || err != nil && (!errors.As(err, &e) || e.Code != api.CodeBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeErrorsNameTheField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 30)
	for body, want := range map[string]string{
		`{"price":1}`: `unknown field "price"`,
		`{"items":[{"product_id":"tea","price":1}]}`: `unknown field "price"`,
		`{"` + long + `":1}`:                         `unknown field "` + long[:39] + `"...`,
		`{"items":[],"items":[]}`:                    `field "items" is repeated`,
		`{"` + long + `":1,"` + long + `":1}`:        `field "` + long[:39] + `"... is repeated`,
		`{}{}`:                                       "the body has data after the JSON object",
		`{"client_key":1}`:                           "client_key: want text",
		`{"items":{}}`:                               "items: want an array",
		`{"items":["tea"]}`:                          "items: want an object",
		`{"items":[{"quantity":"2"}]}`:               "items.quantity: want a whole number",
		`{"items":[{"quantity":1.5}]}`:               "items.quantity: want a whole number",
		`{"items":[{"quantity":1e30}]}`:              "items.quantity: want a whole number",
		`{"items":[{"product_id":["tea"]}]}`:         "items.product_id: want text",
	} {
		err := decodeJSON([]byte(body), &api.CreateOrderRequest{})
		if e := (*api.Error)(nil); !errors.As(err, &e) || e.Message != want {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func TestReadJSONChecksTheRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contentType string
		body        string
		length      int64
		code        api.Code
	}{
		"fine":             {"application/json", `{"state":"x"}`, -1, ""},
		"with charset":     {`application/json; charset="UTF-8"`, `{}`, -1, ""},
		"no type":          {"", `{}`, -1, api.CodeContentType},
		"a form":           {"application/x-www-form-urlencoded", `{}`, -1, api.CodeContentType},
		"text":             {"text/plain", `{}`, -1, api.CodeContentType},
		"other charset":    {"application/json; charset=gbk", `{}`, -1, api.CodeContentType},
		"broken type":      {"application/json; charset", `{}`, -1, api.CodeContentType},
		"64 KiB":           {"application/json", `{"state":"` + strings.Repeat("x", maxBody-12) + `"}`, -1, ""},
		"64 KiB and 1":     {"application/json", `{"state":"` + strings.Repeat("x", maxBody-11) + `"}`, -1, api.CodeBodyTooLarge},
		"announced length": {"application/json", `{}`, maxBody + 1, api.CodeBodyTooLarge},
	} {
		r := httptest.NewRequest("POST", "/api/oauth/token", strings.NewReader(c.body))
		r.ContentLength = c.length
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		err := readJSON(r, &api.TokenRequest{})
		var e *api.Error
		errors.As(err, &e)
		if c.code == "" && err != nil || c.code != "" && (e == nil || e.Code != c.code) {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

// encoding/json accepts everything that the decoder accepts, and the decoder accepts its own
// encoding.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{
		`{"items":[{"product_id":"tea","quantity":2}],"client_key":"k"}`,
		`{"items":[],"items":[]}`, `{"a":[{}]}`, `null`, `{}{}`, `{"client_key":"\ud800"}`, `[[[[`, `{"":1}`, ` {} `,
	} {
		f.Add([]byte(s))
	}
	for _, worst := range worstBodies {
		f.Add(worst(4 << 10))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req api.CreateOrderRequest
		if err := decodeJSON(b, &req); err != nil {
			var e *api.Error
			if !errors.As(err, &e) || e.Code != api.CodeBadRequest {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		var whole api.CreateOrderRequest
		if err := json.Unmarshal(b, &whole); err != nil {
			t.Fatalf("accepted what json.Unmarshal rejects: %v", err)
		}
		again, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		var second api.CreateOrderRequest
		if err := decodeJSON(again, &second); err != nil {
			t.Fatalf("rejected its own encoding %s: %v", again, err)
		}
		if d := cmp.Diff(req, second); d != "" {
			t.Fatal(d)
		}
	})
}
