package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"h5pay/internal/v1"
)

// readV1Body reads the body of a call into a new value of the route's type and holds it
// against the bounds of its fields. The body has most bytes at most, maxBody when most is 0.
func readV1Body(r *http.Request, shape any, most int) (any, error) {
	v := reflect.New(reflect.TypeOf(shape))
	text, err := readJSONText(r, cmp.Or(most, maxBody))
	if err != nil {
		return nil, err
	}
	if err := decodeJSON(text, v.Interface()); err != nil {
		return nil, err
	}
	body := v.Elem().Interface()
	if err := v1.Check(body); err != nil {
		return nil, err
	}
	if err := v1.CheckZeros(text, body); err != nil {
		return nil, err
	}
	return body, nil
}

// readV1Query reads the query of a call into a new value of the route's type and holds it
// against the bounds of its fields.
func readV1Query(query string, shape any) (any, error) {
	v := reflect.New(reflect.TypeOf(shape)).Elem()
	readers := map[string]func(string) error{}
	queryFields(v, readers)
	if err := readQuery(query, readers); err != nil {
		return nil, err
	}
	q := v.Interface()
	if err := v1.Check(q); err != nil {
		return nil, err
	}
	return q, nil
}

// queryField is a field of a query.
type queryField struct {
	value reflect.Value
	least int64 // of a number
}

// queryFields collects the readers of the fields of a query, those of embedded structs too,
// by name.
func queryFields(v reflect.Value, readers map[string]func(string) error) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			queryFields(v.Field(i), readers)
			continue
		}
		least, _ := strconv.ParseInt(f.Tag.Get("minimum"), 10, 64)
		readers[v1.Name(f)] = queryField{v.Field(i), least}.set
	}
}

// set reads a parameter. v1.Check takes 0 for absent, so that 0 is held against the bound
// here.
func (f queryField) set(text string) error {
	switch f.value.Kind() {
	case reflect.String:
		f.value.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return errors.New("want true or false")
		}
		f.value.SetBool(text == "true")
	default:
		n, err := strconv.ParseInt(text, 10, 53)
		if err != nil || n < f.least {
			return fmt.Errorf("want a whole number of at least %d", f.least)
		}
		f.value.SetInt(n)
	}
	return nil
}
