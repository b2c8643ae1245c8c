package server

import (
	"encoding/json"
	"reflect"
	"strings"

	"h5pay/internal/reqlog"
	"h5pay/internal/v1"
)

// openIDFields are the fields of responses with an openid.
var openIDFields = []string{"payer", "openid"}

// forBrowser returns a response as a browser may have it, wherever its parts are: openids are masked,
// and events have no data, which is for the back end. It may change the response.
func forBrowser(response any) any {
	if response == nil {
		return nil
	}
	v := reflect.New(reflect.TypeOf(response)).Elem()
	v.Set(reflect.ValueOf(response))
	maskOpenIDs(v)
	return v.Interface()
}

// maskOpenIDs masks the openids in a value that can be set.
func maskOpenIDs(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			maskOpenIDs(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			maskOpenIDs(v.Index(i))
		}
	case reflect.Struct:
		if e, ok := v.Addr().Interface().(*v1.Event); ok {
			e.Data = json.RawMessage("{}")
		}
		for i := range v.NumField() {
			if field, f := v.Type().Field(i), v.Field(i); isOpenID(field) {
				if f.Len() > 0 {
					f.SetString(reqlog.Mask(f.String()))
				}
			} else if field.IsExported() {
				maskOpenIDs(f)
			}
		}
	}
}

func isOpenID(field reflect.StructField) bool {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	for _, openID := range openIDFields {
		if name == openID && field.Type.Kind() == reflect.String {
			return true
		}
	}
	return false
}
