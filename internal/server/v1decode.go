package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

// readV1Body reads the body of a call into a new value of the route's type and holds it
// against the bounds of its fields. The body has most bytes at most, maxBody when most is 0.
func readV1Body(r *http.Request, shape any, most int) (any, error) {
	v := reflect.New(reflect.TypeOf(shape))
	if err := readJSONWithin(r, v.Interface(), cmp.Or(most, maxBody)); err != nil {
		return nil, err
	}
	body := v.Elem().Interface()
	if err := v1.Check(body); err != nil {
		return nil, err
	}
	return body, nil
}

// readV1Query reads the query of a call into a new value of the route's type. It rejects
// unknown, repeated and empty parameters.
func readV1Query(query string, shape any) (any, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, &v1.Error{Code: api.CodeBadRequest, Message: "the query is malformed"}
	}
	v := reflect.New(reflect.TypeOf(shape)).Elem()
	fields := map[string]queryField{}
	queryFields(v, fields)
	for name, all := range values {
		field, ok := fields[name]
		switch {
		case !ok:
			return nil, &v1.Error{Code: api.CodeBadRequest, Field: shown(name), Message: "unknown query parameter " + quoteName(name)}
		case len(all) != 1:
			return nil, wrongField(name, "is repeated")
		case all[0] == "":
			return nil, wrongField(name, "is empty")
		}
		if err := field.set(all[0]); err != nil {
			return nil, wrongField(name, err.Error())
		}
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

// queryFields collects the fields of a query, those of embedded structs too, by name.
func queryFields(v reflect.Value, fields map[string]queryField) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			queryFields(v.Field(i), fields)
			continue
		}
		least, _ := strconv.ParseInt(f.Tag.Get("minimum"), 10, 64)
		fields[v1.Name(f)] = queryField{v.Field(i), least}
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
