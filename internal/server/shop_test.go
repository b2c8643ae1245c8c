package server_test

import (
	"reflect"
	"slices"
	"testing"

	"h5pay/internal/paytest"
	"h5pay/wechat"
)

// A new secret of the settings has to be among keys.
func TestEverySecretIsLookedFor(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	v := reflect.ValueOf(paytest.DefaultSettings(s, nil).Config)
	for i := range v.NumField() {
		if secret, ok := v.Field(i).Interface().(wechat.Secret); ok && !slices.Contains(paytest.Secrets, string(secret)) {
			t.Errorf("%s is empty or nobody looks for it", v.Type().Field(i).Name)
		}
	}
}
