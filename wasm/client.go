package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
)

// callTimeout limits one call to the signer. The signer waits eight seconds for WeChat.
const callTimeout = 15 * time.Second

// Error codes of the page. The signer's codes are in package api.
const (
	codeOffline        api.Code = "offline"          // no response arrived
	codeBadResponse    api.Code = "bad_response"     // the response is not the signer's
	codeBridge         api.Code = "no_bridge"        // WeixinJSBridge did not appear
	codeSignInDeclined api.Code = "sign_in_declined" // the user declined the sign-in
	codeNoSession      api.Code = "no_session"       // the browser has no session: it has not ordered yet
	codeNoProduct      api.Code = "no_product"       // the address names no product with an open amount
	codeNoOrder        api.Code = "no_order"         // the address names no order
	codeNoLink         api.Code = "no_link"          // the address has no token of an order
	codeCookies        api.Code = "cookies"          // the browser does not keep the session cookie
)

// A call that the signer answers with CodeBusy is repeated. A request that dies keeps others waiting
// for ten seconds.
const (
	busyPause = time.Second // the signer's Retry-After
	busyTries = 12
)

// call makes one call and decodes the response into out, which may be nil. It repeats the call while
// another request is working on the same order. Every error is an *api.Error.
func call(ctx context.Context, b browser, method, path string, in, out any) error {
	for try := 1; ; try++ {
		err := callOnce(ctx, b, method, path, in, out)
		if code(err) != api.CodeBusy || try == busyTries || b.Sleep(ctx, busyPause) != nil {
			return err
		}
	}
}

func callOnce(ctx context.Context, b browser, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return &api.Error{Code: api.CodeInternal, Message: err.Error()}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := b.Fetch(ctx, method, path, body)
	if err != nil {
		return &api.Error{Code: codeOffline, Message: err.Error()}
	}
	if got.Status < 200 || got.Status > 299 {
		var e api.Error
		if json.Unmarshal(got.Body, &e) != nil || e.Code == "" {
			return errBadResponse()
		}
		return &e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(got.Body, out); err != nil {
		return errBadResponse()
	}
	return nil
}

// getOrder returns the order as the signer stores it now.
func getOrder(ctx context.Context, b browser, id string) (api.Order, error) {
	var o api.Order
	if err := call(ctx, b, "GET", api.OrderPath(id), nil, &o); err != nil {
		return o, err
	}
	if o.ID != id {
		return o, errBadResponse()
	}
	return o, nil
}

// errBadResponse is the error for a response that something other than the signer sent.
func errBadResponse() error {
	return &api.Error{Code: codeBadResponse, Message: "the response is not from the signer"}
}

// code returns the code of an error of call, "" for nil.
func code(err error) api.Code {
	if err == nil {
		return ""
	}
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return api.CodeInternal
}

// orderParam returns the order ID in a query, "" if there is none.
func orderParam(query string) string { return idParam(query, "order") }

// idParam returns the ID in a query parameter, "" if it is missing or malformed.
func idParam(query, name string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	id := values.Get(name)
	if !alphabet.URLSafe.Valid(id, 0, 64) {
		return ""
	}
	return id
}

// getCatalogue returns the shop's configuration and its products.
func getCatalogue(ctx context.Context, b browser) (config api.Config, products []api.Product, err error) {
	var list api.ProductList
	if err = call(ctx, b, "GET", api.PathConfig, nil, &config); err == nil {
		err = call(ctx, b, "GET", api.PathProducts, nil, &list)
	}
	return config, append([]api.Product{}, list.Products...), err
}

// takeCatalogue returns the catalogue that the page arrived with, once, and whether it may be old. It
// has no products if the page has none; the program then calls the signer.
func takeCatalogue(b browser) (c api.Catalogue, old bool) {
	text, old := b.PageData()
	if text == "" || json.Unmarshal([]byte(text), &c) != nil {
		return api.Catalogue{}, false
	}
	return c, old
}

// payPath is the address of the pay page. Load it as a page; do not let go-app route to it.
func payPath(id string) string { return "/pay?order=" + id }

// resultPath is the address of the payment result.
func resultPath(id string) string { return "/result?order=" + id }

// detailPath is the address of the order details.
func detailPath(id string) string { return "/order?order=" + id }
