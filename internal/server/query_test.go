package server

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"h5pay/internal/api"
)

func TestQueryErrorsNameTheParameter(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"stat=paid":                   `unknown query parameter "stat"`,
		strings.Repeat("x", 50) + "=": `unknown query parameter "` + strings.Repeat("x", 40) + `"...`,
		"%22=1":                       `unknown query parameter "\""`,
		"limit=1&limit=2":             "limit: is repeated",
		"limit=":                      "limit: is empty",
		"limit=501":                   "limit: want 1 to 500",
		"limit=1":                     "",
	} {
		err := readQuery(query, map[string]func(string) error{"limit": func(v string) error {
			if v == "1" {
				return nil
			}
			return errors.New("want 1 to 500")
		}})
		e := &api.Error{}
		if errors.As(err, &e); want != "" && (e.Field == "" || !strings.Contains(want, e.Field) && e.Field != `"`) {
			t.Errorf("%s: the error is of the field %q", query, e.Field)
		}
		if e.Message != want || want != "" && e.Code != api.CodeBadRequest {
			t.Errorf("%s: %v, want %q", query, err, want)
		}
	}
}

func TestAuthorizeNamesAWrongField(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", api.PathAuthorize, strings.NewReader(`{"return_to":"/","scope":"snsapi_login"}`))
	r.Header.Set("Content-Type", "application/json")
	err := (&Server{}).authorize(httptest.NewRecorder(), r)
	if e := (*api.Error)(nil); !errors.As(err, &e) || e.Message != "scope: want snsapi_base or snsapi_userinfo" {
		t.Errorf("%v", err)
	}
}
