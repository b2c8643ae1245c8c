package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"h5pay/internal/api"
)

const (
	maxBody  = 64 << 10 // bytes of any request
	maxDepth = 8        // of nested arrays and objects in JSON

	// Each name of an object is compared with all others of that object, so their number must be
	// small. No request has more than five names.
	maxNames = 32
	// maxElements bounds an array. No request has more than api.MaxOrderItems.
	maxElements = 100
)

// readBody returns the complete body of at most maxBody bytes.
func readBody(r *http.Request) ([]byte, error) { return readBodyWithin(r, maxBody) }

// readBodyWithin returns the complete body of at most most bytes.
func readBodyWithin(r *http.Request, most int) ([]byte, error) {
	tooLarge := reject(api.CodeBodyTooLarge, fmt.Sprintf("the body is over %d KiB", most>>10))
	if r.ContentLength > int64(most) {
		return nil, tooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, int64(most)+1))
	if err != nil {
		return nil, reject(api.CodeBadRequest, "the body is incomplete")
	}
	if len(b) > most {
		return nil, tooLarge
	}
	return b, nil
}

// readJSON reads a request's body, one JSON object, into v.
func readJSON(r *http.Request, v any) error {
	b, err := readJSONText(r, maxBody)
	if err != nil {
		return err
	}
	return decodeJSON(b, v)
}

// readJSONText returns a request's body of at most most bytes. Its Content-Type must be JSON.
func readJSONText(r *http.Request, most int) ([]byte, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, reject(api.CodeContentType, "the body must be application/json")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return nil, reject(api.CodeContentType, "the body must be in UTF-8")
	}
	return readBodyWithin(r, most)
}

// decodeJSON is json.Unmarshal for untrusted bytes. It rejects a body that two parsers could read
// differently or that hides a mistake. Examples are unknown and repeated names, invalid UTF-8, data
// after the object, and null. It bounds nesting, names and array elements. Its work grows linearly
// with the body.
func decodeJSON(b []byte, v any) error {
	if !utf8.Valid(b) {
		return reject(api.CodeBadRequest, "the body is not UTF-8")
	}
	if err := checkObject(b); err != nil {
		return reject(api.CodeBadRequest, err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		field, problem := decodeProblem(err)
		return &api.Error{Code: api.CodeBadRequest, Message: problem, Field: field}
	}
	return nil
}

// maxShown is how many bytes of a foreign name an error repeats.
const maxShown = 40

// shown cuts a long name of a field or parameter for an error.
func shown(name string) string {
	if len(name) > maxShown {
		return strings.ToValidUTF8(name[:maxShown], "")
	}
	return name
}

// quoteName quotes the name of a field or parameter for an error. It cuts a long name.
func quoteName(name string) string {
	if len(name) > maxShown {
		return strconv.Quote(shown(name)) + "..."
	}
	return strconv.Quote(name)
}

// decodeProblem returns the field that encoding/json could not read, and the wanted form.
func decodeProblem(err error) (field, problem string) {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return wrong.Field, wrong.Field + ": want " + wanted(wrong.Type)
	}
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if name, err := strconv.Unquote(quoted); err == nil {
			return shown(name), "unknown field " + quoteName(name)
		}
		return "", "unknown field " + quoted
	}
	return "", "a field of the body has the wrong type"
}

// wanted names a type for a caller.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// checkObject accepts one JSON object without repeated names and within the bounds. encoding/json
// ignores the case of names, so names that differ in case alone count as repeated.
func checkObject(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	// level is an array or object that is open.
	type level struct {
		names    []string // so far; not nil for an object
		name     bool     // whether a name is next
		elements int      // so far, of an array
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
		if len(open) > 0 && token != json.Delim('}') && token != json.Delim(']') {
			top := &open[len(open)-1]
			switch {
			case top.names == nil:
				if top.elements++; top.elements > maxElements {
					return fmt.Errorf("an array of the body has more than %d elements", maxElements)
				}
			case top.name:
				name := token.(string)
				if len(top.names) == maxNames {
					return fmt.Errorf("an object of the body has more than %d fields", maxNames)
				}
				for _, earlier := range top.names {
					if strings.EqualFold(earlier, name) {
						return errors.New("field " + quoteName(name) + " is repeated")
					}
				}
				top.names = append(top.names, name)
				top.name = false
			default:
				top.name = true
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
		return errors.New("the body has data after the JSON object")
	}
	return nil
}
