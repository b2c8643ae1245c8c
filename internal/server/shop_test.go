package server_test

import (
	"reflect"
	"slices"
	"testing"

	"h5pay/internal/paytest"
	"h5pay/wechat"
)

// Every secret of the settings must be in paytest.Secrets.
func TestEverySecretIsChecked(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	v := reflect.ValueOf(paytest.DefaultSettings(s, nil).Config)
	for i := range v.NumField() {
		if secret, ok := v.Field(i).Interface().(wechat.Secret); ok && !slices.Contains(paytest.Secrets, string(secret)) {
			t.Errorf("%s is empty or missing in paytest.Secrets", v.Type().Field(i).Name)
		}
	}
}
