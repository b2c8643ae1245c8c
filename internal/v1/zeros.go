package v1

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// CheckZeros rejects a 0 in the JSON of a request where the least number is more than 0. For
// Check the number is absent then, which may mean something else: without an amount a refund
// pays everything back. An error names the first invalid field.
func CheckZeros(text []byte, request any) *Error {
	return checkZeros(text, reflect.TypeOf(request), "")
}

func checkZeros(text []byte, t reflect.Type, at string) *Error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return nil // no object
	}
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous {
			if err := checkZeros(text, field.Type, at); err != nil {
				return err
			}
			continue
		}
		for name, value := range fields {
			if !strings.EqualFold(name, Name(field)) { // as encoding/json compares names
				continue
			}
			if err := checkZero(value, field, at+Name(field)); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkZero(text []byte, field reflect.StructField, path string) *Error {
	switch kind := field.Type.Kind(); {
	case kind == reflect.Int || kind == reflect.Int64:
		least, most := bounds(field.Tag, "minimum", "maximum")
		var n int64
		if least > 0 && json.Unmarshal(text, &n) == nil && n == 0 {
			return outside(path, "a whole number", least, most)
		}
	case kind == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct:
		var items []json.RawMessage
		if json.Unmarshal(text, &items) != nil {
			return nil
		}
		for i, item := range items {
			if err := checkZeros(item, field.Type.Elem(), path+"["+strconv.Itoa(i)+"]."); err != nil {
				return err
			}
		}
	}
	return nil
}
