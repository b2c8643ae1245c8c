package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// callTimeout limits one call to the signer. The signer gives WeChat eight seconds.
const callTimeout = 20 * time.Second

// Error codes of the console. The signer's codes are in packages api and v1.
const (
	codeOffline     api.Code = "offline"      // no response arrived
	codeBadResponse api.Code = "bad_response" // the response is not the signer's
	codeBadPhoto    api.Code = "bad_photo"    // the file is not a picture
)

// call makes one call and decodes the response into out, which may be nil. Every error is a
// *v1.Error. A POST gets a new Idempotency-Key unless key is set.
func call(ctx context.Context, b browser, method, path string, in, out any, key string) error {
	var body []byte
	header := map[string]string{}
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return &v1.Error{Code: api.CodeInternal, Message: err.Error()}
		}
		header["Content-Type"] = "application/json"
	}
	if method != "GET" {
		header[v1.HeaderConsole] = "1"
	}
	if method == "POST" {
		if key == "" {
			key = rand.Text()
		}
		header["Idempotency-Key"] = key
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := b.Fetch(ctx, method, path, header, body)
	if err != nil {
		return &v1.Error{Code: codeOffline, Message: err.Error()}
	}
	if got.Status < 200 || got.Status > 299 {
		var e v1.Error
		if json.Unmarshal(got.Body, &e) != nil || e.Code == "" {
			return errBadResponse()
		}
		return &e
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *string: // a table
		*out = string(got.Body)
		return nil
	}
	if err := json.Unmarshal(got.Body, out); err != nil {
		return errBadResponse()
	}
	return nil
}

func errBadResponse() error {
	return &v1.Error{Code: codeBadResponse, Message: "the response is not from the signer"}
}

// errorOf returns an error of call.
func errorOf(err error) *v1.Error {
	var e *v1.Error
	if err == nil || !errors.As(err, &e) {
		return &v1.Error{Code: api.CodeInternal}
	}
	return e
}

// code returns the code of an error of call, "" for nil.
func code(err error) api.Code {
	if err == nil {
		return ""
	}
	return errorOf(err).Code
}

// param returns a parameter of a query, "" if it is missing.
func param(query, name string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return values.Get(name)
}

// address returns a path with a query of the pairs whose value is not empty.
func address(path string, pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
