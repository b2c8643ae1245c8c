package main

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"

	"h5pay/wechat/wechattest"
)

// startWeChat starts the simulated WeChat for the sign-in of a shop, on a link of its own. Its
// authorize page redirects back at once. It writes its TLS certificate, in PEM, into a file.
func startWeChat(account wechattest.Config, certificate string) (address string, stop func(), err error) {
	server := httptest.NewUnstartedServer(nil)
	server.Listener = &slowListener{server.Listener, new(link)}
	server.EnableHTTP2 = true
	account.WeChatURL = "https://" + server.Listener.Addr().String()
	w, err := wechattest.New(account)
	if err != nil {
		server.Listener.Close()
		return "", nil, err
	}
	there := w.Handler()
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		delayed(rw, r)
		there.ServeHTTP(rw, r)
	})
	server.StartTLS()
	stop = func() { server.CloseClientConnections(); server.Close(); w.Close() }
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		stop()
		return "", nil, err
	}
	return server.URL, stop, nil
}

// slowListener puts its connections on a link.
type slowListener struct {
	net.Listener
	link *link
}

func (l *slowListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: c, link: l.link}, nil
}
