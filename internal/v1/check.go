package v1

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"h5pay/internal/api"
)

// Enumerated is a type with a list of values.
type Enumerated interface{ Enum() []any }

// Values returns the values that a type may have, nil for every value.
func Values(t reflect.Type) []any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if e, ok := reflect.Zero(t).Interface().(Enumerated); ok {
		return e.Enum()
	}
	if t.Kind() == reflect.String {
		return enums[t.Name()]
	}
	return nil
}

// Check validates a request, or its query, by the tags of its fields. No text may have
// control characters. An error names the first invalid field. For a field that is absent or
// zero only the tag "required" counts.
func Check(request any) *Error {
	return check(reflect.ValueOf(request), "")
}

func check(v reflect.Value, at string) *Error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Anonymous {
			if err := check(value, at); err != nil {
				return err
			}
			continue
		}
		path := at + Name(field)
		if value.IsZero() {
			if field.Tag.Get("required") == "true" {
				return wrong(path, "is required")
			}
			continue
		}
		if err := checkField(field, value, path); err != nil {
			return err
		}
	}
	return nil
}

// Name returns the name of a field in a message or in a query.
func Name(field reflect.StructField) string {
	if name := field.Tag.Get("query"); name != "" {
		return name
	}
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func checkField(field reflect.StructField, v reflect.Value, path string) *Error {
	switch v.Kind() {
	case reflect.Pointer: // a field whose zero value is not absent
		return checkField(field, v.Elem(), path)
	case reflect.String:
		return checkText(field.Tag, v, path)
	case reflect.Int, reflect.Int64:
		least, most := bounds(field.Tag, "minimum", "maximum")
		if n := v.Int(); n < least || n > most {
			return outside(path, "a whole number", least, most)
		}
	case reflect.Slice:
		least, most := bounds(field.Tag, "minItems", "maxItems")
		if n := int64(v.Len()); n < least || n > most {
			return outside(path, "a list with a length", least, most)
		}
		for i := range v.Len() {
			item := path + "[" + strconv.Itoa(i) + "]"
			var err *Error
			if v.Index(i).Kind() == reflect.Struct {
				err = check(v.Index(i), item+".")
			} else {
				err = checkText("", v.Index(i), item)
			}
			if err != nil {
				return err
			}
		}
	case reflect.Map:
		if _, most := bounds(field.Tag, "", "maxProperties"); int64(v.Len()) > most {
			return wrong(path, fmt.Sprintf("want at most %d entries", most))
		}
	}
	return nil
}

func checkText(tag reflect.StructTag, v reflect.Value, path string) *Error {
	values := Values(v.Type())
	if list := tag.Get("enum"); list != "" {
		for _, value := range strings.Split(list, ",") {
			values = append(values, value)
		}
	}
	if values != nil {
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = fmt.Sprint(value)
		}
		if !slices.Contains(texts, v.String()) {
			return wrong(path, "want one of "+strings.Join(texts, ", "))
		}
		return nil
	}
	least, most := bounds(tag, "minLength", "maxLength")
	if n := int64(utf8.RuneCountInString(v.String())); n < least || n > most {
		return outside(path, "text with a length", least, most)
	}
	if !OneLine(v.String()) {
		return wrong(path, "want text without control characters")
	}
	if pattern, ok := patterns[tag.Get("pattern")]; ok && !pattern.match(v.String()) {
		return wrong(path, "want "+pattern.want)
	}
	return nil
}

// OneLine reports whether a text has no control character and no line break. No text of a
// request may have one, because receipts, tables and logs give each text one line.
func OneLine(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

// patterns are the values of the tag "pattern". Functions match them, because the Worker does
// not contain package regexp.
var patterns = map[string]struct {
	match func(string) bool
	want  string
}{
	`^/[^/\\][^\\]*$`: {
		func(path string) bool {
			return len(path) > 1 && path[0] == '/' && path[1] != '/' && !strings.Contains(path, `\`)
		}, "a path on the shop, like /web/products/tea.svg",
	},
}

const unbounded = int64(1) << 62

// bounds returns the least and the greatest value that a field may have.
func bounds(tag reflect.StructTag, minimum, maximum string) (least, most int64) {
	least, most = -unbounded, unbounded
	if n, err := strconv.ParseInt(tag.Get(minimum), 10, 64); err == nil {
		least = n
	}
	if n, err := strconv.ParseInt(tag.Get(maximum), 10, 64); err == nil {
		most = n
	}
	return least, most
}

func wrong(field, message string) *Error {
	return &Error{Code: api.CodeBadRequest, Field: field, Message: field + ": " + message}
}

func outside(field, what string, least, most int64) *Error {
	switch {
	case least == -unbounded:
		return wrong(field, fmt.Sprintf("want %s of at most %d", what, most))
	case most == unbounded:
		return wrong(field, fmt.Sprintf("want %s of at least %d", what, least))
	}
	return wrong(field, fmt.Sprintf("want %s from %d to %d", what, least, most))
}
