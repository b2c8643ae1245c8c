package server

import (
	"net/http"
	"runtime"
	"testing"
	"time"

	"h5pay/wechat/wechattest"
)

func TestListenServesAndLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := Listen(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{s.URL + "/sns/auth", s.DeskURL + "/", s.PhoneURL + "/__wechat/bridge.js"} {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != 200 {
			t.Errorf("%s: %d", url, res.StatusCode)
		}
	}
	id := s.Identity()
	if id.WeChatURL != s.URL || id.PhoneURL != s.PhoneURL || id.DeskURL != s.DeskURL || id.TLSURL != "" {
		t.Errorf("%+v", id)
	}
	s.Close()
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		runtime.Gosched()
	}
}

func TestListenNamesWhatItCannotHave(t *testing.T) {
	for name, cfg := range map[string]Config{
		"WeChat": {WeChatAddr: "nowhere.invalid:0"},
		"phone":  {PhoneAddr: "nowhere.invalid:0"},
		"desk":   {DeskAddr: "nowhere.invalid:0"},
		"TLS":    {WeChat: wechattest.Config{TLSAddr: "nowhere.invalid:0"}},
		"config": {WeChat: wechattest.Config{AppID: "x"}},
		"bridge": {BridgeDelay: time.Hour},
		"port":   {DeskAddr: "localhost"},
	} {
		if s, err := Listen(cfg); err == nil {
			s.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestStartEndsWithTheTest(t *testing.T) {
	var s *Server
	t.Run("inner", func(t *testing.T) {
		s = Start(t, Config{WeChat: wechattest.Config{ShopURL: "http://localhost:1"}})
		if id := s.Identity(); id.TLSURL == "" || id.ShopURL != "http://localhost:1" {
			t.Errorf("%+v", id)
		}
	})
	if res, err := http.Get(s.DeskURL); err == nil {
		res.Body.Close()
		t.Error("the desk answers after the test")
	}
}
