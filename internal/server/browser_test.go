package server

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"h5pay/internal/v1"
)

// A browser gets no whole openid and no data of an event in any response, also in a new one. Of fields
// that can hold anything, this test knows what they hold.
func TestNoResponseHasAnOpenIDForABrowser(t *testing.T) {
	t.Parallel()
	const openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	free := []string{
		"v1.Event.Data",                               // {} for a browser
		"v1.AuditEntry.Before", "v1.AuditEntry.After", // auditJSON omits personal data
		"v1.Order.Metadata", "v1.Link.Metadata", // the back end's own texts
	}
	var fill func(v reflect.Value, in string)
	fill = func(v reflect.Value, in string) {
		switch v.Kind() {
		case reflect.String:
			v.SetString(openid)
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), in)
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i), v.Type().String()+"."+v.Type().Field(i).Name)
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				if v.SetBytes([]byte(`"` + openid + `"`)); !slices.Contains(free, in) {
					t.Errorf("%s can hold anything: can it hold an openid?", in)
				}
				return
			}
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), in)
		case reflect.Map, reflect.Interface:
			if !slices.Contains(free, in) && v.Type() != reflect.TypeFor[map[string]int64]() {
				t.Errorf("%s can hold anything: can it hold an openid?", in)
			}
		}
	}
	// A field with a name of this kind has an openid. A flag has none.
	person := regexp.MustCompile(`(?i)payer|open_?id|owner|buyer|user|customer`)
	var check func(v any, in string)
	check = func(v any, in string) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				if value == openid && person.MatchString(name) || name == "data" && strings.Contains(string(must(json.Marshal(value))), openid) {
					t.Errorf("%s: a browser gets %s %v", in, name, value)
				}
				check(value, in)
			}
		case []any:
			for _, value := range v {
				check(value, in)
			}
		}
	}
	masked := 0
	for _, route := range v1.Routes {
		if route.Response == nil {
			continue
		}
		v := reflect.New(reflect.TypeOf(route.Response)).Elem()
		fill(v, v.Type().String())
		text := must(json.Marshal(forBrowser(v.Interface())))
		var got any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		check(got, route.Name)
		masked += strings.Count(string(text), "oUpF…eS6o")
	}
	if masked < 5 {
		t.Errorf("%d openids are masked in all responses", masked)
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}
