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

// callTimeout bounds one call to the signer, which itself gives WeChat eight
// seconds.
const callTimeout = 15 * time.Second

// Codes of the page's own, beside those of the signer.
const (
	codeOffline   api.Code = "offline"    // no answer came
	codeGarbled   api.Code = "garbled"    // an answer that is not the signer's
	codeBridge    api.Code = "no_bridge"  // WeixinJSBridge did not appear
	codeRefused   api.Code = "refused"    // the user refused the sign-in
	codeNobody    api.Code = "nobody"     // a browser that has made no order yet
	codeNoProduct api.Code = "no_product" // the address names no product whose amount the payer names
	codeNoOrder   api.Code = "no_order"   // the address names no order
	codeCookies   api.Code = "cookies"    // the browser keeps no session
)

// How often a call is repeated that the signer answers with CodeBusy. A request that
// dies keeps others waiting for ten seconds.
const (
	busyPause = time.Second // the signer's Retry-After
	busyTries = 12
)

// call makes a call and decodes its answer into out, which may be nil. It repeats the
// call while the signer is busy with another request about the same order. The
// error is an *api.Error.
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
			return errGarbled()
		}
		return &e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(got.Body, out); err != nil {
		return errGarbled()
	}
	return nil
}

// getOrder returns an order as the signer has it now.
func getOrder(ctx context.Context, b browser, id string) (api.Order, error) {
	var o api.Order
	if err := call(ctx, b, "GET", api.OrderPath(id), nil, &o); err != nil {
		return o, err
	}
	if o.ID != id {
		return o, errGarbled()
	}
	return o, nil
}

// errGarbled says that something between here and the signer answered.
func errGarbled() error {
	return &api.Error{Code: codeGarbled, Message: "an answer that is not the signer's"}
}

// code returns the code of an error of call, "" for none.
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

// orderParam returns the order that an address is about, "" for none.
func orderParam(query string) string { return idParam(query, "order") }

// idParam returns the ID that a query has under a name, "" for none or for what
// is no ID.
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

// getCatalogue returns what is public of a shop.
func getCatalogue(ctx context.Context, b browser) (config api.Config, products []api.Product, err error) {
	var list api.ProductList
	if err = call(ctx, b, "GET", api.PathConfig, nil, &config); err == nil {
		err = call(ctx, b, "GET", api.PathProducts, nil, &list)
	}
	return config, append([]api.Product{}, list.Products...), err
}

// payPath is where an order is paid; a real navigation leads there.
func payPath(id string) string { return "/pay?order=" + id }

// resultPath is where it is said what became of it.
func resultPath(id string) string { return "/result?order=" + id }

// detailPath is where all about it stands.
func detailPath(id string) string { return "/order?order=" + id }
