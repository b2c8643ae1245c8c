package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/demo"
)

func TestParseFlags(t *testing.T) {
	o, err := parseFlags([]string{"-desk-port", "9001", "-state", "db"})
	if err != nil || o != (options{demo.Ports{Shop: 8787, WeChat: 8800, Desk: 9001, Phone: 8802}, "db", "v3"}) {
		t.Errorf("%v, %v", o, err)
	}
	if o, err := parseFlags([]string{"-api", "v2"}); err != nil || o.api != "v2" {
		t.Errorf("%v, %v", o, err)
	}
}

// An error names the variable or the flag and says what is wanted.
func TestFlagErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-desk-port abc":                    "DESK_PORT=abc: want a port number from 1 to 65535",
		"-shop-port 0":                      "SHOP_PORT=0: want a port number from 1 to 65535",
		"-wechat-port 65536":                "WECHAT_PORT=65536: want a port number from 1 to 65535",
		"-phone-port -1":                    "PHONE_PORT=-1: want a port number from 1 to 65535",
		"-phone-port 8801":                  "DESK_PORT and PHONE_PORT are both 8801: want different ports",
		"-api 2":                            "API=2: want v2 or v3",
		"8801":                              `unexpected argument "8801": want flags only`,
		"-port 8801":                        "flag provided but not defined: -port",
		"-desk-port 9001 -shop-port 9001.5": "SHOP_PORT=9001.5: want a port number from 1 to 65535",
	} {
		_, err := parseFlags(strings.Fields(args))
		if err == nil {
			t.Errorf("%s: no error", args)
		} else if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
	}
}
