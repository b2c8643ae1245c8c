package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"h5pay/internal/api"
)

const (
	maxBody  = 64 << 10 // bytes of any request
	maxDepth = 8        // of nested arrays and objects in JSON
)

// readBody returns the whole body, maxBody bytes at most.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, refuse(api.CodeBodyTooLarge, "the body is over 64 KiB")
	}
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, refuse(api.CodeBadRequest, "the body broke off")
	}
	if len(b) > maxBody {
		return nil, refuse(api.CodeBodyTooLarge, "the body is over 64 KiB")
	}
	return b, nil
}

// readJSON reads a request's body, one JSON object, into v.
func readJSON(r *http.Request, v any) error {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return refuse(api.CodeContentType, "the body must be application/json")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return refuse(api.CodeContentType, "the body must be in UTF-8")
	}
	b, err := readBody(r)
	if err != nil {
		return err
	}
	return decodeJSON(b, v)
}

// decodeJSON is json.Unmarshal for foreign bytes. It refuses what two parsers
// could read in two ways or what hides a mistake: unknown and repeated names,
// invalid UTF-8, data after the object, null, deep nesting.
func decodeJSON(b []byte, v any) error {
	if !utf8.Valid(b) {
		return refuse(api.CodeBadRequest, "the body is not UTF-8")
	}
	if err := checkObject(b); err != nil {
		return refuse(api.CodeBadRequest, err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return refuse(api.CodeBadRequest, "a field of the body is unknown or has the wrong type")
	}
	return nil
}

// checkObject accepts one JSON object without repeated names. Names that
// encoding/json takes for the same, because it ignores case, count as repeated.
func checkObject(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	// Each level that is open: the names so far, nil for an array, and whether
	// a name is next.
	type level struct {
		names []string // not nil for an object
		name  bool
	}
	var open []level
	for {
		token, err := d.Token()
		if err == io.EOF && len(open) == 0 {
			return errors.New("the body is empty")
		}
		if err != nil {
			return errors.New("the body is not JSON")
		}
		if len(open) > 0 {
			if top := &open[len(open)-1]; top.names != nil && token != json.Delim('}') {
				if top.name {
					name := token.(string)
					for _, earlier := range top.names {
						if strings.EqualFold(earlier, name) {
							return errors.New("a field is repeated")
						}
					}
					top.names = append(top.names, name)
				}
				top.name = !top.name
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{names: []string{}, name: true})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > maxDepth {
			return errors.New("the body is nested too deeply")
		}
		if len(open) == 0 {
			if token != json.Delim('}') {
				return errors.New("the body is not a JSON object")
			}
			break
		}
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("the body goes on after its object")
	}
	return nil
}
